import { getInt, getInts, getString } from '../model/attributes';
import {
  isBroadcasting,
  isElementwise,
  isReduction,
  normalizeAxis,
  padAmounts,
  reductionAxes,
  sliceArguments,
  sliceRanges,
  splitSizes,
  transposePermutation,
} from '../model/shape-inference';
import type { Label } from './channel-atoms';
import type { NodeVisit } from './channel-graph';
import { editShape, reshape } from './reshape-rules';
import { conv, convTranspose, gemm, matMul } from './weight-rules';

/** What an operator does with channels: hands them on, joins, opens, reads or locks them. */
export type ChannelRule = (visit: NodeVisit) => void;

/** The rule of a standard operator; undefined for those that are not understood. */
export function channelRule(op: string): ChannelRule | undefined {
  const rule = rules[op];
  if (rule) return rule;
  if (isBroadcasting(op)) return broadcast;
  if (isReduction(op)) return reduce;
  return isElementwise(op) ? pass : undefined;
}

/** Place by place: the output has the input's channels. */
function pass(visit: NodeVisit): void {
  visit.output(visit.input(0));
}

/** Shapes and sizes of tensors carry no channels: what is computed from them follows a cut by itself. */
function nothing(): void {}

/** Arithmetic with numpy's broadcasting: channels at the same place go together. */
function broadcast(visit: NodeVisit): void {
  const out = visit.outputShape();
  if (!out) {
    visit.lockAll('the shape of its output is not known');
    return;
  }
  const followed = visit.node.input.map((name, i) => (name === '' ? [] : visit.ownInput(i)));
  const labels = out.map((_, axis): Label | null => {
    let shared: Label | null | undefined;
    followed.forEach((own, i) => {
      const at = axis - out.length + own.length;
      // An axis of one place stretches over all channels and belongs to none.
      if (at < 0 || visit.shape(i)?.[at] === 1) return;
      const label = own[at] ?? null;
      if (shared === undefined) shared = label;
      else {
        visit.atoms.joinLabels(shared, label, visit.why('the other operand’s channels can’t be cut'));
        shared ??= label;
      }
    });
    return shared ?? null;
  });
  visit.output(labels);
}

/** BatchNormalization and InstanceNormalization: one value a channel in each parameter. */
const perChannel =
  (...vectors: number[]): ChannelRule =>
  (visit) => {
    const labels = visit.input(0);
    for (const vector of vectors) visit.joinVector(vector, labels[1] ?? null);
    visit.output(labels);
  };

/** Operators that compute over whole axes (a norm, a softmax): channels along these must all stay. */
const over =
  (axesOf: (visit: NodeVisit, rank: number) => number[], what: string): ChannelRule =>
  (visit) => {
    const labels = [...visit.input(0)];
    for (const axis of axesOf(visit, labels.length)) {
      visit.lock(labels[axis], what);
      labels[axis] = null;
    }
    visit.output(labels);
  };

const from = (axis: number, rank: number): number[] =>
  Array.from({ length: rank }, (_, i) => i).filter((i) => i >= normalizeAxis(axis, rank));

const softmax = over((visit, rank) => {
  const old = visit.graph.model.opset() < 13;
  const axis = getInt(visit.node, 'axis', old ? 1 : -1);
  return old ? from(axis, rank) : [normalizeAxis(axis, rank)];
}, 'it computes over the channels');

const layerNorm: ChannelRule = (visit) => {
  const rank = visit.input(0).length;
  const axis = getInt(visit.node, 'axis', -1);
  for (const i of [1, 2])
    if (visit.has(i)) for (const label of visit.ownInput(i)) visit.lock(label, 'it normalises over the channels');
  over(() => from(axis, rank), 'it normalises over the channels')(visit);
};

function reduce(visit: NodeVisit): void {
  const labels = visit.input(0);
  if (!labels.some(Boolean)) return;
  const axes = reductionAxes(visit.node, visit.infos);
  if (!axes) {
    visit.lockAll('its axes are not constant');
    return;
  }
  for (const axis of axes) visit.lock(labels[axis], 'it reduces over the channels');
  const kept = getInt(visit.node, 'keepdims', 1) === 1;
  const out = labels.map((label, axis) => (axes.includes(axis) ? null : label));
  visit.output(kept ? out : out.filter((_, axis) => !axes.includes(axis)));
}

