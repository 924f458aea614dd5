import { type DescMessage, type Message, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  FunctionProtoSchema,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  SparseTensorProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  TrainingInfoProtoSchema,
} from './onnx_pb';

/** Raw data from this size on stays out of the library's writer, which copies as its buffer grows. */
export const heavyBytes = 2048;

interface Path {
  schema: DescMessage;
  /** Message fields through which tensors are reached: property and field number. */
  children: [property: string, number: number, schema: DescMessage][];
}

/** The ways from a model to its tensors. Everything that isn't on one of them is left to the library. */
const paths = new Map<string, Path>();
const way = (schema: DescMessage, children: [string, DescMessage][]) =>
  paths.set(schema.typeName, {
    schema,
    children: children.map(([name, child]) => [name, schema.field[name]!.number, child]),
  });
way(ModelProtoSchema, [
  ['graph', GraphProtoSchema],
  ['trainingInfo', TrainingInfoProtoSchema],
  ['functions', FunctionProtoSchema],
]);
way(TrainingInfoProtoSchema, [
  ['initialization', GraphProtoSchema],
  ['algorithm', GraphProtoSchema],
]);
way(FunctionProtoSchema, [['node', NodeProtoSchema]]);
way(GraphProtoSchema, [
  ['node', NodeProtoSchema],
  ['initializer', TensorProtoSchema],
  ['sparseInitializer', SparseTensorProtoSchema],
]);
way(NodeProtoSchema, [['attribute', AttributeProtoSchema]]);
way(AttributeProtoSchema, [
  ['t', TensorProtoSchema],
  ['g', GraphProtoSchema],
  ['tensors', TensorProtoSchema],
  ['graphs', GraphProtoSchema],
  ['sparseTensor', SparseTensorProtoSchema],
  ['sparseTensors', SparseTensorProtoSchema],
]);
way(SparseTensorProtoSchema, [
  ['values', TensorProtoSchema],
  ['indices', TensorProtoSchema],
]);

type Fields = Record<string, unknown>;

/** What to write in a tensor's place: the external-data writer swaps weights for references here. */
export type TensorSwap = (tensor: TensorProto) => TensorProto;

/**
 * A model as a list of byte chunks that joined are its protobuf encoding. Big weights are chunks of their own, the
 * very arrays of the model: nothing is copied but names and small tensors.
 */
export function frameModel(model: ModelProto, swap: TensorSwap = (t) => t): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  frame(ModelProtoSchema, model, chunks, swap);
  return chunks;
}

/** Total length of chunks in bytes. */
export function totalLength(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

function frame(schema: DescMessage, message: Message, out: Uint8Array[], swap: TensorSwap): void {
  if (schema === TensorProtoSchema) {
    frameTensor(swap(message as TensorProto), out);
    return;
  }
  if (!isHeavy(schema, message)) {
    out.push(toBinary(schema, message));
    return;
  }
  const { children } = paths.get(schema.typeName)!;
  const rest = { ...message } as Message & Fields;
  const heavy: [number: number, schema: DescMessage, messages: Message[]][] = [];
  for (const [property, number, child] of children) {
    const value = (message as Message & Fields)[property] as Message | Message[] | undefined;
    const list = Array.isArray(value) ? value : value ? [value] : [];
    if (!list.some((item) => isHeavy(child, item))) continue;
    heavy.push([number, child, list]);
    if (Array.isArray(value)) rest[property] = [];
    else delete rest[property];
  }
  out.push(toBinary(schema, rest));
  for (const [number, child, list] of heavy) for (const item of list) nest(number, child, item, out, swap);
}

function nest(number: number, schema: DescMessage, message: Message, out: Uint8Array[], swap: TensorSwap): void {
  const inner: Uint8Array[] = [];
  frame(schema, message, inner, swap);
  out.push(header(number, totalLength(inner)));
  for (const chunk of inner) out.push(chunk);
}

function frameTensor(tensor: TensorProto, out: Uint8Array[]): void {
  if (tensor.rawData.length < heavyBytes) {
    out.push(toBinary(TensorProtoSchema, tensor));
    return;
  }
  const { rawData, ...rest } = tensor;
  out.push(toBinary(TensorProtoSchema, rest as TensorProto));
  out.push(header(TensorProtoSchema.field.rawData.number, rawData.length), rawData);
}

function isHeavy(schema: DescMessage, message: Message): boolean {
  if (schema === TensorProtoSchema) return (message as TensorProto).rawData.length >= heavyBytes;
  return paths.get(schema.typeName)!.children.some(([property, , child]) => {
    const value = (message as Message & Fields)[property] as Message | Message[] | undefined;
    return Array.isArray(value)
      ? value.some((item) => isHeavy(child, item))
      : value !== undefined && isHeavy(child, value);
  });
}

/** Tag and length of a length-delimited field. Arithmetic instead of shifts: lengths pass 2^31. */
function header(number: number, length: number): Uint8Array {
  const bytes: number[] = [];
  for (let value of [number * 8 + 2, length]) {
    for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
    bytes.push(value);
  }
  return Uint8Array.from(bytes);
}
