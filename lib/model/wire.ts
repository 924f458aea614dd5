import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { ModelProtoSchema } from './onnx_pb';

/** Nested messages that a model may have; the decoder recurses as deep. Each If or Loop takes three. */
export const maxDepth = 100;
/** Messages in one file. A real model has thousands; a file of empty ones would take a hundred times its size. */
const maxMessages = 4_000_000;
/** Bytes of number lists outside raw_data in one file: decoded they take up to 24 times as much memory. */
const maxListBytes = 512 * 1024 * 1024;
/** Packed float_data and double_data from this size on are read as raw_data. */
const minRelabelled = 1024;

/** What is wrong with the bytes of a model, and where. */
export class WireError extends Error {
  constructor(message: string, byte: number, path: readonly string[]) {
    super(`${message} at byte ${byte}${path.length > 0 ? ` (in ${path.join(' > ')})` : ''}`);
  }
}

interface Shape {
  name: string;
  fields: Map<number, { field: DescField; wireType: number; packable: boolean; child?: Shape }>;
}

/**
 * Packed float_data and double_data are byte for byte what raw_data would hold, but decoded they become lists of
 * JavaScript numbers, 50 times slower to read. Field number, the one-byte tag in front of it, element types.
 */
const floatLists = [
  { number: 4, types: [1, 14] },
  { number: 10, types: [11, 15] },
];
const rawDataTag = 9 * 8 + 2;

/** Protobuf's wire types. */
const varint = 0;
const fixed64 = 1;
const lengthDelimited = 2;
const startGroup = 3;
const fixed32 = 5;

/** Scalar types by descriptor.proto's numbers: double, fixed64, sfixed64; float, fixed32, sfixed32; string, bytes. */
const wireTypeOfScalar = (scalar: number): number =>
  [1, 6, 16].includes(scalar) ? fixed64 : [2, 7, 15].includes(scalar) ? fixed32 : [9, 12].includes(scalar) ? 2 : 0;

let modelShape: Shape | undefined;

function shapeOf(message: DescMessage, known: Map<string, Shape>): Shape {
  let shape = known.get(message.typeName);
  if (shape) return shape;
  shape = { name: message.name, fields: new Map() };
  known.set(message.typeName, shape);
  for (const field of message.fields) {
    const child = field.message && shapeOf(field.message, known);
    const wireType = field.scalar ? wireTypeOfScalar(field.scalar) : field.enum ? varint : lengthDelimited;
    shape.fields.set(field.number, {
      field,
      wireType,
      packable: field.fieldKind === 'list' && wireType !== lengthDelimited,
      ...(child && { child }),
    });
  }
  return shape;
}

/**
 * Walks the framing of a serialized ModelProto: every message and list ends where its parent said, known fields have
 * their type, nothing nests too deep. The decoder after it may then trust the lengths (it lets a message run over its
 * own end), and an error can say in which node or tensor it lies. Weights are skipped, so it costs a millisecond.
 * @returns positions of the tags of big float lists that may be decoded as raw_data, see {@link decodeRelabelled}
 * @throws {WireError}
 */
export function checkWire(bytes: Uint8Array): number[] {
  modelShape ??= shapeOf(ModelProtoSchema, new Map());
  const walker = new Walker(bytes);
  walker.message(modelShape, bytes.length);
  return walker.floatLists;
}

/** Runs `decode` while the given tags say raw_data, then puts them back: the bytes are the caller's. */
export function decodeRelabelled<R>(bytes: Uint8Array, tags: readonly number[], decode: () => R): R {
  const kept = tags.map((at) => bytes[at]!);
  try {
    for (const at of tags) bytes[at] = rawDataTag;
    return decode();
  } finally {
    for (const [i, at] of tags.entries()) bytes[at] = kept[i]!;
  }
}

