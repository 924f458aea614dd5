import { getFloat, getInt, getInts, getString } from '../model/attributes';
import type { NodeProto } from '../model/onnx_pb';
import { normalizeAxis, padAmounts, product } from '../model/operator-arguments';
import { tensorDims, toFloat32 } from '../model/tensor';
import type { NativeNode } from '../native/engine';
import type { PlanContext } from './plan';
import { type MapShape, NodeKind } from './plan-graph';
import type { MapValue } from './plan-values';

type Window = Pick<NativeNode, 'kernel' | 'stride' | 'dilation' | 'pad' | 'padEnd'>;
type Lowering = (plan: PlanContext, node: NodeProto) => MapValue;

/** A node inside the network, from maps to a map. Undefined where the engine doesn't know the operator. */
export function lowerMap(plan: PlanContext, node: NodeProto): MapValue | undefined {
  return lowerings[node.opType]?.(plan, node);
}

const lowerings: Record<string, Lowering> = {
  Conv: convolution,
  BatchNormalization: normalization,
  Relu: (plan, node) => clip(plan, node, 0, Number.POSITIVE_INFINITY),
  Clip: (plan, node) => {
    const bound = (index: number, name: string, open: number): number => {
      if (plan.model.opset() < 11) return getFloat(node, name, open);
      if (!node.input[index]) return open;
      const tensor = plan.constant(node, index);
      if (!tensor) throw plan.unsupported(node, `its bound ${name} is computed when the model runs`);
      return toFloat32(tensor)[0] ?? open;
    };
    return clip(plan, node, bound(1, 'min', Number.NEGATIVE_INFINITY), bound(2, 'max', Number.POSITIVE_INFINITY));
  },
  Add: (plan, node) => {
    const constant = node.input.findIndex((_, i) => plan.constant(node, i));
    return constant >= 0 ? scale(plan, node, constant, 'bias') : join(plan, node, NodeKind.add);
  },
  Mul: (plan, node) => {
    const constant = node.input.findIndex((_, i) => plan.constant(node, i));
    if (constant < 0) throw plan.unsupported(node, 'a product of two computed tensors');
    return scale(plan, node, constant, 'weight');
  },
  Concat: (plan, node) => {
    const axis = normalizeAxis(getInt(node, 'axis', 1), 4);
    if (axis !== 1) throw plan.unsupported(node, `it joins maps along axis ${axis}; only channels (axis 1) join`);
    return join(plan, node, NodeKind.concat);
  },
  MaxPool: (plan, node) => pool(plan, node, NodeKind.maxPool),
  AveragePool: (plan, node) => pool(plan, node, NodeKind.averagePool),
  GlobalAveragePool: (plan, node) => {
    const { value, shape } = plan.map(node, 0);
    const out = mapShape(plan, node);
    const kernel: [number, number] = [shape[1], shape[2]];
    return made(plan.graph.push(NodeKind.averagePool, [value], out, { kernel, stride: kernel }), out);
  },
  Pad: pad,
};

function made(value: number, shape: MapShape): MapValue {
  return { kind: 'map', value, shape, padding: [0, 0, 0, 0] };
}

function mapShape(plan: PlanContext, node: NodeProto): MapShape {
  const shape = plan.shape(node);
  if (shape.length !== 4) throw plan.unsupported(node, `its output has ${shape.length} axes; maps have 4`);
  return [shape[1]!, shape[2]!, shape[3]!];
}

function pair(values: readonly number[]): [number, number] {
  return [values[0]!, values[1]!];
}

/** Window of a Conv or pool over a map of `size` that gives a map of `out`. */
function windowOf(plan: PlanContext, node: NodeProto, kernel: number[], size: number[], out: number[]): Window {
  if (kernel.length !== 2) throw plan.unsupported(node, `a window over ${kernel.length} axes; pictures have 2`);
  const stride = pair(getInts(node, 'strides', [1, 1]));
  const dilation = pair(getInts(node, 'dilations', [1, 1]));
  const given = getInts(node, 'pads', [0, 0, 0, 0]);
  const autoPad = getString(node, 'auto_pad', 'NOTSET');
  const pad: [number, number] = [given[0]!, given[1]!];
  const padEnd: [number, number] = [given[2]!, given[3]!];
  for (const axis of [0, 1]) {
    if (autoPad === 'VALID') pad[axis] = padEnd[axis] = 0;
    if (!autoPad.startsWith('SAME')) continue;
    const extent = (kernel[axis]! - 1) * dilation[axis]! + 1;
    const whole = Math.max(0, (out[axis]! - 1) * stride[axis]! + extent - size[axis]!);
    const half = Math.floor(whole / 2);
    pad[axis] = autoPad === 'SAME_UPPER' ? half : whole - half;
    padEnd[axis] = whole - pad[axis]!;
  }
  if ([...pad, ...padEnd].some((amount) => amount < 0)) throw plan.unsupported(node, 'negative padding');
  return { kernel: pair(kernel), stride, dilation, pad, padEnd };
}

