import type { Picture } from '../data/images';
import { invalidArgument } from '../errors';
import type { DetectorSettings } from '../model/detector';
import { addon, type NativeInputFormat } from '../native';

/** In the order of native/vision/resize.h. */
const kernels = ['nearest', 'bilinear', 'bicubic', 'lanczos3', 'area'];

/** Turns pictures into a detector's input: resized, channels ordered, normalised, planar. */
export class Preprocessor {
  /** float32 values of one picture: 3 · height · width. */
  readonly size: number;
  readonly width: number;
  readonly height: number;
  private readonly format: NativeInputFormat;

  constructor({ width, height, channels, mean, std, resize }: DetectorSettings['input']) {
    this.width = width;
    this.height = height;
    this.size = 3 * width * height;
    this.format = {
      width,
      height,
      mean,
      std,
      kernel: kernels.indexOf(resize.kernel),
      antialias: resize.antialias,
      bgr: channels === 'BGR',
    };
  }

  /** Writes a picture to place `index` of `batch` (n, 3, height, width), off this thread. */
  fill(picture: Picture, batch: Float32Array, index: number): Promise<void> {
    const { data, width, height } = picture;
    if (width < 1 || height < 1 || data.length !== 3 * width * height) {
      throw invalidArgument('picture', `3·${width}·${height} bytes`, data.length);
    }
    if (!Number.isInteger(index) || index < 0 || (index + 1) * this.size > batch.length) {
      throw invalidArgument('index', `a place in a batch of ${Math.floor(batch.length / this.size)}`, index);
    }
    return addon().fillInput(data, width, height, this.format, batch, index);
  }
}
