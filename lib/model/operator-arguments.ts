import { getInt, getInts } from './attributes';
import type { NodeProto } from './onnx_pb';
import type { TensorInfo } from './tensor-info';

/** `axis` counted from the front. */
export const normalizeAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

export const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Start and end of the `Shape` operator's slice of the dimensions (opset 15). */
export function shapeRange(node: NodeProto, rank: number): [number, number] {
  const clamp = (axis: number) => Math.min(rank, Math.max(0, normalizeAxis(axis, rank)));
  return [clamp(getInt(node, 'start', 0)), clamp(getInt(node, 'end', rank))];
}

export function transposePermutation(node: NodeProto, rank: number): number[] {
  const reversed = Array.from({ length: rank }, (_, i) => rank - 1 - i);
  return getInts(node, 'perm', reversed);
}

/** Sizes of a Split's outputs: the `split` input or attribute, else equal parts with a shorter last one. */
export function splitSizes(node: NodeProto, dim: number, input: number[] | undefined): number[] {
  const given = input ?? getInts(node, 'split', []);
  if (given.length > 0) return given;
  const parts = getInt(node, 'num_outputs', node.output.length);
  const size = Math.ceil(dim / parts);
  return Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(size, dim - i * size)));
}

/** Amounts of padding, all axes' begins then all ends, for the axes that the Pad node names; undefined if not constant. */
export function padAmounts(node: NodeProto, inputs: readonly TensorInfo[]): number[] | undefined {
  const rank = inputs[0]?.shape?.length;
  const given = inputs[1]?.ints?.data ?? (node.input.length < 2 ? getInts(node, 'pads', []) : undefined);
  if (rank === undefined || !given) return undefined;
  const axes = inputs[3]?.ints?.data;
  if (!axes) return given.length === 2 * rank ? given : undefined;
  const pads = new Array<number>(2 * rank).fill(0);
  axes.forEach((axis, i) => {
    pads[normalizeAxis(axis, rank)] = given[i]!;
    pads[normalizeAxis(axis, rank) + rank] = given[i + axes.length]!;
  });
  return pads;
}

export interface SliceRange {
  start: number;
  step: number;
  count: number;
}

/** A Slice node's arguments as they are written, axes counted from the front. */
export interface SliceArguments {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly axes: readonly number[];
  readonly steps: readonly number[];
}

/** Arguments of a Slice node from its inputs, or before opset 10 its attributes; undefined if they are not constant. */
export function sliceArguments(node: NodeProto, inputs: readonly TensorInfo[]): SliceArguments | undefined {
  const rank = inputs[0]?.shape?.length;
  const byInput = node.input.length > 1;
  const read = (input: number, attribute: string): readonly number[] | undefined => {
    if (!byInput) return getInts(node, attribute, []);
    return node.input[input] ? inputs[input]?.ints?.data : [];
  };
  const [starts, ends, axes, steps] = [read(1, 'starts'), read(2, 'ends'), read(3, 'axes'), read(4, 'steps')];
  if (rank === undefined || !starts || !ends || !axes || !steps || starts.length !== ends.length) return undefined;
  return {
    starts,
    ends,
    axes: starts.map((_, i) => normalizeAxis(axes[i] ?? i, rank)),
    steps: starts.map((_, i) => steps[i] ?? 1),
  };
}

/** For each axis that a Slice node cuts: first index, step and count; undefined if they are not constant. */
export function sliceRanges(node: NodeProto, inputs: readonly TensorInfo[]): Map<number, SliceRange> | undefined {
  const shape = inputs[0]?.shape;
  const given = sliceArguments(node, inputs);
  if (!shape || !given) return undefined;
  const ranges = new Map<number, SliceRange>();
  given.starts.forEach((first, i) => {
    const axis = given.axes[i]!;
    const step = given.steps[i]!;
    const dim = shape[axis]!;
    const clamp = (value: number, low: number, high: number) =>
      Math.min(high, Math.max(low, value < 0 ? value + dim : value));
    const start = step > 0 ? clamp(first, 0, dim) : clamp(first, 0, dim - 1);
    const end = step > 0 ? clamp(given.ends[i]!, 0, dim) : clamp(given.ends[i]!, -1, dim - 1);
    ranges.set(axis, { start, step, count: Math.max(0, Math.ceil((end - start) / step)) });
  });
  return ranges;
}

/** Axes that a Reduce* node folds, counted from the front; undefined if they are not constant. */
export function reductionAxes(node: NodeProto, inputs: readonly TensorInfo[]): number[] | undefined {
  const rank = inputs[0]?.shape?.length;
  if (rank === undefined) return undefined;
  const byInput = node.input.length > 1 && node.input[1] !== '';
  const given = byInput ? inputs[1]?.ints?.data : getInts(node, 'axes', []);
  if (!given) return undefined;
  if (given.length > 0) return given.map((axis) => normalizeAxis(axis, rank));
  return getInt(node, 'noop_with_empty_axes', 0) === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
}
