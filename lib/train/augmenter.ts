import type { Picture } from '../data/images';
import { invalidArgument } from '../errors';
import type { DetectorSettings } from '../model/detector';
import { nativeInputFormat } from '../model/input-format';
import { addon } from '../native/addon';
import type { NativeInputFormat, NativeStrides } from '../native/vision';
import type { Augmentation } from './augmentation';

/** How a batch lies in memory: planes as ONNX has them, or pixels of `pitch` values, of which three are written. */
export type BatchLayout = { kind: 'nchw' } | { kind: 'nhwc'; pitch: number };

/** Turns decoded pictures into training input: augmented, resized, channels ordered, normalised. */
export class Augmenter {
  /** float32 values of one picture. */
  readonly size: number;
  private readonly format: NativeInputFormat;
  private readonly strides: NativeStrides;
  private readonly fill: readonly number[];

  constructor(input: DetectorSettings['input'], layout: BatchLayout = { kind: 'nchw' }) {
    const { width, height, mean } = input;
    if (layout.kind === 'nhwc' && !(Number.isInteger(layout.pitch) && layout.pitch >= 3)) {
      throw invalidArgument('layout.pitch', 'at least 3', layout.pitch);
    }
    this.strides =
      layout.kind === 'nchw'
        ? { picture: 3 * height * width, channel: height * width, row: width, pixel: 1 }
        : { picture: height * width * layout.pitch, row: width * layout.pitch, pixel: layout.pitch, channel: 1 };
    this.size = this.strides.picture;
    this.format = nativeInputFormat(input);
    // The canvas has the colour that normalises to about 0, in 8 bits; means are in the order of the input's channels.
    const level = (value: number): number => Math.min(255, Math.max(0, Math.floor(value)));
    const colour = mean.map(level);
    this.fill = input.channels === 'BGR' ? colour.reverse() : colour;
  }

  /** Writes a picture to place `index` of `batch`, off this thread. */
  fillPlace(picture: Picture, augmentation: Augmentation, batch: Float32Array, index: number): Promise<void> {
    const { data, width, height } = picture;
    if (data.length !== 3 * width * height || data.length === 0) {
      throw invalidArgument('picture', `3·${width}·${height} bytes`, data.length);
    }
    if (!Number.isInteger(index) || index < 0 || (index + 1) * this.size > batch.length) {
      throw invalidArgument('index', `a place in a batch of ${Math.floor(batch.length / this.size)}`, index);
    }
    return addon().augmentInput(data, width, height, augmentation, this.format, this.fill, this.strides, batch, index);
  }
}
