import { getFloat, getInt, getInts, getString } from '../model/attributes';
import type { NodeProto } from '../model/onnx_pb';
import type { OnnxModel } from '../model/onnx-model';
import { product } from '../model/operator-arguments';
import { tensorDims, toFloat32 } from '../model/tensor';
import type { Label } from '../prune/channel-atoms';
import type { ChannelGraph } from '../prune/channel-graph';
import { plainWindow, type Window } from './kernels';
import { offsetPlace } from './offsets';
import { inputAxis, isOwn, isWeighted, onlyConsumer, weightOf } from './weighted-nodes';

/**
 * A layer that reads channels and can be refitted: Y = X W + b over rows, one row a place of its output.
 * Its columns run over input channels, `window` places each, in the order of the stored weight.
 */
export interface Reader {
  /** Name of its weight: of the constant, where Identity nodes stand between. */
  readonly name: string;
  readonly node: NodeProto;
  /** Position of the node in the graph. */
  readonly index: number;
  /** Tensors that it reads and makes. */
  readonly input: string;
  readonly output: string;
  /** undefined where rows are the tensor's last axis (MatMul). */
  readonly window: Window | undefined;
  /** Places of its output a picture: rows of Y. */
  readonly total: number;
  /** Columns a channel. */
  readonly places: number;
  readonly channels: Label;
  readonly filters: Label;
  /** Whether the weight is stored (outputs, columns); else (columns, outputs). */
  readonly byOutput: boolean;
  /**
   * Where a constant is added: a bias, or, in a node `behind`, what an Add adds or the mean that a BatchNormalization
   * subtracts, both beyond the layer's own output. Where there is none the layer is fitted through the origin.
   */
  readonly offset: { readonly name: string; readonly sign: 1 | -1; readonly behind: boolean } | undefined;
  /** Bounds between which the activation right behind it lets values through; ±infinity where there is none. */
  readonly bounds: readonly [low: number, high: number];
}

/** A layer that reads channels and can't be refitted, and why. */
export interface FixedReader {
  readonly name: string;
  readonly node: NodeProto;
  /** Position of the node in the graph. */
  readonly index: number;
  readonly channels: Label;
  readonly reason: string;
}

/** Every layer that reads channels by a weight, by the weight's name, in graph order. The model is prepared. */
export function readersOf(graph: ChannelGraph): Map<string, Reader | FixedReader> {
  const readers = new Map<string, Reader | FixedReader>();
  const positions = new Map(graph.model.graph.node.map((node, index) => [node, index]));
  for (const { node, name } of graph.macTerms) {
    const use = name === undefined ? undefined : graph.sharedConstant(name);
    const axis = inputAxis(node, use?.dims.length ?? 0);
    const channels = use?.labels[axis];
    if (name === undefined || !use || !channels) continue;
    const known = readers.get(name);
    const reason = known ? 'several layers share its weight' : whyFixed(graph, node, name);
    const index = positions.get(node)!;
    // The first of those that share a weight.
    if (reason !== undefined) readers.set(name, { name, node, index: known?.index ?? index, channels, reason });
    else readers.set(name, reader(graph, node, name, index, channels));
  }
  return readers;
}

export const isReader = (reader: Reader | FixedReader): reader is Reader => !('reason' in reader);

/** Pictures a run in the shapes that were inferred: the first axis of the model's first input. */
export function batchOf({ model, infos }: ChannelGraph): number {
  const input = model.graph.input.find(({ name }) => !model.constant(name));
  return infos.get(input?.name ?? '')?.shape?.[0] ?? 1;
}

