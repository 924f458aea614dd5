/** A layer at a share of its channels that is gone, all others whole. */
export interface LossPoint {
  /** Share of the channels that is gone, from 0 to 1. */
  readonly ratio: number;
  /** What is lost there; less than 0 where noise makes it a gain. */
  readonly loss: number;
}

export interface LossCurve {
  /** Channels of the layer, where that is known. */
  readonly channels: number | undefined;
  /** By ascending ratio, each once. */
  readonly points: readonly LossPoint[];
}

/** What layers lose as each is cut alone, by the names of the layers. */
export interface LossCurves {
  /** What messages call them: the file that they came from. */
  readonly source: string;
  /** Whether losses are shares of the whole model's metric instead of differences from it. */
  readonly relative: boolean;
  readonly curves: ReadonlyMap<string, LossCurve>;
}
