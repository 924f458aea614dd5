import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  type NodeProto,
  type TensorProto,
  AttributeProto_AttributeType as Type,
} from './onnx_pb';
import { makeTensor } from './tensor';

/** What a Constant node holds, as a tensor; undefined for sparse values and strings. The name is the node's output. */
export function constantValue(node: NodeProto): TensorProto | undefined {
  const name = node.output[0] ?? '';
  for (const a of node.attribute) {
    switch (a.name) {
      case 'value':
        return a.t;
      case 'value_float':
        return floats(name, [], [a.f]);
      case 'value_floats':
        return floats(name, [a.floats.length], a.floats);
      case 'value_int':
        return ints(name, [], [a.i]);
      case 'value_ints':
        return ints(name, [a.ints.length], a.ints);
    }
  }
  return undefined;
}

/** Makes `value` what a Constant node holds, whichever attribute held it before. */
export function setConstantValue(node: NodeProto, value: TensorProto): void {
  const attribute = node.attribute.find((a) => a.name === 'value');
  if (attribute) {
    attribute.t = value;
    return;
  }
  const kept = node.attribute.filter((a) => !a.name.startsWith('value_') && a.name !== 'sparse_value');
  node.attribute = [...kept, create(AttributeProtoSchema, { name: 'value', type: Type.TENSOR, t: value })];
}

const floats = (name: string, dims: number[], values: number[]): TensorProto =>
  makeTensor(name, DataType.FLOAT, dims, new Uint8Array(Float32Array.from(values).buffer));

const ints = (name: string, dims: number[], values: bigint[]): TensorProto =>
  makeTensor(name, DataType.INT64, dims, new Uint8Array(BigInt64Array.from(values).buffer));
