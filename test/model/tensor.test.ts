import { create } from '@bufbuild/protobuf';
import { TensorProto_DataType as T, TensorProtoSchema } from '../../lib/model/onnx_pb';
import { decodeModel } from '../../lib/model/read';
import {
  elementSize,
  makeTensor,
  setTensorBytes,
  tensorBytes,
  tensorDims,
  toFloat32,
  toInts,
} from '../../lib/model/tensor';
import { expected, failure, fixtureBytes } from './onnx-files';

const typed = () => decodeModel(fixtureBytes('typed'));

describe('typed data', () => {
  const real = Object.entries(expected.typed!.values).filter(([name]) => name !== 'int4');
  test.each(real)('%s reads as Python reads it', (name, values) => {
    const tensor = typed().constant(name)!;
    expect(Array.from(toFloat32(tensor))).toEqual(values.map(Math.fround));
  });

  test.each(['int64', 'int32', 'int16', 'uint16', 'int8', 'uint8', 'uint32', 'uint64', 'bool'])(
    '%s as integers',
    (name) => {
      expect(toInts(typed().constant(name)!)).toEqual(expected.typed!.values[name]);
    },
  );

  test('two int4 share a byte, first in the low bits', () => {
    expect(Array.from(tensorBytes(typed().constant('int4')!))).toEqual([0x78, 0x01]);
  });

  test('long float lists come out as views of the file', () => {
    const bytes = fixtureBytes('typed');
    const before = bytes.slice();
    const tensor = decodeModel(bytes).constant('long')!;
    expect(tensor.rawData.buffer).toBe(bytes.buffer);
    expect(bytes).toEqual(before);
  });

  test('strings and int4 have no numbers here', async () => {
    for (const name of ['string', 'int4', 'complex64'])
      expect((await failure(() => toFloat32(typed().constant(name)!))).code).toBe('ERR_BAD_MODEL');
  });
});

describe('shapes', () => {
  const withDims = (dims: bigint[]) => create(TensorProtoSchema, { name: 't', dataType: T.FLOAT, dims });

  test('a scalar has none, an empty axis stays', () => {
    expect(tensorDims(withDims([]))).toEqual([]);
    expect(tensorDims(withDims([0n, 3n]))).toEqual([0, 3]);
  });

  test.each([
    ['negative', [-1n]],
    ['beyond safe integers', [2n ** 60n]],
    ['an overflowing product', [2n ** 40n, 2n ** 40n]],
    ['an overflowing product beside an empty axis', [0n, 2n ** 40n, 2n ** 40n]],
    ['too many axes', Array(65).fill(1n)],
  ])('%s is refused', async (_, dims) => {
    expect((await failure(() => tensorDims(withDims(dims as bigint[])))).code).toBe('ERR_BAD_MODEL');
  });
});

describe('setTensorBytes', () => {
  test('replaces every earlier form of the data', () => {
    const tensor = create(TensorProtoSchema, { name: 't', dataType: T.FLOAT, dims: [2n], floatData: [1, 2] });
    setTensorBytes(tensor, [1], new Uint8Array(Float32Array.of(5).buffer));
    expect(tensor.floatData).toEqual([]);
    expect(Array.from(toFloat32(tensor))).toEqual([5]);
  });

  test('refuses bytes that do not fit the shape', async () => {
    const tensor = makeTensor('t', T.FLOAT, [1], new Uint8Array(4));
    expect((await failure(() => setTensorBytes(tensor, [2], new Uint8Array(4)))).code).toBe('ERR_INTERNAL');
  });

  test('float32 is not copied where it is aligned, and read right where it is not', () => {
    const file = new Uint8Array(16);
    new DataView(file.buffer).setFloat32(4, 1.5, true);
    new DataView(file.buffer).setFloat32(9, 2.5, true);
    const at = (offset: number) => makeTensor('t', T.FLOAT, [1], file.subarray(offset, offset + 4));
    expect(toFloat32(at(4)).buffer).toBe(file.buffer);
    expect(Array.from(toFloat32(at(4)))).toEqual([1.5]);
    expect(Array.from(toFloat32(at(9)))).toEqual([2.5]);
  });
});

test('all 65536 half precision numbers', () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const values = toFloat32(makeTensor('h', T.FLOAT16, [65536], new Uint8Array(bits.buffer)));
  // Rounding is not needed: every half is a float. The formula is the standard's, with powers by Math.pow.
  for (const [i, value] of values.entries()) {
    const [exponent, fraction] = [(i >> 10) & 31, i & 1023];
    const sign = i < 32768 ? 1 : -1;
    if (exponent === 31) expect(fraction ? Number.isNaN(value) : value === sign * Number.POSITIVE_INFINITY).toBe(true);
    else if (value !== sign * (exponent ? 1024 + fraction : fraction) * 2 ** (Math.max(exponent, 1) - 25))
      throw new Error(`half ${i} is ${value}`);
  }
});

test('the largest int64 stays the largest integer', () => {
  const bytes = new Uint8Array(BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n), -1n).buffer);
  expect(toInts(makeTensor('i', T.INT64, [3], bytes))).toEqual([Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, -1]);
});

test('element sizes', async () => {
  expect([T.FLOAT, T.FLOAT16, T.INT8, T.DOUBLE, T.BOOL].map(elementSize)).toEqual([4, 2, 1, 8, 1]);
  for (const type of [T.STRING, T.INT4, T.UNDEFINED, 999])
    expect((await failure(() => elementSize(type))).code).toBe('ERR_BAD_MODEL');
});