function convolution(plan: PlanContext, node: NodeProto): MapValue {
  const { value, shape, padding } = plan.map(node, 0, true);
  const weight = plan.constant(node, 1);
  if (!weight) throw plan.unsupported(node, 'its weights are computed when the model runs, not stored');
  const dims = tensorDims(weight);
  const out = mapShape(plan, node);
  // Zeros that a Pad node put around the map are padding of the convolution, too.
  const [top, left, bottom, right] = padding;
  const size = [shape[1] + top + bottom, shape[2] + left + right];
  const window = windowOf(plan, node, dims.slice(2), size, [out[1], out[2]]);
  window.pad = [window.pad[0]! + top, window.pad[1]! + left];
  window.padEnd = [window.padEnd[0]! + bottom, window.padEnd[1]! + right];
  return made(
    plan.graph.push(NodeKind.convolution, [value], out, {
      ...window,
      groups: getInt(node, 'group', 1),
      weight: plan.parameter(node, 1, product(dims), 'weight'),
      bias: node.input[2] ? plan.parameter(node, 2, out[0], 'bias') : -1,
    }),
    out,
  );
}

function normalization(plan: PlanContext, node: NodeProto): MapValue {
  const { value, shape } = plan.map(node, 0);
  const vector = (index: number, role: 'scale' | 'shift' | 'statistic') => plan.parameter(node, index, shape[0], role);
  const momentum = getFloat(node, 'momentum', 0.9);
  if (!(momentum >= 0 && momentum <= 1)) throw plan.unsupported(node, `its momentum is ${momentum}, no share`);
  return made(
    plan.graph.push(NodeKind.normalization, [value], shape, {
      weight: vector(1, 'scale'),
      bias: vector(2, 'shift'),
      mean: vector(3, 'statistic'),
      variance: vector(4, 'statistic'),
      epsilon: getFloat(node, 'epsilon', 1e-5),
      momentum,
    }),
    shape,
  );
}

function clip(plan: PlanContext, node: NodeProto, low: number, high: number): MapValue {
  const { value, shape } = plan.map(node, 0);
  return made(plan.graph.push(NodeKind.clip, [value], shape, { low, high }), shape);
}

/** Times or plus a constant: one number, or one a channel. */
function scale(plan: PlanContext, node: NodeProto, constant: number, slot: 'weight' | 'bias'): MapValue {
  const { value, shape } = plan.map(node, 1 - constant);
  const tensor = plan.constant(node, constant)!;
  const dims = tensorDims(tensor);
  const numbers = product(dims);
  const perChannel = numbers === shape[0] && (dims.length === 4 || dims.length === 3) && dims.at(-3) === shape[0];
  if (!perChannel && numbers !== 1)
    throw plan.unsupported(
      node,
      `a constant of shape [${dims}]; one number, or one a channel, is what the engine takes`,
    );
  const parameter = plan.parameter(node, constant, numbers, 'constant');
  return made(plan.graph.push(NodeKind.scale, [value], shape, { [slot]: parameter }), shape);
}

function join(plan: PlanContext, node: NodeProto, kind: number): MapValue {
  const inputs = node.input.map((_, i) => plan.map(node, i));
  const out = mapShape(plan, node);
  for (const { shape } of inputs) {
    const fits = shape[1] === out[1] && shape[2] === out[2] && (kind === NodeKind.concat || shape[0] === out[0]);
    if (!fits) throw plan.unsupported(node, `a map of shape [${shape}] is broadcast to [${out}]`);
  }
  return made(
    plan.graph.push(
      kind,
      inputs.map(({ value }) => value),
      out,
    ),
    out,
  );
}

function pool(plan: PlanContext, node: NodeProto, kind: number): MapValue {
  const { value, shape } = plan.map(node, 0);
  const out = mapShape(plan, node);
  if (node.output[1]) throw plan.unsupported(node, 'its second output, the indices');
  const window = windowOf(plan, node, getInts(node, 'kernel_shape', []), [shape[1], shape[2]], [out[1], out[2]]);
  const countPadding = getInt(node, 'count_include_pad', 0) === 1;
  return made(plan.graph.push(kind, [value], out, { ...window, countPadding }), out);
}

function pad(plan: PlanContext, node: NodeProto): MapValue {
  const { value, shape, padding } = plan.map(node, 0, true);
  const filler = plan.constant(node, 2);
  const fill = plan.model.opset() < 11 ? getFloat(node, 'value', 0) : filler ? toFloat32(filler)[0]! : 0;
  const pads = padAmounts(node, plan.infos(node));
  const spatial = pads?.every((amount, i) => amount >= 0 && (i % 4 >= 2 || amount === 0));
  if (!pads || !spatial || fill !== 0 || getString(node, 'mode', 'constant') !== 'constant')
    throw plan.unsupported(node, 'only zeros around height and width, known beforehand, are supported');
  const more = [pads[2]!, pads[3]!, pads[6]!, pads[7]!];
  const sum = padding.map((amount, i) => amount + more[i]!) as [number, number, number, number];
  return { kind: 'map', value, shape, padding: sum };
}
