import { getInt, getTensor } from './attributes';
import { type NodeProto, TensorProto_DataType } from './onnx_pb';
import {
  normalizeAxis,
  product,
  type SliceRange,
  shapeRange,
  sliceRanges,
  transposePermutation,
} from './operator-arguments';
import { isReduction } from './operator-families';
import { toInts } from './tensor';
import type { TensorInfo } from './tensor-info';

/** A small integer tensor whose values are known, in row-major order. */
export interface IntTensor {
  readonly data: number[];
  /** Which elements the model computes from the shapes of its tensors when it runs, so that they follow a cut by themselves. */
  readonly dynamic: boolean[];
  /** Floats (scales of a Resize, sizes on their way through a division): Div does not truncate them. */
  readonly real?: boolean | undefined;
}

/** Beyond this many elements a tensor is data, not a shape. */
const limit = 1024;

const arithmetic: Record<string, (a: number, b: number, real: boolean) => number> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b, real) => (real ? a / b : Math.trunc(a / b)),
  Mod: (a, b) => ((a % b) + b) % b,
  Max: (a, b) => Math.max(a, b),
  Min: (a, b) => Math.min(a, b),
  Equal: (a, b) => Number(a === b),
  Greater: (a, b) => Number(a > b),
  Less: (a, b) => Number(a < b),
};

const copies = new Set(['Identity', 'Unsqueeze', 'Squeeze', 'Reshape', 'Flatten']);
const roundings: Record<string, (value: number) => number> = { Floor: Math.floor, Ceil: Math.ceil };
const comparisons = new Set(['Equal', 'Greater', 'Less']);

const folds: Record<string, (values: number[]) => number> = {
  ReduceProd: product,
  ReduceSum: (values) => values.reduce((a, b) => a + b, 0),
  ReduceMax: (values) => Math.max(...values),
  ReduceMin: (values) => Math.min(...values),
};

const floats = new Set<number>([TensorProto_DataType.FLOAT, TensorProto_DataType.FLOAT16, TensorProto_DataType.DOUBLE]);

/**
 * Value of an integer operator's first output, where its inputs are known: the arithmetic that exporters write to
 * compute the targets of Reshape, Resize, Pad and Slice. Undefined for everything else.
 */
