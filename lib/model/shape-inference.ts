import { SsdPruneError } from '../errors';
import { getInt, getInts, getString } from './attributes';
import { foldInts, type IntTensor } from './int-folding';
import { type NodeProto, TensorProto_DataType, type TypeProto } from './onnx_pb';
import { isOnnxDomain, type OnnxModel } from './onnx-model';
import { tensorDims, toFloat32, toInts } from './tensor';

/** What is known of a tensor before the model runs. */
export interface TensorInfo {
  /** Dimensions for a batch of one; undefined where an operator's output can't be known (NonZero, custom operators). */
  readonly shape?: readonly number[] | undefined;
  /** Values of small integer tensors (shapes, axes, indexes), where they can be folded. */
  readonly ints?: IntTensor | undefined;
}

export type TensorInfos = ReadonlyMap<string, TensorInfo>;

export interface InferOptions {
  /** Shapes of graph inputs by name, where the model leaves them open. */
  inputShapes?: ReadonlyMap<string, readonly number[]>;
  /** Height and width where the model leaves them open and nothing else says. Defaults to `300`. */
  openSize?: number;
}

const elementwise = new Set(
  (
    'Abs Acos Asin Atan BatchNormalization Bernoulli BitwiseNot Cast CastLike Ceil Celu Clip Cos Cosh CumSum ' +
    'DequantizeLinear Dropout Elu Erf Exp FastGelu Floor Gelu GroupNormalization HardSigmoid HardSwish Hardmax Identity ' +
    'InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization ' +
    'MeanVarianceNormalization Mish Neg Not QuantizeLinear Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh ' +
    'Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Trilu'
  )
    .split(' ')
    .map((op) => op.trim()),
);
const broadcasting = new Set(
  (
    'Add And BitShift BitwiseAnd BitwiseOr Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or ' +
    'PRelu Pow Sub Sum Where Xor'
  ).split(' '),
);
const reductions = new Set(
  (
    'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ' +
    'ReduceSumSquare'
  ).split(' '),
);

export const isElementwise = (op: string): boolean => elementwise.has(op);
export const isBroadcasting = (op: string): boolean => broadcasting.has(op);
export const isReduction = (op: string): boolean => reductions.has(op);

/** `axis` counted from the front. */
export const normalizeAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/**
 * Shapes of every tensor in the main graph, for a batch of one, and the values of integer tensors that shapes are
 * computed from. Operators that are not known leave the shape that the file's `value_info` gives, or none.
 */
export function inferShapes(model: OnnxModel, options: InferOptions = {}): Map<string, TensorInfo> {
  const infos = new Map<string, TensorInfo>();
  for (const value of model.graph.valueInfo) {
    if (model.constant(value.name)) continue;
    const shape = declaredShape(value.type, options);
    if (shape) infos.set(value.name, { shape });
  }
  for (const input of model.graph.input) {
    if (model.constant(input.name)) continue;
    const shape = options.inputShapes?.get(input.name) ?? declaredShape(input.type, options);
    infos.set(input.name, { shape });
  }
  const infoOf = (name: string): TensorInfo => {
    let info = infos.get(name);
    const tensor = info ? undefined : model.constant(name);
    if (tensor) {
      const shape = tensorDims(tensor);
      const size = shape.reduce((a, b) => a * b, 1);
      const whole = tensor.dataType === TensorProto_DataType.INT64 || tensor.dataType === TensorProto_DataType.INT32;
      const small = size <= 1024 && (whole || (tensor.dataType === TensorProto_DataType.FLOAT && size <= 8));
      const data = () => (whole ? toInts(tensor) : Array.from(toFloat32(tensor)));
      info = { shape, ints: small ? { data: data(), dynamic: new Array(size).fill(false), real: !whole } : undefined };
      infos.set(name, info);
    }
    return info ?? {};
  };
  for (const node of model.graph.node) {
    const inputs = node.input.map((name) => (name === '' ? {} : infoOf(name)));
    if (node.opType === 'Constant') {
      for (const name of node.output) infoOf(name);
      continue;
    }
    if (!isOnnxDomain(node)) continue;
    const shapes = outputShapes(node, inputs);
    const ints = foldInts(node, inputs, shapes[0]);
    node.output.forEach((name, i) => {
      if (name === '') return;
      const shape = shapes[i];
      if (shape?.some((dim) => !Number.isSafeInteger(dim) || dim < 0)) {
        throw new SsdPruneError(
          'ERR_BAD_MODEL',
          `${model.file ?? 'model'}: ${model.where(node)}: its output ${JSON.stringify(name)} would have shape [${shape}]; the shapes of the inputs don't fit the operator`,
        );
      }
      if (shape) infos.set(name, { shape, ints: i === 0 ? ints : undefined });
    });
  }
  return infos;
}

