/** Checked objects and detections of a dataset as native/addon/mean_ap.cc reads them. */
export interface NativeMeanApJob {
  /** 0 detection_map, 1 VOC, 2 COCO. */
  protocol: number;
  /** 0 11point, 1 integral. */
  apVersion: number;
  overlapThreshold: number;
  classes: number;
  imageSize: Float64Array;
  truthOffset: Int32Array;
  truthLabel: Int32Array;
  truthFlag: Uint8Array;
  truthBox: Float64Array;
  truthArea: Float64Array;
  image: Int32Array;
  label: Int32Array;
  /** Score and box are both float32 or both float64. */
  score: Float32Array | Float64Array;
  box: Float32Array | Float64Array;
  /** Boxes are x, y, width, height in pixels instead of normalised corners. */
  pixels: boolean;
  resamples: number;
  seed: number;
}

/** See native/vision/mean_ap.h for the shapes; NaN where there is nothing to be found. */
export interface NativeMeanAp {
  ap: Float64Array;
  recall: Float64Array;
  positives: Float64Array;
  detections: Float64Array;
  resampled: Float64Array;
}
