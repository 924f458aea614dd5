import { clearField, create } from '@bufbuild/protobuf';
import { SsdPruneError } from '../errors';
import {
  TensorProtoSchema as Schema,
  TensorProto_DataType as T,
  type TensorProto,
  TensorProto_DataLocation,
} from './onnx_pb';

/** More axes than any operator has; keeps a hostile file from making us print or multiply millions of them. */
const maxRank = 64;

/** Bits of one element. Types below 8 bits are packed, first element in the low bits. */
const elementBits: ReadonlyMap<number, number> = new Map([
  [T.FLOAT, 32],
  [T.UINT8, 8],
  [T.INT8, 8],
  [T.UINT16, 16],
  [T.INT16, 16],
  [T.INT32, 32],
  [T.INT64, 64],
  [T.BOOL, 8],
  [T.FLOAT16, 16],
  [T.DOUBLE, 64],
  [T.UINT32, 32],
  [T.UINT64, 64],
  [T.COMPLEX64, 64],
  [T.COMPLEX128, 128],
  [T.BFLOAT16, 16],
  [T.FLOAT8E4M3FN, 8],
  [T.FLOAT8E4M3FNUZ, 8],
  [T.FLOAT8E5M2, 8],
  [T.FLOAT8E5M2FNUZ, 8],
  [T.FLOAT8E8M0, 8],
  [T.UINT4, 4],
  [T.INT4, 4],
  [T.FLOAT4E2M1, 4],
  [T.UINT2, 2],
  [T.INT2, 2],
]);

/** `FLOAT16` for 10; `type 99` for what this version of ONNX doesn't know. */
export function dataTypeName(dataType: number): string {
  return T[dataType] ?? `type ${dataType}`;
}

const label = (t: TensorProto): string => `tensor ${JSON.stringify(t.name)}`;

function bad(t: TensorProto, message: string): SsdPruneError {
  return new SsdPruneError('ERR_BAD_MODEL', `${label(t)}: ${message}`);
}

/**
 * The shape of a stored tensor; `[]` for a scalar.
 * @throws {SsdPruneError} ERR_BAD_MODEL where an axis is negative or the element count isn't a safe integer.
 */
export function tensorDims(t: TensorProto): number[] {
  if (t.dims.length > maxRank) throw bad(t, `${t.dims.length} axes; at most ${maxRank} are supported`);
  const dims = t.dims.map(Number);
  let count = 1;
  for (const d of dims) {
    if (!Number.isSafeInteger(d) || d < 0) throw bad(t, `an axis of size ${d} in shape [${dims}]`);
    // An empty axis doesn't excuse absurd neighbours: their product is what a careless reader would allocate.
    count *= Math.max(d, 1);
  }
  if (!Number.isSafeInteger(count)) throw bad(t, `shape [${dims}] has more elements than can be counted`);
  return dims;
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, d) => product * d, 1);
}

/**
 * Bytes of one element.
 * @throws {SsdPruneError} ERR_BAD_MODEL for strings, types below a byte (two or more elements share one) and unknown
 * types.
 */
export function elementSize(dataType: number): number {
  const bits = elementBits.get(dataType);
  if (bits === undefined || bits < 8)
    throw new SsdPruneError('ERR_BAD_MODEL', `Elements of type ${dataTypeName(dataType)} have no size in bytes`);
  return bits / 8;
}

/** Bytes that `count` elements take, packed types rounded up; undefined for strings and unknown types. */
export function byteLengthOf(dataType: number, count: number): number | undefined {
  const bits = elementBits.get(dataType);
  return bits === undefined ? undefined : Math.ceil((count * bits) / 8);
}

type TypedField = 'floatData' | 'int32Data' | 'int64Data' | 'doubleData' | 'uint64Data';

/** Where typed data of each type is stored when not raw; onnx.proto lists this beside each field. */
function typedField(dataType: number): TypedField | undefined {
  switch (dataType) {
    case T.FLOAT:
    case T.COMPLEX64:
      return 'floatData';
    case T.DOUBLE:
    case T.COMPLEX128:
      return 'doubleData';
    case T.INT64:
      return 'int64Data';
    case T.UINT32:
    case T.UINT64:
      return 'uint64Data';
    case T.UNDEFINED:
    case T.STRING:
      return undefined;
    default:
      return elementBits.has(dataType) ? 'int32Data' : undefined;
  }
}

