/** Samples of a layer in rows: inputs x (rows, columns) and outputs y (rows, outputs). */
export interface NativeSamples {
  x: Float32Array;
  y: Float32Array;
  rows: number;
  columns: number;
  outputs: number;
}

/** A checked job of native/calibrate/sample_rows.h; `rows` is written. */
export interface NativeSampleRowsJob {
  values: Float32Array;
  pictures: number;
  channels: number;
  height: number;
  width: number;
  kernelHeight: number;
  kernelWidth: number;
  strideY: number;
  strideX: number;
  dilationY: number;
  dilationX: number;
  padTop: number;
  padLeft: number;
  outputWidth: number;
  /** (pictures, n) places of the output. */
  positions: Int32Array;
  rows: Float32Array;
}

/** A checked job of native/calibrate/gram.h; the sums are added to. */
export interface NativeSumsJob extends NativeSamples {
  /** null where it is known already. */
  xx: Float64Array | null;
  xy: Float64Array;
  yy: Float64Array;
  sx: Float64Array;
  sy: Float64Array;
}

/** A checked job of native/calibrate/clipped_targets.h; `targets` is written. */
export interface NativeTargetsJob extends NativeSamples {
  weights: Float64Array;
  bias: Float64Array;
  low: number;
  high: number;
  targets: Float32Array;
}

/** Moments and weights of one reader, see RidgeProblem of native/calibrate/ridge.h. */
export interface NativeRidgeProblem {
  gram: Float64Array;
  cross: Float64Array;
  weights: Float64Array;
  columns: number;
  outputs: number;
  ridge: number;
}

/** See ChoiceReader of native/calibrate/channel_choice.h. */
export interface NativeChoiceReader extends NativeRidgeProblem {
  outputWeights: Float64Array;
  memberBegin: Int32Array;
  memberColumns: Int32Array;
}

/** As many removals as `order` has places; `order` and `cost` are written. */
export interface NativeChoiceJob {
  readers: NativeChoiceReader[];
  mayGo: Uint8Array;
  order: Int32Array;
  cost: Float64Array;
}