export function foldInts(
  node: NodeProto,
  inputs: readonly TensorInfo[],
  shape: readonly number[] | undefined,
): IntTensor | undefined {
  if (!shape || product(shape) > limit) return undefined;
  const op = node.opType;
  const x = inputs[0];
  if (op === 'Shape') {
    if (!x?.shape) return undefined;
    const data = x.shape.slice(...shapeRange(node, x.shape.length));
    return { data, dynamic: data.map(() => true) };
  }
  if (op === 'Size') return x?.shape && { data: [product(x.shape)], dynamic: [true] };
  if (op === 'ConstantOfShape') {
    const value = getTensor(node, 'value');
    if (value && value.dataType !== 7 && value.dataType !== 6) return undefined;
    const fill = value ? (toInts(value)[0] ?? 0) : 0;
    return constant(new Array(product(shape)).fill(fill));
  }
  if (op === 'Range') {
    const [start, step] = [x?.ints?.data[0], inputs[2]?.ints?.data[0]];
    if (start === undefined || step === undefined) return undefined;
    return constant(Array.from({ length: shape[0]! }, (_, i) => start + i * step));
  }
  if (op === 'Concat') {
    if (shape.length !== 1 || !inputs.every((input) => input.ints)) return undefined;
    return {
      data: inputs.flatMap((input) => input.ints!.data),
      dynamic: inputs.flatMap((input) => input.ints!.dynamic),
      real: inputs.some((input) => input.ints!.real),
    };
  }
  if (!x?.ints || !x.shape) return undefined;
  if (copies.has(op)) return x.ints;
  const rounding = roundings[op];
  if (rounding) return { ...x.ints, data: x.ints.data.map(rounding) };
  switch (op) {
    case 'Cast': {
      const real = floats.has(getInt(node, 'to', 0));
      return { data: real ? x.ints.data : x.ints.data.map(Math.trunc), dynamic: x.ints.dynamic, real };
    }
    case 'Gather': {
      const indices = inputs[1]?.ints;
      if (!indices || x.shape.length !== 1) return undefined;
      return pick(
        x.ints,
        indices.data.map((i) => normalizeAxis(i, x.shape![0]!)),
      );
    }
    case 'Slice': {
      const ranges = sliceRanges(node, inputs);
      return ranges && pick(x.ints, sliced(x.shape, ranges));
    }
    case 'Transpose':
      return pick(x.ints, transposed(x.shape, transposePermutation(node, x.shape.length)));
    case 'Expand':
      return x.ints.data.length === 1 ? pick(x.ints, new Array(product(shape)).fill(0)) : undefined;
    case 'Where': {
      const [yes, no] = [inputs[1]?.ints, inputs[2]?.ints];
      if (!yes || !no) return undefined;
      const choose = <T>(a: T[], b: T[]) =>
        broadcastTo(x.ints!.data, shape).map((c, i) => (c ? broadcastTo(a, shape)[i]! : broadcastTo(b, shape)[i]!));
      return { data: choose(yes.data, no.data), dynamic: choose(yes.dynamic, no.dynamic), real: yes.real };
    }
    case 'Neg':
      return { ...x.ints, data: x.ints.data.map((value) => -value) };
    default:
  }
  if (isReduction(op)) {
    const fold = folds[op];
    if (!fold || product(shape) !== 1) return undefined;
    return { data: [fold(x.ints.data)], dynamic: [x.ints.dynamic.some(Boolean)], real: x.ints.real };
  }
  const operation = arithmetic[op];
  const y = inputs[1]?.ints;
  if (!operation || !y || getInt(node, 'fmod', 0) !== 0) return undefined;
  const [a, b] = [broadcastTo(x.ints.data, shape), broadcastTo(y.data, shape)];
  const [da, db] = [broadcastTo(x.ints.dynamic, shape), broadcastTo(y.dynamic, shape)];
  const real = x.ints.real ?? false;
  return {
    data: a.map((value, i) => operation(value, b[i]!, real)),
    dynamic: da.map((value, i) => value || db[i]!),
    real: real && !comparisons.has(op),
  };
}

const constant = (data: number[]): IntTensor => ({ data, dynamic: data.map(() => false) });

const pick = ({ data, dynamic, real }: IntTensor, places: number[]): IntTensor => ({
  real,
  data: places.map((place) => data[place]!),
  dynamic: places.map((place) => dynamic[place]!),
});

/** Shape arithmetic is on scalars and vectors: one element stretches, equal lengths stay. */
function broadcastTo<T>(values: T[], shape: readonly number[]): T[] {
  const size = product(shape);
  return values.length === size ? values : new Array<T>(size).fill(values[0]!);
}

/** Places of a transposed tensor's elements in the original, in the new row-major order. */
function transposed(shape: readonly number[], permutation: readonly number[]): number[] {
  const strides = shape.map((_, axis) => product(shape.slice(axis + 1)));
  return outer(permutation.map((axis) => Array.from({ length: shape[axis]! }, (_, i) => i * strides[axis]!)));
}

/** Places of a slice's elements in the original, in the order of the slice (steps may be negative). */
function sliced(shape: readonly number[], ranges: ReadonlyMap<number, SliceRange>): number[] {
  return outer(
    shape.map((dim, axis) => {
      const { start, step, count } = ranges.get(axis) ?? { start: 0, step: 1, count: dim };
      const stride = product(shape.slice(axis + 1));
      return Array.from({ length: count }, (_, i) => (start + i * step) * stride);
    }),
  );
}

/** Sums of one offset an axis, the last axis running fastest. */
function outer(offsets: readonly number[][]): number[] {
  return offsets.reduce<number[]>(
    (places, axis) => places.flatMap((place) => axis.map((offset) => place + offset)),
    [0],
  );
}
