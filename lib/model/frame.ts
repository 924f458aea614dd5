import { create, type DescMessage, type Message, toBinary } from '@bufbuild/protobuf';
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

/** Raw data from this size on is never copied; below it, one copy by the library costs less than a chunk of its own. */
export const heavyBytes = 16384;

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
  const rest = { ...message } as Message & Fields;
  const heavy: [property: string, number: number, schema: DescMessage, messages: Message[]][] = [];
  for (const [property, number, child] of paths.get(schema.typeName)!.children) {
    const value = rest[property] as Message | Message[] | undefined;
    const list = Array.isArray(value) ? value : value ? [value] : [];
    if (!list.some((item) => isHeavy(child, item))) continue;
    heavy.push([property, number, child, list]);
    if (Array.isArray(value)) rest[property] = [];
    else delete rest[property];
  }
  out.push(toBinary(schema, rest));
  for (const [property, number, child, list] of heavy) {
    let light: Message[] = [];
    const flush = () => {
      // A parent that holds nothing else encodes a whole run of neighbours at once.
      if (light.length > 0) out.push(toBinary(schema, Object.assign(create(schema), { [property]: light })));
      light = [];
    };
    for (const item of list) {
      if (!isHeavy(child, item)) {
        light.push(item);
        continue;
      }
      flush();
      nest(number, child, item, out, swap);
    }
    flush();
  }
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
