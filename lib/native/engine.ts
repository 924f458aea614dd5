/** What products multiply: float32, or bfloat16 with sums in float32. Everything else is float32. */
export type Precision = 'fp32' | 'bf16';

/** A node of a training graph, as native/engine/graph.h has it; `kind` is a number of its NodeKind. */
export interface NativeNode {
  kind: number;
  inputs: number[];
  channels: number;
  height: number;
  width: number;
  kernel: [number, number];
  stride: [number, number];
  dilation: [number, number];
  pad: [number, number];
  padEnd: [number, number];
  groups: number;
  weight: number;
  bias: number;
  mean: number;
  variance: number;
  epsilon: number;
  momentum: number;
  low: number;
  high: number;
  countPadding: boolean;
}

/** Channels of a value that are looked at from outside. */
export interface NativeFeature {
  value: number;
  channels: number[];
}

/** A checked training graph as native/addon/engine.cc reads it. */
export interface NativeGraph {
  channels: number;
  height: number;
  width: number;
  parameters: number[];
  nodes: NativeNode[];
  outputs: { parts: number[]; width: number }[];
  features: NativeFeature[];
}

/** Work of an operation and its fastest pass, in seconds; `node` is −1 for what the engine added. */
export interface NativeOperationTime {
  node: number;
  macs: number;
  needsInputGradient: boolean;
  forward: number;
  backward: number;
}

/** A network ready to train. While a pass runs every other call throws. Arrays have the lengths that the plan says. */
export interface NativeEngine {
  readonly bytes: number;
  /** Parameters with gaps of alignment, see lib/train/parameters.ts. */
  setWeights(values: Float32Array): void;
  weights(into: Float32Array): void;
  gradients(into: Float32Array): void;
  /** Pictures of the batch, places first and channels last. */
  setPictures(values: Float32Array): void;
  output(index: number, into: Float32Array): void;
  setDerivatives(index: number, values: Float32Array): void;
  /** Resolve when done, on a thread of libuv's pool. */
  forward(batchStatistics: boolean): Promise<void>;
  backward(accumulate: boolean): Promise<void>;
  times(): NativeOperationTime[];
  clearTimes(): void;
}
