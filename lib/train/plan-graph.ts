import type { NativeGraph, NativeNode } from '../native/engine';

/** What a parameter is to training. Statistics follow the data, constants stay as they are. */
export type ParameterRole = 'weight' | 'bias' | 'scale' | 'shift' | 'statistic' | 'constant';

export interface PlannedParameter {
  /** Of the tensor in the model that holds it. */
  readonly name: string;
  readonly size: number;
  readonly role: ParameterRole;
  /** Trained by one node that reads it, and following the data or fixed for another. */
  mixed?: true;
}

const isTrained = (role: ParameterRole): boolean => role !== 'statistic' && role !== 'constant';

/** Kinds of node, as native/engine/graph.h numbers them. */
export const NodeKind = {
  convolution: 0,
  normalization: 1,
  clip: 2,
  scale: 3,
  add: 4,
  concat: 5,
  maxPool: 6,
  averagePool: 7,
} as const;

/** Channels, height and width. */
export type MapShape = readonly [channels: number, height: number, width: number];

/** The engine's graph under construction: nodes, and the parameters that they share. */
export class PlanGraph {
  readonly nodes: NativeNode[] = [];
  readonly parameters: PlannedParameter[] = [];
  readonly #known = new Map<string, number>();

  /** The number of a parameter; a tensor that several nodes read is one parameter. */
  parameter(name: string, size: number, role: ParameterRole): number {
    const known = this.#known.get(name);
    if (known !== undefined) {
      const own = this.parameters[known]!;
      if (isTrained(own.role) !== isTrained(role)) own.mixed = true;
      return known;
    }
    this.#known.set(name, this.parameters.length);
    this.parameters.push({ name, size, role });
    return this.parameters.length - 1;
  }

  /** Adds a node and returns the number of the value that it puts out; 0 is the picture. */
  push(kind: number, inputs: number[], shape: MapShape, rest: Partial<NativeNode> = {}): number {
    const [channels, height, width] = shape;
    this.nodes.push({
      kind,
      inputs,
      channels,
      height,
      width,
      kernel: [1, 1],
      stride: [1, 1],
      dilation: [1, 1],
      pad: [0, 0],
      padEnd: [0, 0],
      groups: 1,
      weight: -1,
      bias: -1,
      mean: -1,
      variance: -1,
      epsilon: 1e-5,
      momentum: 0.9,
      low: Number.NEGATIVE_INFINITY,
      high: Number.POSITIVE_INFINITY,
      countPadding: false,
      ...rest,
    });
    return this.nodes.length;
  }

  native(picture: MapShape, outputs: readonly { parts: number[]; width: number }[]): NativeGraph {
    const [channels, height, width] = picture;
    return {
      channels,
      height,
      width,
      parameters: this.parameters.map(({ size }) => size),
      nodes: this.nodes,
      outputs: outputs.map(({ parts, width: w }) => ({ parts, width: w })),
      features: [],
    };
  }
}
