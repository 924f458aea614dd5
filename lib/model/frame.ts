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
const heavyBytes = 16384;

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

/** What to write in the place of a tensor with big data: the external-data writer swaps weights for references here. */
export type TensorSwap = (tensor: TensorProto) => TensorProto;

/**
 * A model as a list of byte chunks that joined are its protobuf encoding. Big weights are chunks of their own, the
 * very arrays of the model: nothing is copied but names and small tensors.
 */
export function frameModel(model: ModelProto, swap: TensorSwap = (t) => t): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const heavy = new Set<Message>();
  markHeavy(ModelProtoSchema, model, heavy);
  new Framer(heavy, swap).frame(ModelProtoSchema, model, chunks);
  return chunks;
}

/** Total length of chunks in bytes. */
export function totalLength(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

/** Collects the tensors with big data and every message around one. */
function markHeavy(schema: DescMessage, message: Message, heavy: Set<Message>): boolean {
  let found = schema === TensorProtoSchema && (message as TensorProto).rawData.length >= heavyBytes;
  for (const [property, , child] of paths.get(schema.typeName)?.children ?? [])
    for (const item of items(message, property)) if (markHeavy(child, item, heavy)) found = true;
  if (found) heavy.add(message);
  return found;
}

function items(message: Message, property: string): readonly Message[] {
  const value = (message as Message & Fields)[property] as Message | Message[] | undefined;
  return Array.isArray(value) ? value : value === undefined ? none : [value];
}
const none: readonly Message[] = [];

class Framer {
  readonly #heavy: ReadonlySet<Message>;
  readonly #swap: TensorSwap;

  constructor(heavy: ReadonlySet<Message>, swap: TensorSwap) {
    this.#heavy = heavy;
    this.#swap = swap;
  }

  frame(schema: DescMessage, message: Message, out: Uint8Array[]): void {
    if (!this.#heavy.has(message)) out.push(toBinary(schema, message));
    else if (schema === TensorProtoSchema) frameTensor(this.#swap(message as TensorProto), out);
    else this.#frameAround(schema, message, out);
  }

  /** First everything that leads to no big data, then field by field what does. */
  #frameAround(schema: DescMessage, message: Message, out: Uint8Array[]): void {
    const rest = { ...message } as Message & Fields;
    const lists: [property: string, number: number, schema: DescMessage][] = [];
    for (const [property, number, child] of paths.get(schema.typeName)!.children) {
      if (!items(message, property).some((item) => this.#heavy.has(item))) continue;
      lists.push([property, number, child]);
      if (Array.isArray(rest[property])) rest[property] = [];
      else delete rest[property];
    }
    out.push(toBinary(schema, rest));
    for (const [property, number, child] of lists) {
      let light: Message[] = [];
      const flush = () => {
        // A parent that holds nothing else encodes a whole run of neighbours at once.
        if (light.length > 0) out.push(toBinary(schema, { ...create(schema), [property]: light }));
        light = [];
      };
      for (const item of items(message, property)) {
        if (!this.#heavy.has(item)) {
          light.push(item);
          continue;
        }
        flush();
        const inner: Uint8Array[] = [];
        this.frame(child, item, inner);
        out.push(header(number, totalLength(inner)));
        for (const chunk of inner) out.push(chunk);
      }
      flush();
    }
  }
}

function frameTensor(tensor: TensorProto, out: Uint8Array[]): void {
  if (tensor.rawData.length === 0) {
    out.push(toBinary(TensorProtoSchema, tensor));
    return;
  }
  const { rawData, ...rest } = tensor;
  out.push(toBinary(TensorProtoSchema, rest as TensorProto));
  out.push(header(TensorProtoSchema.field.rawData.number, rawData.length), rawData);
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
