import { toFloat16 } from '../evaluate/float16';
import { getInt } from '../model/attributes';
import { type NodeProto, TensorProto_DataType as T, type TensorProto } from '../model/onnx_pb';
import { isOnnxDomain, type OnnxModel } from '../model/onnx-model';
import { makeTensor, tensorDims } from '../model/tensor';
import { namesRead } from '../model/walk';

/** Types of weights that are refitted: in float64, and stored as they were. */
const types = new Set<number>([T.FLOAT, T.FLOAT16]);

/** Numbers in one of these types, rounded to the nearest. */
export function storedTensor(name: string, dataType: number, dims: number[], values: Float32Array): TensorProto {
  const stored = dataType === T.FLOAT16 ? toFloat16(values) : values;
  return makeTensor(name, dataType, dims, new Uint8Array(stored.buffer));
}

/** Whether it is of the kind of layer that can be refitted. */
export const isWeighted = (node: NodeProto): boolean =>
  isOnnxDomain(node) &&
  (node.opType === 'Gemm' || node.opType === 'MatMul' || (node.opType === 'Conv' && getInt(node, 'group', 1) === 1));

/** A stored weight, by itself or behind Identity nodes, of a type that is refitted. */
export function weightOf(model: OnnxModel, node: NodeProto): TensorProto | undefined {
  const weight = storedValue(model, node.input[1]);
  return weight && types.has(weight.dataType) ? weight : undefined;
}

/** The constant whose value a tensor carries unchanged. */
export const storedValue = (model: OnnxModel, name = ''): TensorProto | undefined => model.constant(model.source(name));

/** Axis of a weight along which its inputs lie. */
export function inputAxis(node: NodeProto, rank: number): number {
  if (node.opType === 'ConvTranspose') return 0;
  if (node.opType === 'Gemm') return getInt(node, 'transB', 0) === 1 ? 1 : 0;
  return node.opType === 'MatMul' ? rank - 2 : 1;
}

/** Channels that a node with this weight makes. */
export function outputsOf(node: NodeProto, weight: TensorProto): number | undefined {
  const dims = tensorDims(weight);
  if (node.opType === 'Conv') return dims[0];
  return dims[node.opType === 'Gemm' && getInt(node, 'transB', 0) === 1 ? 0 : dims.length - 1];
}

/** Operators to which all values are alike. */
const valueless = new Set(['Shape', 'Size']);

/** Whether nobody but this input sees the value of the constant that it reads, on the way through Identity nodes either. */
export function isOwn(model: OnnxModel, name: string): boolean {
  const users = model
    .consumers(name)
    .filter((node) => !valueless.has(node.opType))
    .reduce((sum, node) => sum + namesRead(node).filter((other) => other === name).length, 0);
  if (users > 1 || model.isGraphOutput(name)) return false;
  const from = model.producer(name);
  return from?.opType !== 'Identity' || isOwn(model, from.input[0]!);
}

/** The one node that reads a tensor which is no output of the graph. */
export function onlyConsumer(model: OnnxModel, name: string): NodeProto | undefined {
  const consumers = model.consumers(name);
  return consumers.length === 1 && !model.isGraphOutput(name) ? consumers[0] : undefined;
}