const has = (t: TensorProto, field: keyof TensorProto): boolean => Object.hasOwn(t, field);

/** Entries that the typed field must hold for `count` elements: complex numbers take two, packed types share one. */
function typedLength(dataType: number, count: number): number {
  if (dataType === T.COMPLEX64 || dataType === T.COMPLEX128) return 2 * count;
  const bits = elementBits.get(dataType);
  return bits !== undefined && bits < 8 ? Math.ceil((count * bits) / 8) : count;
}

/**
 * Checks shape, type and data length without converting anything. External tensors pass: their length is checked when
 * their file is read.
 * @throws {SsdPruneError} ERR_BAD_MODEL
 */
export function checkTensor(t: TensorProto): void {
  const count = elementCount(tensorDims(t));
  if (t.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    if (!t.externalData.some(({ key, value }) => key === 'location' && value !== ''))
      throw bad(t, 'its data is external but no location is given');
    return;
  }
  if (t.segment) throw bad(t, 'it is stored in segments, which ONNX no longer allows');
  const shape = () => `shape [${t.dims}] of ${dataTypeName(t.dataType)}`;
  if (t.dataType === T.STRING) {
    if (t.stringData.length !== count) throw bad(t, `${t.stringData.length} strings for ${shape()}`);
    return;
  }
  const bytes = byteLengthOf(t.dataType, count);
  if (bytes === undefined) throw bad(t, `unknown element type (${dataTypeName(t.dataType)})`);
  if (has(t, 'rawData')) {
    // Some writers set an empty raw_data beside the typed field; only a filled one is the data.
    const field = typedField(t.dataType)!;
    if (t.rawData.length === bytes) return;
    if (t.rawData.length > 0 || t[field].length === 0)
      throw bad(t, `raw_data has ${t.rawData.length} bytes, ${shape()} needs ${bytes}`);
  }
  const field = typedField(t.dataType)!;
  const wanted = typedLength(t.dataType, count);
  if (t[field].length !== wanted)
    throw bad(t, `${t[field].length} values in ${snake(field)}, ${shape()} needs ${wanted}`);
}

const snake = (field: TypedField): string => field.replace('Data', '_data');

/**
 * The elements as little-endian bytes: the stored bytes themselves for raw data (not a copy: don't write into them),
 * converted for typed data.
 * @throws {SsdPruneError} ERR_BAD_MODEL where the data doesn't fit the shape, is of strings, or lies in an external
 * file that wasn't read.
 */
export function tensorBytes(t: TensorProto): Uint8Array {
  checkTensor(t);
  if (t.dataLocation === TensorProto_DataLocation.EXTERNAL)
    throw bad(t, 'its data lies in an external file; open the model by its file name');
  if (t.dataType === T.STRING) throw bad(t, 'strings have no bytes of fixed size');
  if (has(t, 'rawData') && (t.rawData.length > 0 || t[typedField(t.dataType)!].length === 0)) return t.rawData;
  return typedBytes(t, typedField(t.dataType)!);
}

function typedBytes(t: TensorProto, field: TypedField): Uint8Array {
  switch (field) {
    case 'floatData':
      return bytesOf(Float32Array.from(t.floatData));
    case 'doubleData':
      return bytesOf(Float64Array.from(t.doubleData));
    case 'int64Data':
      return bytesOf(BigInt64Array.from(t.int64Data));
    case 'uint64Data':
      return bytesOf(
        t.dataType === T.UINT32 ? Uint32Array.from(t.uint64Data, Number) : BigUint64Array.from(t.uint64Data),
      );
    case 'int32Data': {
      // float16 and its kin are bit patterns in the low bits; typed arrays keep exactly those.
      const bits = elementBits.get(t.dataType)!;
      if (bits === 32) return bytesOf(Int32Array.from(t.int32Data));
      return bytesOf(bits === 16 ? Uint16Array.from(t.int32Data) : Uint8Array.from(t.int32Data));
    }
  }
}

function bytesOf(view: NodeJS.TypedArray): Uint8Array {
  return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
}

/**
 * Replaces shape and data; the element type stays. The old arrays are dropped, never written into, so that a copy of
 * the model that shares them keeps its own.
 * @param bytes little-endian elements, kept without copying
 * @throws {SsdPruneError} ERR_INTERNAL where the length doesn't fit the shape
 */
