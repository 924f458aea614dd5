import { create } from '@bufbuild/protobuf';
import { getInt, setInt } from '../model/attributes';
import { type NodeProto, NodeProtoSchema, TensorProto_DataType as T, type TypeProto } from '../model/onnx_pb';
import type { OnnxModel } from '../model/onnx-model';
import { setTensorBytes, tensorDims, toFloat32 } from '../model/tensor';
import { modelTensors } from '../model/walk';
import { dequantizeModel } from './dequantize-model';

const halves = new Set<number>([T.FLOAT16, T.BFLOAT16]);

/**
 * A copy of a model that computes in float32 throughout: half-precision and quantised models raised, inputs of other
 * types (pictures as bytes) fed as float32 under another name. Two such copies differ only by the rounding of float32,
 * whatever order their sums are taken in.
 * @throws {SsdPruneError} ERR_VERIFY_VACUOUS where quantised numbers are used in a way that has no float32 twin.
 */
export function floatCopy(model: OnnxModel): OnnxModel {
  const copy = model.clone();
  raiseHalves(copy);
  dequantizeModel(copy);
  castInputs(copy);
  return copy;
}

/**
 * A model that computes in float32 where it computed in half precision: itself where it holds no halves, else a copy.
 * Nodes and tensors keep their places and names.
 */
export function withoutHalves(model: OnnxModel): OnnxModel {
  const { input, output, node } = model.graph;
  const found =
    modelTensors(model.proto).some(([{ dataType }]) => halves.has(dataType)) ||
    [...input, ...output].some(({ type }) => holdsHalves(type)) ||
    node.some(castsToHalf);
  if (!found) return model;
  const copy = model.clone();
  raiseHalves(copy);
  return copy;
}

/** Stored tensors, declared types and casts, in place. */
function raiseHalves(model: OnnxModel): void {
  for (const [tensor] of modelTensors(model.proto)) {
    if (!halves.has(tensor.dataType)) continue;
    const values = toFloat32(tensor);
    tensor.dataType = T.FLOAT;
    setTensorBytes(tensor, tensorDims(tensor), new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  for (const { type } of [...model.graph.input, ...model.graph.output, ...model.graph.valueInfo]) raiseType(type);
  for (const node of model.graph.node) {
    if (castsToHalf(node)) setInt(node, 'to', T.FLOAT);
  }
  model.invalidate();
}

function raiseType(type: TypeProto | undefined): void {
  if (type?.value.case === 'tensorType' && holdsHalves(type)) type.value.value.elemType = T.FLOAT;
}

const holdsHalves = (type: TypeProto | undefined): boolean =>
  type?.value.case === 'tensorType' && halves.has(type.value.value.elemType);

const castsToHalf = (node: NodeProto): boolean => node.opType === 'Cast' && halves.has(getInt(node, 'to', T.UNDEFINED));

/** Inputs that are no float32 tensors get a Cast in front. Their order stays. */
function castInputs(model: OnnxModel): void {
  for (const input of model.graph.input) {
    const type = input.type?.value.case === 'tensorType' ? input.type.value.value : undefined;
    if (!type || type.elemType === T.FLOAT || model.constant(input.name)) continue;
    const name = model.uniqueName(`${input.name}_float`);
    const node = create(NodeProtoSchema, { opType: 'Cast', input: [name], output: [input.name] });
    setInt(node, 'to', type.elemType);
    model.graph.node.unshift(node);
    input.name = name;
    type.elemType = T.FLOAT;
    model.invalidate();
  }
}
