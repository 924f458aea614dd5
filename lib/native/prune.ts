/** A checked ranking job as native/addon/prune.cc reads it; numbers stand for the enums of native/prune/rank.h. */
export interface NativeRankJob {
  bytes: Uint8Array;
  dataType: number;
  dims: number[];
  axis: number;
  criterion: number;
  keep: (Int32Array | null)[];
}

/** A checked slicing job as native/addon/prune.cc reads it. */
export interface NativeSliceJob {
  bytes: Uint8Array;
  elementSize: number;
  dims: number[];
  keep: (Int32Array | null)[];
}