export function setTensorBytes(t: TensorProto, dims: number[], bytes: Uint8Array): void {
  const wanted = byteLengthOf(t.dataType, elementCount(dims));
  if (wanted !== bytes.length)
    throw new SsdPruneError('ERR_INTERNAL', `${label(t)}: ${bytes.length} bytes for shape [${dims}], needs ${wanted}`);
  t.dims = dims.map(BigInt);
  t.rawData = bytes;
  t.floatData = [];
  t.int32Data = [];
  t.int64Data = [];
  t.doubleData = [];
  t.uint64Data = [];
  t.externalData = [];
  clearField(t, Schema.field.dataLocation);
}

/** A tensor of the given type, shape and little-endian elements (kept without copying). */
export function makeTensor(name: string, dataType: number, dims: number[], bytes: Uint8Array): TensorProto {
  const t = create(Schema, { name, dataType });
  setTensorBytes(t, dims, bytes);
  return t;
}

/**
 * The elements as float32: the stored memory itself where it is float32 and aligned (don't write into it), else a
 * converted copy.
 * @throws {SsdPruneError} ERR_BAD_MODEL for types that aren't real numbers or are packed below a byte
 */
export function toFloat32(t: TensorProto): Float32Array {
  const bytes = tensorBytes(t);
  switch (t.dataType) {
    case T.FLOAT:
      return bytes.byteOffset % 4 === 0 && bytes.buffer instanceof ArrayBuffer
        ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
        : new Float32Array(aligned(bytes));
    case T.FLOAT16:
      return Float32Array.from(new Uint16Array(aligned(bytes)), halfToNumber);
    case T.BFLOAT16: {
      const out = new Uint32Array(bytes.length / 2);
      const half = new Uint16Array(aligned(bytes));
      for (let i = 0; i < out.length; i++) out[i] = half[i]! << 16;
      return new Float32Array(out.buffer);
    }
    case T.DOUBLE:
      return Float32Array.from(new Float64Array(aligned(bytes)));
    case T.INT64:
      return Float32Array.from(new BigInt64Array(aligned(bytes)), Number);
    case T.UINT64:
      return Float32Array.from(new BigUint64Array(aligned(bytes)), Number);
    default:
      return Float32Array.from(smallInts(t, bytes));
  }
}

/**
 * The elements as integers, for the small index tensors of Reshape, Slice, Pad and the like. Values beyond ±(2^53 − 1)
 * saturate there: Slice says "to the end" with the largest int64, and any bound beyond every axis means the same.
 * @throws {SsdPruneError} ERR_BAD_MODEL for types that aren't integers
 */
export function toInts(t: TensorProto): number[] {
  const bytes = tensorBytes(t);
  if (t.dataType !== T.INT64 && t.dataType !== T.UINT64) return Array.from(smallInts(t, bytes));
  const values = t.dataType === T.INT64 ? new BigInt64Array(aligned(bytes)) : new BigUint64Array(aligned(bytes));
  return Array.from(values, (value) => {
    return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(value)));
  });
}

function smallInts(
  t: TensorProto,
  bytes: Uint8Array,
): Int32Array | Uint32Array | Int16Array | Uint16Array | Int8Array | Uint8Array {
  switch (t.dataType) {
    case T.INT32:
      return new Int32Array(aligned(bytes));
    case T.UINT32:
      return new Uint32Array(aligned(bytes));
    case T.INT16:
      return new Int16Array(aligned(bytes));
    case T.UINT16:
      return new Uint16Array(aligned(bytes));
    case T.INT8:
      return new Int8Array(aligned(bytes));
    case T.UINT8:
    case T.BOOL:
      return bytes;
    default:
      throw bad(t, `numbers of type ${dataTypeName(t.dataType)} are not supported here`);
  }
}

/** A copy at an address that every typed array accepts. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

/** IEEE binary16 bits to a number. */
function halfToNumber(h: number): number {
  const exponent = (h >> 10) & 31;
  const fraction = h & 1023;
  const magnitude =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction
          ? Number.NaN
          : Number.POSITIVE_INFINITY
        : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return h & 0x8000 ? -magnitude : magnitude;
}