/** Pooling and other windows over places: axes 0 and 1 pass. */
function pool(visit: NodeVisit): void {
  const labels = visit.input(0);
  for (const label of labels.slice(2)) visit.lock(label, 'a pooled axis is no channel axis');
  if (visit.node.output[1]) visit.lock(labels[1], 'the indices it returns count channels');
  visit.output(labels.map((label, axis) => (axis < 2 ? label : null)));
}

function concat(visit: NodeVisit): void {
  const inputs = visit.node.input.map((_, i) => visit.input(i));
  const shapes = visit.node.input.map((_, i) => visit.shape(i));
  const out = visit.outputShape();
  if (!inputs.some((labels) => labels.some(Boolean))) return;
  if (!out || shapes.some((shape) => !shape)) {
    visit.lockAll('the shape of an input is not known');
    return;
  }
  const along = normalizeAxis(getInt(visit.node, 'axis', 1), out.length);
  const labels = out.map((_, axis): Label | null => {
    const parts = inputs.map((input) => input[axis] ?? null);
    if (axis !== along) {
      for (const part of parts.slice(1)) {
        visit.atoms.joinLabels(parts[0]!, part, visit.why('the tensors beside it have channels that stay'));
      }
      return parts.find(Boolean) ?? null;
    }
    if (!parts.some(Boolean)) return null;
    const joined = new Int32Array(out[axis]!).fill(-1);
    let at = 0;
    parts.forEach((part, i) => {
      if (part) joined.set(part, at);
      at += shapes[i]![axis]!;
    });
    return joined;
  });
  visit.output(labels);
}

function split(visit: NodeVisit): void {
  const labels = visit.input(0);
  const shape = visit.shape(0);
  if (!labels.some(Boolean)) return;
  if (!shape) {
    visit.lockAll('the shape of its input is not known');
    return;
  }
  const axis = normalizeAxis(getInt(visit.node, 'axis', 0), labels.length);
  const label = labels[axis];
  if (visit.has(1) && !visit.infos[1]?.ints && label) visit.lock(label, 'its sizes are not constant');
  const sizes = splitSizes(visit.node, shape[axis]!, visit.infos[1]?.ints?.data);
  let at = 0;
  const parts = sizes.map((size) => {
    const part = label ? label.subarray(at, at + size) : null;
    at += size;
    return part;
  });
  if (label) visit.graph.edits.push({ kind: 'split', node: visit.node, labels: parts as Label[] });
  parts.forEach((part, i) => {
    visit.output(
      labels.map((other, j) => (j === axis ? part : other)),
      i,
    );
  });
}

function slice(visit: NodeVisit): void {
  const labels = visit.input(0);
  const shape = visit.shape(0);
  if (!labels.some(Boolean)) return;
  const ranges = sliceRanges(visit.node, visit.infos);
  const given = sliceArguments(visit.node, visit.infos);
  if (!ranges || !given || !shape) {
    visit.lockAll('its bounds are not constant');
    return;
  }
  const axes: { axis: number; label: Label; start: number; end: number }[] = [];
  const out = labels.map((label, axis) => {
    const range = ranges.get(axis);
    if (!label || !range || (range.start === 0 && range.step === 1 && range.count === shape[axis])) return label;
    if (range.step !== 1) {
      visit.lock(label, 'it steps over channels');
      return null;
    }
    const [start, end] = [range.start, range.start + range.count];
    axes.push({ axis, label, start, end });
    return label.subarray(start, end);
  });
  if (axes.length > 0) visit.graph.edits.push({ kind: 'slice', node: visit.node, given, axes });
  visit.output(out);
}

function transpose(visit: NodeVisit): void {
  const labels = visit.input(0);
  visit.output(transposePermutation(visit.node, labels.length).map((axis) => labels[axis] ?? null));
}

