/** Checked input settings as native/addon/vision.cc reads them; `kernel` is a number of native/vision/resize.h. */
export interface NativeInputFormat {
  width: number;
  height: number;
  kernel: number;
  antialias: boolean;
  bgr: boolean;
  mean: readonly number[];
  std: readonly number[];
}

/** Checked settings of decoding and suppression as native/addon/vision.cc reads them; `boxes` a picture. */
export interface NativeBoxSettings {
  boxes: number;
  classes: number;
  logits: boolean;
  corners: boolean;
  variances: readonly number[];
  scoreThreshold: number;
  iouThreshold: number;
  topK: number;
  keepTopK: number;
}

/** What was drawn for a training picture, as native/addon/train.cc reads it; pixels are whole numbers. */
export interface NativeAugmentation {
  colours: { brightness: number; contrast: number; saturation: number; hue: number; contrastLast: boolean };
  left: number;
  top: number;
  crop: { left: number; top: number; width: number; height: number };
  mirror: boolean;
}

/** Distances in a batch, in float32 values. */
export interface NativeStrides {
  picture: number;
  row: number;
  pixel: number;
  channel: number;
}