/** Why a layer can't be refitted. */
function whyFixed(graph: ChannelGraph, node: NodeProto, name: string): string | undefined {
  const { model, infos } = graph;
  const kind = node.opType === 'Conv' && getInt(node, 'group', 1) !== 1 ? 'a grouped convolution' : node.opType;
  if (!isWeighted(node)) return `${kind} is not refitted`;
  if (model.source(node.input[1]!) !== name) return 'its weight is computed';
  if (!weightOf(model, node)) return 'its weight is neither float32 nor float16';
  if (!isOwn(model, node.input[1]!)) return 'others read its weight, too';
  if (node.opType !== 'MatMul' && (node.input[2] ?? '') !== '' && !offsetPlace(model, node))
    return 'its bias is no stored vector';
  if (!infos.get(node.input[0] ?? '')?.shape || !infos.get(node.output[0] ?? '')?.shape)
    return 'its shapes are not known';
  const batch = batchOf(graph);
  if ([node.input[0]!, node.output[0]!].some((tensor) => infos.get(tensor)!.shape![0] !== batch))
    return 'the first axis of what it reads is no batch axis';
  const dims = tensorDims(model.constant(name)!);
  if (node.opType === 'Conv' && dims.length !== 4) return 'it does not slide over a plane';
  if (
    node.opType === 'Gemm' &&
    (getFloat(node, 'alpha', 1) !== 1 || getFloat(node, 'beta', 1) !== 1 || getInt(node, 'transA', 0) === 1)
  ) {
    return 'it scales or turns its factors';
  }
  if (node.opType === 'MatMul' && dims.length !== 2) return 'its weight is no matrix';
  return undefined;
}

function reader(graph: ChannelGraph, node: NodeProto, name: string, index: number, channels: Label): Reader {
  const { model } = graph;
  const dims = tensorDims(model.constant(name)!);
  const place = offsetPlace(model, node);
  const made = graph.infos.get(node.output[0]!)!.shape!;
  const outputAxis = node.opType === 'Conv' ? 0 : 1 - inputAxis(node, dims.length);
  return {
    name,
    node,
    index,
    input: node.input[0]!,
    output: node.output[0]!,
    window: node.opType === 'Conv' ? windowOf(graph, node, dims) : node.opType === 'Gemm' ? plainWindow : undefined,
    total: product(node.opType === 'MatMul' ? made.slice(1, -1) : made.slice(2)),
    places: node.opType === 'Conv' ? dims[2]! * dims[3]! : 1,
    channels,
    filters: graph.sharedConstant(name)!.labels[outputAxis] ?? new Int32Array(dims[outputAxis]!).fill(-1),
    byOutput: outputAxis === 0,
    offset: place && {
      name: model.source(place.node.input[place.input]!),
      sign: place.sign,
      behind: place.node !== node,
    },
    bounds: !place || place.node === node ? boundsBehind(model, node.output[0]!) : unbounded,
  };
}

function windowOf(graph: ChannelGraph, node: NodeProto, dims: readonly number[]): Window {
  const [kernelHeight, kernelWidth] = [dims[2]!, dims[3]!];
  const [strideY = 1, strideX = 1] = getInts(node, 'strides', [1, 1]);
  const [dilationY = 1, dilationX = 1] = getInts(node, 'dilations', [1, 1]);
  const [top = 0, left = 0] = getInts(node, 'pads', [0, 0, 0, 0]);
  const auto = getString(node, 'auto_pad', 'NOTSET');
  const [x, y] = [graph.infos.get(node.input[0]!)!.shape!, graph.infos.get(node.output[0]!)!.shape!];
  // SAME puts the odd row behind (UPPER) or in front (LOWER).
  const same = (axis: number, stride: number, extent: number): number => {
    const total = Math.max(0, (y[axis]! - 1) * stride + extent - x[axis]!);
    return auto === 'SAME_LOWER' ? Math.ceil(total / 2) : Math.floor(total / 2);
  };
  const [padTop, padLeft] = auto.startsWith('SAME')
    ? [same(2, strideY, (kernelHeight - 1) * dilationY + 1), same(3, strideX, (kernelWidth - 1) * dilationX + 1)]
    : [top, left];
  return { kernelHeight, kernelWidth, strideY, strideX, dilationY, dilationX, padTop, padLeft };
}

const unbounded = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const;

function boundsBehind(model: OnnxModel, output: string): readonly [number, number] {
  const node = onlyConsumer(model, output);
  if (node?.opType === 'Relu') return [0, unbounded[1]];
  if (node?.opType !== 'Clip') return unbounded;
  const bound = (input: number, attribute: string, fallback: number): number => {
    const constant = model.constant(node.input[input] ?? '');
    return constant ? toFloat32(constant)[0]! : getFloat(node, attribute, fallback);
  };
  return [bound(1, 'min', unbounded[0]), bound(2, 'max', unbounded[1])];
}