/** Squeeze and Unsqueeze only add and drop axes of one place, which no channel is on. */
function reRank(visit: NodeVisit): void {
  const labels = visit.input(0);
  if (!labels.some(Boolean)) return;
  const [shape, out] = [visit.shape(0), visit.outputShape()];
  if (!shape || !out) {
    visit.lockAll('its axes are not constant');
    return;
  }
  const real = labels.filter((_, axis) => shape[axis] !== 1);
  visit.output(out.map((dim) => (dim === 1 ? null : (real.shift() ?? null))));
}

function expand(visit: NodeVisit): void {
  const labels = visit.input(0);
  const [shape, out] = [visit.shape(0), visit.outputShape()];
  if (!labels.some(Boolean)) return;
  if (!shape || !out) {
    visit.lockAll('the shape that it makes is not known');
    return;
  }
  const shifted = out.map((_, axis) => labels[axis - out.length + shape.length] ?? null);
  const given = visit.infos[1]?.ints?.data.length ?? 0;
  if (given === out.length) editShape(visit, 1, shifted, shape, false);
  else for (const label of shifted) visit.lock(label, 'the shape that it makes is shorter than its input');
  visit.output(shifted);
}

function tile(visit: NodeVisit): void {
  const labels = visit.input(0);
  const repeats = visit.infos[1]?.ints?.data;
  if (!labels.some(Boolean)) return;
  if (!repeats) {
    visit.lockAll('its repeats are not constant');
    return;
  }
  visit.output(
    labels.map((label, axis) => {
      if (!label || repeats[axis] === 1) return label;
      const out = new Int32Array(label.length * repeats[axis]!);
      for (let i = 0; i < repeats[axis]!; i++) out.set(label, i * label.length);
      return out;
    }),
  );
}

function pad(visit: NodeVisit): void {
  const labels = visit.input(0);
  if (!labels.some(Boolean)) return;
  const pads = padAmounts(visit.node, visit.infos);
  if (!pads) {
    visit.lockAll('its amounts are not constant');
    return;
  }
  const constant = getString(visit.node, 'mode', 'constant') === 'constant';
  visit.output(
    labels.map((label, axis) => {
      const [before, after] = [pads[axis]!, pads[axis + labels.length]!];
      if (!label || (before === 0 && after === 0)) return label;
      if (!constant || before < 0 || after < 0) {
        visit.lock(label, 'it pads or crops the channel axis');
        return null;
      }
      const out = new Int32Array(before + label.length + after).fill(-1);
      out.set(label, before);
      return out;
    }),
  );
}

function resize(visit: NodeVisit): void {
  const labels = visit.input(0);
  const [shape, out] = [visit.shape(0), visit.outputShape()];
  if (!labels.some(Boolean)) return;
  if (!shape || !out) {
    visit.lockAll('the size that it makes is not known');
    return;
  }
  const kept = labels.map((label, axis) => {
    if (label && shape[axis] !== out[axis]) visit.lock(label, 'it resizes the channel axis');
    return shape[axis] === out[axis] ? label : null;
  });
  if (visit.has(3)) {
    const axes = getInts(visit.node, 'axes', []);
    if (axes.length === 0) editShape(visit, 3, kept, shape, false);
    else for (const axis of axes) visit.lock(kept[normalizeAxis(axis, kept.length)], 'its sizes name the channel axis');
  }
  visit.output(kept);
}

/** DepthToSpace spreads runs of channels over places: the ones that meet in an output channel go together. */
function depthToSpace(visit: NodeVisit): void {
  const label = visit.input(0)[1] ?? null;
  const block = getInt(visit.node, 'blocksize', 1) ** 2;
  if (!label) return;
  const channels = label.length / block;
  const byColumn = getString(visit.node, 'mode', 'DCR') === 'CRD';
  const out = new Int32Array(channels);
  for (let c = 0; c < channels; c++) {
    const members = Array.from({ length: block }, (_, k) => label[byColumn ? c * block + k : k * channels + c]!);
    for (const member of members) visit.atoms.join(members[0]!, member, visit.why('a channel beside it stays'));
    out[c] = members[0]!;
  }
  visit.output([null, out, null, null]);
}

function spaceToDepth(visit: NodeVisit): void {
  const label = visit.input(0)[1] ?? null;
  const block = getInt(visit.node, 'blocksize', 1) ** 2;
  if (!label) return;
  const out = new Int32Array(label.length * block);
  for (let k = 0; k < block; k++) out.set(label, k * label.length);
  visit.output([null, out, null, null]);
}

