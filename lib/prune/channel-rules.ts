import { getInt, getInts } from '../model/attributes';
import { normalizeAxis } from '../model/operator-arguments';
import { isBroadcasting, isElementwise, isReduction } from '../model/operator-families';
import {
  concat,
  depthToSpace,
  expand,
  gather,
  pad,
  reRank,
  resize,
  slice,
  spaceToDepth,
  split,
  tile,
  transpose,
} from './axis-rules';
import type { Label } from './channel-atoms';
import type { NodeVisit } from './channel-graph';
import { choose, layerNorm, over, reduce, softmax } from './reduction-rules';
import { reshape } from './reshape-rules';
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

/** Pooling and other windows over places: axes 0 and 1 pass. */
function pool(visit: NodeVisit): void {
  const labels = visit.input(0);
  for (const label of labels.slice(2)) visit.lock(label, 'a pooled axis is no channel axis');
  if (visit.node.output[1]) visit.lock(labels[1], 'the indices it returns count channels');
  visit.output(labels.map((label, axis) => (axis < 2 ? label : null)));
}

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
