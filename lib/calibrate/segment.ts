import { create } from '@bufbuild/protobuf';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  TensorProto_DataType,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../model/onnx_pb';
import { OnnxModel } from '../model/onnx-model';
import { namesRead } from '../model/walk';
import { withoutHalves } from '../prune/float-copy';

/** A part of a model that runs by itself. */
export interface Segment {
  readonly model: OnnxModel;
  /** Tensors that it must be fed. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/**
 * The nodes at positions from `from` on that `outputs` depend on, as a model of its own. What earlier nodes make
 * becomes its inputs (float32, of any shape). Weights are shared with the model; where it computes in half precision the
 * segment does in float32, so that activations are float32 whatever the model stores.
 */
export function cutSegment(model: OnnxModel, from: number, outputs: readonly string[]): Segment {
  const { graph, proto } = model;
  const { nodes, needed } = dependencies(model, from, outputs);
  const initializers = graph.initializer.filter(({ name }) => needed.has(name));
  const sparse = graph.sparseInitializer.filter(({ values }) => values && needed.has(values.name));
  const known = new Set([
    ...nodes.flatMap(({ output }) => output),
    ...initializers.map(({ name }) => name),
    ...sparse.map(({ values }) => values!.name),
  ]);
  const inputs = [...needed].filter((name) => !known.has(name));
  const own = new Map(graph.input.map((value) => [value.name, value]));
  const segment = create(ModelProtoSchema, {
    // From IR 4 on initializers need not be listed among the inputs.
    irVersion: proto.irVersion < 4n ? 4n : proto.irVersion,
    opsetImport: proto.opsetImport,
    functions: proto.functions,
    graph: create(GraphProtoSchema, {
      name: 'segment',
      node: nodes,
      initializer: initializers,
      sparseInitializer: sparse,
      input: inputs.map((name) => own.get(name) ?? floatTensor(name)),
      output: outputs.map(floatTensor),
    }),
  });
  return { model: withoutHalves(new OnnxModel(segment)), inputs, outputs };
}

/** What nodes before `from` make, or the caller feeds, and `outputs` depend on behind it. */
export function liveTensors(model: OnnxModel, from: number, outputs: readonly string[]): string[] {
  const { nodes, needed } = dependencies(model, from, outputs);
  const made = new Set(nodes.flatMap(({ output }) => output));
  return [...needed].filter((name) => !made.has(name) && !model.constant(name));
}

/** Nodes from a position on that some tensors depend on, in order, and every name that these read or the caller wants. */
function dependencies(
  model: OnnxModel,
  from: number,
  outputs: readonly string[],
): { nodes: NodeProto[]; needed: Set<string> } {
  const needed = new Set(outputs);
  const nodes: NodeProto[] = [];
  for (let i = model.graph.node.length - 1; i >= 0; i--) {
    const node = model.graph.node[i]!;
    if ((i < from && node.opType !== 'Constant') || !node.output.some((name) => needed.has(name))) continue;
    nodes.push(node);
    for (const name of namesRead(node)) needed.add(name);
  }
  return { nodes: nodes.reverse(), needed };
}

function floatTensor(name: string): ValueInfoProto {
  const type = create(TypeProtoSchema, {
    value: { case: 'tensorType', value: create(TypeProto_TensorSchema, { elemType: TensorProto_DataType.FLOAT }) },
  });
  return create(ValueInfoProtoSchema, { name, type });
}
