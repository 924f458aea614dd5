import { getInt, getInts, getString } from './attributes';
import type { NodeProto } from './onnx_pb';
import {
  normalizeAxis,
  padAmounts,
  product,
  reductionAxes,
  shapeRange,
  sliceRanges,
  splitSizes,
  transposePermutation,
} from './operator-arguments';
import { isBroadcasting, isElementwise, isReduction } from './operator-families';
import type { TensorInfo } from './tensor-info';
import { convShape, convTransposeShape, poolShape } from './window-shapes';

type Shape = readonly number[] | undefined;

/** Shapes of a standard operator's outputs; empty or undefined where they can't be known before it runs. */
export function outputShapes(node: NodeProto, inputs: TensorInfo[]): Shape[] {
  const op = node.opType;
  const x = inputs[0]?.shape;
  const ints = (i: number): number[] | undefined => inputs[i]?.ints?.data;
  if (isElementwise(op)) return [x, op === 'Dropout' ? x : undefined];
  if (isBroadcasting(op)) return [broadcastShapes(inputs.map((input) => input.shape))];
  if (isReduction(op)) return [reducedShape(node, inputs)];
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
