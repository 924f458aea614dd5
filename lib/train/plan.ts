import { SsdPruneError } from '../errors';
import type { NodeProto, TensorProto } from '../model/onnx_pb';
import type { OnnxModel } from '../model/onnx-model';
import { isOnnxDomain } from '../model/onnx-model';
import { product } from '../model/operator-arguments';
import { inferShapes } from '../model/shape-inference';
import type { TensorInfo } from '../model/tensor-info';
import type { NativeGraph } from '../native/engine';
import { type MapShape, type ParameterRole, PlanGraph, type PlannedParameter } from './plan-graph';
import { lowerHead } from './plan-heads';
import { lowerMap } from './plan-maps';
import type { HeadActivation, MapValue, PlanValue } from './plan-values';

export type { ParameterRole, PlannedParameter } from './plan-graph';
export type { HeadActivation } from './plan-values';

/** An output of the model as training sees it: rows of boxes, before the last activation. */
export interface PlannedOutput {
  readonly name: string;
  /** Rows for each picture: prior boxes. */
  readonly boxes: number;
  /** Numbers of a row: classes or coordinates. */
  readonly width: number;
  readonly activation: HeadActivation;
}

export interface TrainingPlan {
  readonly graph: NativeGraph;
  readonly parameters: readonly PlannedParameter[];
  readonly outputs: readonly PlannedOutput[];
}

/**
 * How a model is to be trained: its graph in the engine's terms. Only what the outputs need is planned.
 * @throws {SsdPruneError} ERR_UNSUPPORTED_OP, with node and operator, for what the engine can't train; ERR_BAD_MODEL
 * where the model doesn't fit together
 */
export function makePlan(model: OnnxModel): TrainingPlan {
  return new Planner(model).plan();
}

/** What the lowerings of single nodes see of the plan. */
export interface PlanContext {
  readonly model: OnnxModel;
  readonly graph: PlanGraph;
  /** The planned value of an input; fails where it has none (a constant, an input left out). */
  input(node: NodeProto, index: number): PlanValue;
  /** The same, and it must be a map; `padded` says whether the operator can take zeros in around it. */
  map(node: NodeProto, index: number, padded?: boolean): MapValue;
  /** A constant input, Identity nodes in front of it or not. */
  constant(node: NodeProto, index: number): TensorProto | undefined;
  /** The parameter that a constant input holds. */
  parameter(node: NodeProto, index: number, size: number, role: ParameterRole): number;
  /** What is known of the node's inputs beforehand. */
  infos(node: NodeProto): TensorInfo[];
  /** Shape of an output of the node, for one picture. */
  shape(node: NodeProto, output?: number): readonly number[];
  /** Names node and operator. */
  unsupported(node: NodeProto, why: string): SsdPruneError;
}

class Planner implements PlanContext {
  readonly model: OnnxModel;
  readonly graph = new PlanGraph();
  readonly #infos: ReadonlyMap<string, TensorInfo>;
  readonly #values = new Map<string, PlanValue>();

  constructor(model: OnnxModel) {
    this.model = model;
    this.#infos = inferShapes(model);
  }

