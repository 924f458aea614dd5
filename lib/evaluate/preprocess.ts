import type { Picture } from '../data/images';
import { invalidArgument } from '../errors';
import type { DetectorSettings } from '../model/detector';
import { nativeInputFormat } from '../model/input-format';
import { addon } from '../native/addon';
import type { NativeInputFormat } from '../native/vision';

/** Turns pictures into a detector's input: resized, channels ordered, normalised, planar. */
export class Preprocessor {
  /** float32 values of one picture: 3 · height · width. */
  readonly size: number;
  readonly width: number;
  readonly height: number;
  private readonly format: NativeInputFormat;

  constructor(input: DetectorSettings['input']) {
    this.width = input.width;
    this.height = input.height;
    this.size = 3 * input.width * input.height;
    this.format = nativeInputFormat(input);
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
