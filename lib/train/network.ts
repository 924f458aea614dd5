import { SsdPruneError } from '../errors';
import type { DetectorSettings } from '../model/detector';
import type { OnnxModel } from '../model/onnx-model';
import type { NativeGraph } from '../native/engine';
import type { TrainedParameter } from './optimizer';
import { parameterOffsets, readParameters } from './parameters';
import { makePlan, type TrainingPlan } from './plan';
import { NodeKind } from './plan-graph';

/** A detector as training sees it: its plan, its heads, its weights. */
export interface DetectorNetwork {
  readonly model: OnnxModel;
  readonly plan: TrainingPlan;
  /** Numbers of the plan's outputs. */
  readonly heads: { scores: number; offsets: number };
  /** Parameters of the plan, with what the optimiser wants to know. */
  readonly parameters: readonly TrainedParameter[];
  readonly weights: Float32Array;
  readonly normalises: boolean;
  /**
   * Whether its class scores were trained with sigmoids: they go through them, or that of background is constant 0
   * everywhere.
   */
  readonly sigmoidHeads: boolean;
  /** Whether class scores go through sigmoids, each by itself: what it says of background counts for nothing. */
  readonly sigmoidScores: boolean;
}

/**
 * Plans a detector for training.
 * @throws {SsdPruneError} ERR_UNSUPPORTED_OP for what can't be trained; ERR_BAD_CONFIG where the detector settings don't
 * fit the model
 */
export function readNetwork(model: OnnxModel, detector: DetectorSettings): DetectorNetwork {
  const plan = makePlan(model);
  const name = model.file ?? 'The model';
  if (detector.outputs.boxesAre !== 'offsets') {
    throw new SsdPruneError('ERR_UNSUPPORTED_OP', `${name} puts out corners; only offsets of prior boxes are trained`);
  }
  const boxes = detector.priors.length / 4;
  const find = (output: string, width: number, what: string): number => {
    const index = plan.outputs.findIndex((planned) => planned.name === output);
    const found = plan.outputs[index];
    if (found?.boxes === boxes && found.width === width) return index;
    const has = found ? `${found.boxes} rows of ${found.width}` : 'no such output';
    throw new SsdPruneError(
      'ERR_BAD_CONFIG',
      `${name}: the detector settings say ${boxes} prior boxes and ${what} of ${width} numbers, but "${output}" has ${has}`,
    );
  };
  const heads = {
    scores: find(detector.outputs.scores, detector.classes.length, 'class scores'),
    offsets: find(detector.outputs.boxes, 4, 'box offsets'),
  };
  const [channels, height, width] = [plan.graph.channels, plan.graph.height, plan.graph.width];
  if (channels !== 3 || height !== detector.input.height || width !== detector.input.width) {
    throw new SsdPruneError(
      'ERR_BAD_CONFIG',
      `${name} reads ${channels}x${height}x${width}, but its detector settings say 3x${detector.input.height}x${detector.input.width}`,
    );
  }
  const mixed = plan.parameters.find((parameter) => parameter.mixed);
  if (mixed) {
    throw new SsdPruneError(
      'ERR_UNSUPPORTED_OP',
      `${name}: "${mixed.name}" is trained where one node reads it, and follows the data or stays where another does; give each a tensor of its own (exporters that join equal tensors can leave that off)`,
    );
  }
  const half = sharedByHalf(plan);
  if (half !== undefined) {
    throw new SsdPruneError(
      'ERR_UNSUPPORTED_OP',
      `${name}: two BatchNormalizations share "${half}", but not both of their statistics; give each tensors of its own (exporters that join equal tensors can leave that off)`,
    );
  }
  const weights = readParameters(model, plan);
  const own = headParameters(plan.graph);
  const sigmoidScores = plan.outputs[heads.scores]!.activation === 'sigmoid';
  return {
    model,
    plan,
    heads,
    weights,
    parameters: plan.parameters.map(({ name: own_, role }, i) => ({ name: own_, role, head: own.has(i) })),
    normalises: plan.graph.nodes.some(({ kind }) => kind === NodeKind.normalization),
    sigmoidHeads: sigmoidScores || hasConstantBackground(plan, heads.scores, detector.classes.length, weights),
    sigmoidScores,
  };
}

/** The name of a statistic that nodes share whose other one they don't; undefined where there is none. */
function sharedByHalf({ graph, parameters }: TrainingPlan): string | undefined {
  const partner = new Map<number, number>();
  for (const { kind, mean, variance } of graph.nodes) {
    if (kind !== NodeKind.normalization) continue;
    for (const [one, other] of [
      [mean, variance],
      [variance, mean],
    ] as const) {
      if ((partner.get(one) ?? other) !== other) return parameters[one]!.name;
      partner.set(one, other);
    }
  }
  return undefined;
}

/** Nodes between the last convolutions and the outputs, which nothing but the outputs reads. */
function headParameters({ nodes, outputs }: NativeGraph): Set<number> {
  const parameters = new Set<number>();
  for (let value of outputs.flatMap(({ parts }) => parts)) {
    for (let node = nodes[value - 1]; node; node = nodes[value - 1]) {
      for (const parameter of [node.weight, node.bias]) if (parameter >= 0) parameters.add(parameter);
      if (node.kind === NodeKind.convolution || node.inputs.length > 1) break;
      value = node.inputs[0]!;
    }
  }
  return parameters;
}

/** Whether every filter and bias that makes a background score is zero. */
function hasConstantBackground(plan: TrainingPlan, output: number, classes: number, weights: Float32Array): boolean {
  const { offsets } = parameterOffsets(plan);
  const rowsOf = (parameter: number, channels: number): Float32Array[] => {
    const { size } = plan.parameters[parameter]!;
    const row = size / channels;
    return Array.from({ length: channels / classes }, (_, i) => {
      const begin = offsets[parameter]! + i * classes * row;
      return weights.subarray(begin, begin + row);
    });
  };
  return plan.graph.outputs[output]!.parts.every((value) => {
    const node = plan.graph.nodes[value - 1];
    if (node?.kind !== NodeKind.convolution) return false;
    const parameters = [node.weight, node.bias].filter((parameter) => parameter >= 0);
    return parameters
      .flatMap((parameter) => rowsOf(parameter, node.channels))
      .every((row) => row.every((weight) => weight === 0));
  });
}