  plan(): TrainingPlan {
    const picture = this.#picture();
    const wanted = this.#wanted();
    for (const node of this.model.graph.node) {
      if (!wanted.has(node) || node.opType === 'Constant' || this.#isConstant(node)) continue;
      this.#values.set(node.output[0]!, this.#lower(node));
    }
    const outputs = this.model.graph.output.map(({ name }) => this.#output(name));
    return {
      graph: this.graph.native(picture, outputs),
      parameters: this.graph.parameters,
      outputs: outputs.map(({ parts: _, ...output }) => output),
    };
  }

  input(node: NodeProto, index: number): PlanValue {
    const value = this.#values.get(node.input[index] ?? '');
    if (!value) throw this.unsupported(node, `its input ${index} is computed from constants or left out`);
    return value;
  }

  map(node: NodeProto, index: number, padded = false): MapValue {
    const value = this.input(node, index);
    if (value.kind !== 'map') throw this.unsupported(node, 'it follows the heads, where training ends');
    if (!padded && value.padding.some((amount) => amount > 0))
      throw this.unsupported(node, 'it reads what a Pad node made, which only a Conv can');
    return value;
  }

  constant(node: NodeProto, index: number): TensorProto | undefined {
    const name = node.input[index];
    return name ? this.model.constant(this.model.source(name)) : undefined;
  }

  parameter(node: NodeProto, index: number, size: number, role: ParameterRole): number {
    const tensor = this.constant(node, index);
    if (!tensor) throw this.unsupported(node, `its input ${index} is computed when the model runs, not stored`);
    const found = product(tensor.dims.map(Number));
    if (found !== size)
      throw new SsdPruneError(
        'ERR_BAD_MODEL',
        `${this.model.where(node)}: input ${index} holds ${found} numbers where ${size} belong`,
      );
    return this.graph.parameter(this.model.source(node.input[index]!), size, role);
  }

  infos(node: NodeProto): TensorInfo[] {
    return node.input.map((name) => this.#infos.get(name) ?? {});
  }

  shape(node: NodeProto, output = 0): readonly number[] {
    const shape = this.#infos.get(node.output[output] ?? '')?.shape;
    if (!shape) throw this.unsupported(node, 'the shape of its output is not known before the model runs');
    return shape;
  }

  unsupported(node: NodeProto, why: string): SsdPruneError {
    return new SsdPruneError(
      'ERR_UNSUPPORTED_OP',
      `${this.model.file ?? 'The model'}: ${this.model.where(node)} can't be trained: ${why}`,
    );
  }

  #picture(): MapShape {
    const inputs = this.model.graph.input.filter(({ name }) => this.model.isGraphInput(name));
    const shape = this.#infos.get(inputs[0]?.name ?? '')?.shape;
    if (inputs.length !== 1 || shape?.length !== 4)
      throw new SsdPruneError(
        'ERR_UNSUPPORTED_OP',
        `${this.model.file ?? 'The model'} can't be trained: it takes ${inputs.length} inputs; one picture (N, C, H, W) is what the engine feeds`,
      );
    const picture: MapShape = [shape[1]!, shape[2]!, shape[3]!];
    this.#values.set(inputs[0]!.name, { kind: 'map', value: 0, shape: picture, padding: [0, 0, 0, 0] });
    return picture;
  }

  /** Nodes that an output depends on. */
  #wanted(): Set<NodeProto> {
    const wanted = new Set<NodeProto>();
    const names = this.model.graph.output.map(({ name }) => name);
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const node = this.model.producer(name);
      if (!node || wanted.has(node)) continue;
      wanted.add(node);
      names.push(...node.input.filter((input) => input !== ''));
    }
    return wanted;
  }

  /** Whether what a node puts out doesn't depend on what is in the picture: constants, and shapes of tensors. */
  #isConstant(node: NodeProto): boolean {
    if (node.output.every((name) => name === '' || this.#infos.get(name)?.ints)) return true;
    return node.input.every((name) => !this.#values.has(name));
  }

  #lower(node: NodeProto): PlanValue {
    if (!isOnnxDomain(node)) throw this.unsupported(node, `the engine doesn't know operators of ${node.domain}`);
    if (node.opType === 'Identity' || node.opType === 'Dropout') return this.input(node, 0);
    const value = lowerHead(this, node) ?? lowerMap(this, node);
    if (!value) throw this.unsupported(node, `the engine doesn't know the operator ${node.opType}`);
    return value;
  }

  #output(name: string): PlannedOutput & { parts: number[] } {
    const value = this.#values.get(name);
    if (value?.kind !== 'rows' || value.axes.length !== 2)
      throw new SsdPruneError(
        'ERR_UNSUPPORTED_OP',
        `${this.model.file ?? 'The model'}: output "${name}" can't be trained: it is not rows of boxes (N, boxes, numbers) made by Transpose and Reshape from convolutions`,
      );
    return {
      name,
      boxes: value.axes[0]!,
      width: value.axes[1]!,
      activation: value.activation,
      parts: [...value.parts],
    };
  }
}
