import type { MapShape } from './plan-graph';

/** A feature map of the network, ONNX's N, C, H, W. */
export interface MapValue {
  readonly kind: 'map';
  readonly value: number;
  readonly shape: MapShape;
  /** Zeros that a Pad node put around it: top, left, bottom, right. A convolution takes them in. */
  readonly padding: readonly [number, number, number, number];
}

/**
 * What stands between the heads and the outputs: for every picture the numbers of some maps, places first and then
 * channels, one map after the other. Reshape, Squeeze and the like only rename its axes.
 */
export interface RowsValue {
  readonly kind: 'rows';
  /** Values of the engine. */
  readonly parts: readonly number[];
  /** Axes after the batch, as ONNX sees them. */
  readonly axes: readonly number[];
  readonly activation: HeadActivation;
}

/** What the model does to an output's numbers at the end; training works on what stands before it. */
export type HeadActivation = 'none' | 'softmax' | 'sigmoid';

export type PlanValue = MapValue | RowsValue;