/** Dimensions written in the file; an open one is 1 in the first place and `openSize` for height and width. */
function declaredShape(type: TypeProto | undefined, options: InferOptions): number[] | undefined {
  if (type?.value.case !== 'tensorType') return undefined;
  const dims = type.value.value.shape?.dim;
  return dims?.map((dim, axis) => {
    const value = dim.value.case === 'dimValue' ? Number(dim.value.value) : -1;
    if (value >= 0) return value;
    return axis >= 2 ? (options.openSize ?? 300) : 1;
  });
}

type Shape = readonly number[] | undefined;

function outputShapes(node: NodeProto, inputs: TensorInfo[]): Shape[] {
  const op = node.opType;
  const x = inputs[0]?.shape;
  const ints = (i: number): number[] | undefined => inputs[i]?.ints?.data;
  if (elementwise.has(op)) return [x, op === 'Dropout' ? x : undefined];
  if (broadcasting.has(op)) return [broadcastShapes(inputs.map((input) => input.shape))];
  if (reductions.has(op)) return [reducedShape(node, inputs)];
  switch (op) {
    case 'Conv':
    case 'ConvInteger':
      return [x && inputs[1]?.shape && convShape(node, x, inputs[1].shape)];
    case 'QLinearConv':
      return [x && inputs[3]?.shape && convShape(node, x, inputs[3].shape)];
    case 'ConvTranspose':
      return [x && inputs[1]?.shape && convTransposeShape(node, x, inputs[1].shape)];
    case 'Gemm': {
      const [a, b] = [x, inputs[1]?.shape];
      if (a?.length !== 2 || b?.length !== 2) return [];
      return [[a[getInt(node, 'transA', 0) ? 1 : 0]!, b[getInt(node, 'transB', 0) ? 0 : 1]!]];
    }
    case 'MatMul':
      return [matMulShape(x, inputs[1]?.shape)];
    case 'MaxPool':
    case 'AveragePool':
    case 'LpPool': {
      const pooled = x && poolShape(node, x);
      return [pooled, pooled];
    }
    case 'GlobalAveragePool':
    case 'GlobalMaxPool':
    case 'GlobalLpPool':
      return [x?.map((dim, axis) => (axis < 2 ? dim : 1))];
    case 'Concat': {
      if (!inputs.every((input) => input.shape) || !x) return [];
      const axis = normalizeAxis(getInt(node, 'axis', 1), x.length);
      return [x.map((dim, i) => (i === axis ? inputs.reduce((sum, input) => sum + (input.shape![i] ?? 0), 0) : dim))];
    }
    case 'Split': {
      if (!x) return [];
      const axis = normalizeAxis(getInt(node, 'axis', 0), x.length);
      return splitSizes(node, x[axis]!, ints(1)).map((size) => x.map((dim, i) => (i === axis ? size : dim)));
    }
    case 'Slice': {
      const slices = x && sliceRanges(node, inputs);
      return [slices && x.map((dim, axis) => slices.get(axis)?.count ?? dim)];
    }
    case 'Reshape': {
      const target = ints(1) ?? (node.input.length < 2 ? getInts(node, 'shape', []) : undefined);
      return [x && target && reshapeShape(x, target, getInt(node, 'allowzero', 0) === 1)];
    }
    case 'Flatten': {
      if (!x) return [];
      const axis = normalizeAxis(getInt(node, 'axis', 1), x.length);
      return [[product(x.slice(0, axis)), product(x.slice(axis))]];
    }
    case 'Transpose': {
      if (!x) return [];
      return [transposePermutation(node, x.length).map((axis) => x[axis]!)];
    }
    case 'Squeeze': {
      const axes = ints(1) ?? getInts(node, 'axes', []);
      if (!x || (node.input.length > 1 && node.input[1] !== '' && !ints(1))) return [];
      const dropped = new Set(axes.map((axis) => normalizeAxis(axis, x.length)));
      return [x.filter((dim, axis) => (dropped.size > 0 ? !dropped.has(axis) : dim !== 1))];
    }
    case 'Unsqueeze': {
      const axes = ints(1) ?? (node.input.length < 2 ? getInts(node, 'axes', []) : undefined);
      if (!x || !axes) return [];
      const rank = x.length + axes.length;
      const added = new Set(axes.map((axis) => normalizeAxis(axis, rank)));
      let next = 0;
      return [Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : x[next++]!))];
    }
    case 'Expand':
      return [broadcastShapes([x, ints(1)])];
    case 'Tile': {
      const repeats = ints(1);
      return [x && repeats && x.map((dim, axis) => dim * repeats[axis]!)];
    }
    case 'Pad': {
      const pads = padAmounts(node, inputs);
      return [x && pads && x.map((dim, axis) => dim + pads[axis]! + pads[axis + x.length]!)];
    }
    case 'Resize':
    case 'Upsample':
      return [x && resizeShape(node, x, inputs)];
    case 'DepthToSpace':
    case 'SpaceToDepth': {
      if (x?.length !== 4) return [];
      const b = getInt(node, 'blocksize', 1);
      const [n, c, h, w] = x as [number, number, number, number];
      return [op === 'DepthToSpace' ? [n, c / (b * b), h * b, w * b] : [n, c * b * b, h / b, w / b]];
    }
    case 'Gather': {
      const indices = inputs[1]?.shape;
      if (!x || !indices) return [];
      const axis = normalizeAxis(getInt(node, 'axis', 0), x.length);
      return [[...x.slice(0, axis), ...indices, ...x.slice(axis + 1)]];
    }
    case 'ArgMax':
    case 'ArgMin': {
      if (!x) return [];
      const axis = normalizeAxis(getInt(node, 'axis', 0), x.length);
      const keep = getInt(node, 'keepdims', 1) === 1;
      return [keep ? x.map((dim, i) => (i === axis ? 1 : dim)) : x.filter((_, i) => i !== axis)];
    }
    case 'Shape':
      return [x && [Math.max(0, shapeRange(node, x.length)[1] - shapeRange(node, x.length)[0])]];
    case 'DynamicQuantizeLinear':
      return [x, [], []];
    case 'Size':
      return [[]];
    case 'ConstantOfShape':
      return [ints(0)];
    case 'Range': {
      const [start, limit, delta] = [ints(0)?.[0], ints(1)?.[0], ints(2)?.[0]];
      if (start === undefined || limit === undefined || !delta) return [];
      return [[Math.max(0, Math.ceil((limit - start) / delta))]];
    }
    case 'TopK': {
      const k = ints(1)?.[0];
      if (!x || k === undefined) return [];
      const axis = normalizeAxis(getInt(node, 'axis', -1), x.length);
      const shape = x.map((dim, i) => (i === axis ? k : dim));
      return [shape, shape];
    }
    default:
      return [];
  }
}