class Walker {
  readonly floatLists: number[] = [];
  readonly #bytes: Uint8Array;
  readonly #path: string[] = [];
  #at = 0;
  #messages = 0;
  #listBytes = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  message(shape: Shape, end: number): void {
    if (this.#path.length >= maxDepth) throw this.#error(`More than ${maxDepth} nested messages`);
    if (++this.#messages > maxMessages) throw this.#error(`More than ${maxMessages} messages`);
    if (shape.name === 'TensorProto') this.#findFloatList(end);
    const counts = new Map<number, number>();
    while (this.#at < end) {
      const start = this.#at;
      const tag = this.#varint(end, 'A field tag');
      const number = Math.floor(tag / 8);
      const wireType = tag % 8;
      if (number < 1 || number > 0x1fffffff) throw this.#error('An impossible field number', start);
      const known = shape.fields.get(number);
      if (!known) {
        this.#skip(wireType, number, end, 0);
        continue;
      }
      const packed = known.packable && wireType === lengthDelimited;
      if (wireType !== known.wireType && !packed)
        throw this.#error(`Field ${shape.name}.${known.field.name} has wire type ${wireType}`, start);
      if (!known.child && !packed) {
        if (known.packable) this.#count(8);
        this.#skip(wireType, number, end, 0);
        continue;
      }
      const length = this.#length(end, `${shape.name}.${known.field.name}`);
      if (packed) {
        if (this.floatLists.at(-1) !== start) this.#count(length);
        this.#list(known.wireType, this.#at + length, known.field.name);
        continue;
      }
      const index = counts.get(number) ?? 0;
      counts.set(number, index + 1);
      this.#path.push(known.field.fieldKind === 'list' ? `${known.field.name} #${index}` : known.field.name);
      this.message(known.child!, this.#at + length);
      this.#path.pop();
    }
  }

  /** Notes the tag of a tensor's float list where it is big, the only one, and of the tensor's own type. */
  #findFloatList(end: number): void {
    const begin = this.#at;
    let found: { number: number; tagAt: number; length: number } | undefined;
    let type = 0;
    let lists = 0;
    while (this.#at < end) {
      const tagAt = this.#at;
      const tag = this.#varint(end, 'A field tag');
      const number = Math.floor(tag / 8);
      if (tag === 2 * 8 + varint) {
        type = this.#varint(end, 'TensorProto.data_type');
        continue;
      }
      const start = this.#at;
      this.#skip(tag % 8, number, end, 0);
      if (number !== 9 && !floatLists.some((list) => list.number === number)) continue;
      lists++;
      // Tags may be padded to several bytes; only a single byte can be exchanged.
      if (number !== 9 && start === tagAt + 1 && tag % 8 === lengthDelimited)
        found = { number, tagAt, length: this.#at - start };
    }
    this.#at = begin;
    if (!found || lists > 1 || found.length < minRelabelled) return;
    if (floatLists.some((list) => list.number === found.number && list.types.includes(type)))
      this.floatLists.push(found.tagAt);
  }

  #count(bytes: number): void {
    this.#listBytes += bytes;
    if (this.#listBytes > maxListBytes)
      throw this.#error('Too many numbers outside raw_data (over 512 MiB); save the model with raw data');
  }

  #list(wireType: number, end: number, name: string): void {
    const size = wireType === fixed64 ? 8 : wireType === fixed32 ? 4 : 0;
    if (size > 0) {
      if ((end - this.#at) % size !== 0) throw this.#error(`List ${name} ends inside a number`);
      this.#at = end;
    }
    while (this.#at < end) this.#varint(end, `A number of list ${name}`);
  }

  #skip(wireType: number, number: number, end: number, depth: number): void {
    switch (wireType) {
      case varint:
        this.#varint(end, 'A number');
        return;
      case fixed64:
        this.#advance(8, end);
        return;
      case fixed32:
        this.#advance(4, end);
        return;
      case lengthDelimited:
        this.#advance(this.#length(end, `field ${number}`), end);
        return;
      case startGroup:
        if (this.#path.length + depth >= maxDepth - 1) throw this.#error(`More than ${maxDepth} nested groups`);
        for (;;) {
          const tag = this.#varint(end, 'A field tag');
          if (tag % 8 === 4) {
            if (Math.floor(tag / 8) !== number) throw this.#error('A group ends that was not open');
            return;
          }
          this.#skip(tag % 8, Math.floor(tag / 8), end, depth + 1);
        }
      default:
        throw this.#error(`Wire type ${wireType} does not exist`);
    }
  }

  #advance(size: number, end: number): void {
    if (this.#at + size > end) throw this.#error('The data ends inside a number');
    this.#at += size;
  }

  #length(end: number, name: string): number {
    const start = this.#at;
    const length = this.#varint(end, `The length of ${name}`);
    if (length > end - this.#at)
      throw this.#error(`${name} claims ${length} bytes where ${end - this.#at} are left`, start);
    return length;
  }

  /** Values above 2^53 lose low bits: enough for tags and lengths, which must be small. */
  #varint(end: number, what: string): number {
    const bytes = this.#bytes;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.#at >= end) throw this.#error(`${what} is cut off`);
      const byte = bytes[this.#at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw this.#error(`${what} is longer than ten bytes`);
  }

  #error(message: string, byte = this.#at): WireError {
    return new WireError(message, byte, this.#path);
  }
}