function gather(visit: NodeVisit): void {
  const labels = visit.input(0);
  const indices = visit.shape(1);
  for (const label of visit.input(1)) visit.lock(label, 'indices are no channels');
  if (!labels.some(Boolean)) return;
  if (!indices) {
    visit.lockAll('the shape of its indices is not known');
    return;
  }
  const axis = normalizeAxis(getInt(visit.node, 'axis', 0), labels.length);
  visit.lock(labels[axis], 'it picks channels by index');
  visit.output([...labels.slice(0, axis), ...indices.map(() => null), ...labels.slice(axis + 1)]);
}

/** ArgMax, TopK: a choice along the channels needs all of them. */
const choose =
  (fallback: number): ChannelRule =>
  (visit) => {
    const labels = visit.input(0);
    if (!labels.some(Boolean)) return;
    const axis = normalizeAxis(getInt(visit.node, 'axis', fallback), labels.length);
    visit.lock(labels[axis], 'it chooses among the channels');
    const out = labels.map((label, i) => (i === axis ? null : label));
    const dropped = visit.node.opType !== 'TopK' && getInt(visit.node, 'keepdims', 1) === 0;
    visit.node.output.forEach((_, i) => {
      visit.output(dropped ? out.filter((__, j) => j !== axis) : out, i);
    });
  };

/** Scale and zero point are one value, or one a place along `axis`. */
function quantize(visit: NodeVisit): void {
  const labels = visit.input(0);
  const scale = visit.shape(1);
  if (getInt(visit.node, 'block_size', 0) !== 0 || (scale && scale.length > 1)) {
    visit.lockAll('it quantises in blocks');
    return;
  }
  const axis = normalizeAxis(getInt(visit.node, 'axis', 1), labels.length);
  if (scale?.length === 1 && scale[0]! > 1) for (const i of [1, 2]) visit.joinVector(i, labels[axis] ?? null);
  visit.output(labels);
}

const rules: Record<string, ChannelRule> = {
  Conv: conv({ weight: 1, bias: 2 }),
  ConvInteger: conv({ weight: 1, vectors: [3] }),
  QLinearConv: conv({ weight: 3, bias: 8, vectors: [4, 5] }),
  ConvTranspose: convTranspose,
  Gemm: gemm,
  MatMul: matMul,
  BatchNormalization: perChannel(1, 2, 3, 4),
  InstanceNormalization: perChannel(1, 2),
  LayerNormalization: layerNorm,
  GroupNormalization: (visit) => visit.lockAll('it normalises over groups of channels'),
  LRN: over(() => [1], 'it normalises over neighbouring channels'),
  LpNormalization: over(
    (visit, rank) => [normalizeAxis(getInt(visit.node, 'axis', -1), rank)],
    'it normalises over the channels',
  ),
  MeanVarianceNormalization: over((visit) => getInts(visit.node, 'axes', [0, 2, 3]), 'it normalises over the channels'),
  CumSum: (visit) => visit.lockAll('it sums along an axis'),
  Trilu: (visit) => visit.lockAll('it masks by place'),
  Softmax: softmax,
  LogSoftmax: softmax,
  Hardmax: softmax,
  MaxPool: pool,
  AveragePool: pool,
  LpPool: pool,
  GlobalAveragePool: pool,
  GlobalMaxPool: pool,
  GlobalLpPool: pool,
  Concat: concat,
  Split: split,
  Slice: slice,
  Reshape: reshape,
  Flatten: reshape,
  Transpose: transpose,
  Squeeze: reRank,
  Unsqueeze: reRank,
  Expand: expand,
  Tile: tile,
  Pad: pad,
  Resize: resize,
  Upsample: resize,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Gather: gather,
  ArgMax: choose(0),
  ArgMin: choose(0),
  TopK: choose(-1),
  QuantizeLinear: quantize,
  DequantizeLinear: quantize,
  DynamicQuantizeLinear: pass,
  Shape: nothing,
  Size: nothing,
  ConstantOfShape: nothing,
  Range: nothing,
};