export const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Numpy broadcasting; undefined if a shape is not known. */
export function broadcastShapes(shapes: readonly Shape[]): number[] | undefined {
  let out: number[] = [];
  for (const shape of shapes) {
    if (!shape) return undefined;
    const rank = Math.max(out.length, shape.length);
    const next: number[] = [];
    for (let axis = 0; axis < rank; axis++) {
      const a = out[axis - rank + out.length] ?? 1;
      const b = shape[axis - rank + shape.length] ?? 1;
      next.push(a === 1 ? b : a);
    }
    out = next;
  }
  return out;
}

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

/** Reshape's target with 0 (copy) and −1 (what is left) resolved; undefined if it doesn't fit. */
function reshapeShape(x: readonly number[], target: readonly number[], allowZero: boolean): number[] | undefined {
  const out = target.map((dim, axis) => (dim === 0 && !allowZero ? (x[axis] ?? 0) : dim));
  const open = out.indexOf(-1);
  if (open >= 0) out[open] = product(x) / product(out.filter((_, axis) => axis !== open));
  return out.every((dim) => Number.isInteger(dim) && dim >= 0) ? out : undefined;
}

function reducedShape(node: NodeProto, inputs: TensorInfo[]): number[] | undefined {
  const x = inputs[0]?.shape;
  if (!x) return undefined;
  const axes = reductionAxes(node, inputs);
  if (!axes) return undefined;
  const reduced = new Set(axes);
  if (getInt(node, 'keepdims', 1) === 1) return x.map((dim, axis) => (reduced.has(axis) ? 1 : dim));
  return x.filter((_, axis) => !reduced.has(axis));
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

interface Window {
  kernel: readonly number[];
  strides: number[];
  dilations: number[];
  pads: number[];
}

function windowOf(node: NodeProto, kernel: readonly number[]): Window {
  const n = kernel.length;
  return {
    kernel,
    strides: getInts(node, 'strides', new Array(n).fill(1)),
    dilations: getInts(node, 'dilations', new Array(n).fill(1)),
    pads: getInts(node, 'pads', new Array(2 * n).fill(0)),
  };
}

/** Places along one spatial axis that a sliding window takes, by ONNX's rules for Conv and pooling. */
function slide(size: number, i: number, window: Window, autoPad: string, ceil: boolean): number {
  const { kernel, strides, dilations, pads } = window;
  const stride = strides[i]!;
  if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') return Math.ceil(size / stride);
  const extent = (kernel[i]! - 1) * dilations[i]! + 1;
  const padded = autoPad === 'VALID' ? size : size + pads[i]! + pads[i + kernel.length]!;
  const places = (padded - extent) / stride;
  if (!ceil) return Math.floor(places) + 1;
  const count = Math.ceil(places) + 1;
  // The last window must start inside the picture or its left padding.
  return (count - 1) * stride >= size + (autoPad === 'VALID' ? 0 : pads[i]!) ? count - 1 : count;
}

function convShape(node: NodeProto, x: readonly number[], w: readonly number[]): number[] {
  const window = windowOf(node, w.slice(2));
  const autoPad = getString(node, 'auto_pad', 'NOTSET');
  return [x[0]!, w[0]!, ...x.slice(2).map((size, i) => slide(size, i, window, autoPad, false))];
}

function poolShape(node: NodeProto, x: readonly number[]): number[] {
  const window = windowOf(node, getInts(node, 'kernel_shape', []));
  const autoPad = getString(node, 'auto_pad', 'NOTSET');
  const ceil = getInt(node, 'ceil_mode', 0) === 1;
  return [x[0]!, x[1]!, ...x.slice(2).map((size, i) => slide(size, i, window, autoPad, ceil))];
}

function convTransposeShape(node: NodeProto, x: readonly number[], w: readonly number[]): number[] {
  const { kernel, strides, dilations, pads } = windowOf(node, w.slice(2));
  const given = getInts(node, 'output_shape', []);
  const extra = getInts(node, 'output_padding', new Array(kernel.length).fill(0));
  const autoPad = getString(node, 'auto_pad', 'NOTSET');
  const spatial = x.slice(2).map((size, i) => {
    if (given.length > 0) return given[given.length - kernel.length + i]!;
    if (autoPad.startsWith('SAME')) return size * strides[i]!;
    const extent = (kernel[i]! - 1) * dilations[i]! + 1;
    return strides[i]! * (size - 1) + extra[i]! + extent - pads[i]! - pads[i + kernel.length]!;
  });
  return [x[0]!, w[1]! * getInt(node, 'group', 1), ...spatial];
}

function matMulShape(a: Shape, b: Shape): number[] | undefined {
  if (!a || !b || a.length === 0 || b.length === 0) return undefined;
  const left = a.length === 1 ? [1, a[0]!] : a;
  const right = b.length === 1 ? [b[0]!, 1] : b;
  const batch = broadcastShapes([left.slice(0, -2), right.slice(0, -2)])!;
  const out = [...batch, left[left.length - 2]!, right[right.length - 1]!];
  if (b.length === 1) out.pop();
  if (a.length === 1) out.splice(out.length - (b.length === 1 ? 1 : 2), 1);
  return out;
}

function resizeShape(node: NodeProto, x: readonly number[], inputs: readonly TensorInfo[]): number[] | undefined {
  const upsample = node.opType === 'Upsample' || node.input.length === 2;
  const axes = getInts(
    node,
    'axes',
    Array.from(x, (_, i) => i),
  ).map((axis) => normalizeAxis(axis, x.length));
  const sizes = inputs[3]?.ints?.data;
  const out = [...x];
  if (sizes && sizes.length > 0) {
    if (getString(node, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch') return undefined;
    axes.forEach((axis, i) => {
      out[axis] = sizes[i]!;
    });
    return out;
  }
  const scales = inputs[upsample ? 1 : 2]?.ints?.data ?? scalesAttribute(node);
  if (!scales || scales.length !== axes.length) return undefined;
  axes.forEach((axis, i) => {
    out[axis] = Math.floor(x[axis]! * scales[i]!);
  });
  return out;
}

/** Scales as the attribute of Upsample before opset 9. */
function scalesAttribute(node: NodeProto): number[] | undefined {
  const attribute = node.attribute.find(({ name }) => name === 'scales');
  return attribute ? [...attribute.floats] : undefined;
}
