import { type NodeProto, TensorProto_DataType as T } from '../model/onnx_pb';
import { isOnnxDomain, type OnnxModel } from '../model/onnx-model';
import { constantBehind } from '../model/parameters';
import { type InferOptions, inferShapes } from '../model/shape-inference';
import { tensorDims } from '../model/tensor';
import type { TensorInfo, TensorInfos } from '../model/tensor-info';
import { capturedNames, subgraphs } from '../model/walk';
import { ChannelAtoms, type Label, type Lock } from './channel-atoms';
import { channelRule } from './channel-rules';
import type { GraphEdit } from './graph-edit';
import { WidthValues } from './width-values';

/** One label (or null) an axis. */
export type Labels = (Label | null)[];

/** A constant tensor as one or several nodes read it: which atoms live along its axes. */
export interface ConstantUse {
  readonly name: string;
  readonly dims: readonly number[];
  readonly labels: Labels;
  /** The single reader of this use; undefined for a weight, which all its readers share. */
  readonly reader?: { readonly node: NodeProto; readonly input: number };
}

/** A weight whose output axis opens channels: the filters of a convolution, the columns of a matrix product. */
export interface ChannelProducer {
  /** Name of the constant. */
  readonly name: string;
  /** Axis of the constant along which its output channels lie. */
  readonly axis: number;
  readonly label: Label;
  readonly node: NodeProto;
  /** Position of the node in the graph. */
  readonly index: number;
}

/** A weight whose output axis follows another layer's channels (a depthwise filter). */
export interface ChannelFollower {
  readonly name: string;
  readonly node: NodeProto;
}

/** Multiply-accumulates of one node: `factor` × kept places of both weight axes. */
export interface MacTerm {
  readonly node: NodeProto;
  readonly name: string | undefined;
  readonly factor: number;
  /** The weight's two channel axes: label, or the plain size where nothing can go. */
  readonly axes: readonly { readonly label: Label | null; readonly size: number }[];
}

/**
 * Walks the main graph once, giving every axis of every float tensor its atoms, and records what a cut must do: which
 * constants lose slices, which attributes and shape constants follow, what each node costs.
 */
export class ChannelGraph {
  readonly atoms = new ChannelAtoms();
  readonly infos: TensorInfos;
  readonly producers = new Map<string, ChannelProducer>();
  readonly followers = new Map<string, ChannelFollower>();
  readonly uses: ConstantUse[] = [];
  readonly edits: GraphEdit[] = [];
  readonly macTerms: MacTerm[] = [];
  private readonly labels = new Map<string, Labels>();
  private readonly widths = new WidthValues();
  private readonly shared = new Map<string, ConstantUse>();

  constructor(
    readonly model: OnnxModel,
    options: InferOptions = {},
  ) {
    this.infos = inferShapes(model, options);
    model.graph.node.forEach((node, index) => {
      if (node.opType !== 'Constant') this.visit(node, index);
    });
    for (const { name } of model.graph.output) {
      for (const label of this.labelsOf(name)) {
        this.atoms.lockLabel(label, {
          node: `graph output ${JSON.stringify(name)}`,
          op: 'output',
          reason: 'leaves the model',
        });
      }
    }
  }

  /** Labels of a tensor that is no constant; all null where nothing is followed. */
  labelsOf(name: string): Labels {
    return this.labels.get(name) ?? [];
  }

  /** Every tensor that is followed, with its labels (for `value_info` and the check after a cut). */
  followed(): ReadonlyMap<string, Labels> {
    return this.labels;
  }

  private visit(node: NodeProto, index: number): void {
    const visit = new NodeVisit(this, node, index);
    const rule = isOnnxDomain(node) ? channelRule(node.opType) : undefined;
    if (rule) rule(visit);
    else visit.lockAll(`the operator ${node.domain ? `${node.domain}.` : ''}${node.opType} is not understood`);
    this.widths.follow(visit);
    for (const body of subgraphs(node)) {
      for (const name of capturedNames(body)) visit.lockTensor(name, `is read inside the body of ${node.opType}`);
    }
  }

  setLabels(name: string, labels: Labels): void {
    if (name !== '' && labels.some(Boolean)) this.labels.set(name, labels);
  }

  /** Atoms of a constant that all its readers share (weights, and whatever is reshaped or cast on its way). */
  sharedConstant(name: string): ConstantUse | undefined {
    const known = this.shared.get(name);
    if (known) return known;
    const use = this.newUse(name, undefined);
    if (use) this.shared.set(name, use);
    return use;
  }

  /** Why a weight that opens no channels can't be cut: the first lock on any of its axes. */
  lockOfConstant(name: string): Lock | undefined {
    for (const label of this.shared.get(name)?.labels ?? []) {
      const lock = label?.[0] === undefined ? undefined : this.atoms.lockOf(label[0]);
      if (lock) return lock;
    }
    return undefined;
  }

  /** The atoms of the parameter behind a node's input, see {@link constantBehind}. */
  weightBehind(node: NodeProto, input: number): ConstantUse | undefined {
    const name = constantBehind(this.model, node, input);
    return name === undefined ? undefined : this.sharedConstant(name);
  }

  /** Atoms of a constant for one reader only, so that a vector which the exporter shares ties no layers together. */
  newUse(name: string, reader: ConstantUse['reader']): ConstantUse | undefined {
    const tensor = this.model.constant(name);
    if (!tensor || !channelTypes.has(tensor.dataType)) return undefined;
    const dims = tensorDims(tensor);
    const labels = dims.map((dim) => (dim > 1 ? this.atoms.create(dim) : null));
    const use: ConstantUse = reader ? { name, dims, labels, reader } : { name, dims, labels };
    this.uses.push(use);
    return use;
  }
}

/** Types that weights come in; shapes and indexes (int64) carry no channels. */
const channelTypes = new Set<number>([T.FLOAT, T.FLOAT16, T.DOUBLE, T.BFLOAT16, T.INT8, T.UINT8, T.INT32]);

/** One node during the walk: what its rule sees and may do. */
export class NodeVisit {
  constructor(
    readonly graph: ChannelGraph,
    readonly node: NodeProto,
    readonly index: number,
  ) {}

  get atoms(): ChannelAtoms {
    return this.graph.atoms;
  }

  get infos(): TensorInfo[] {
    return this.node.input.map((name) => this.graph.infos.get(name) ?? {});
  }

  has(input: number): boolean {
    return (this.node.input[input] ?? '') !== '';
  }

  isConstant(input: number): boolean {
    return this.has(input) && this.graph.model.constant(this.node.input[input]!) !== undefined;
  }

  shape(input: number): readonly number[] | undefined {
    return this.graph.infos.get(this.node.input[input] ?? '')?.shape;
  }

  outputShape(output = 0): readonly number[] | undefined {
    return this.graph.infos.get(this.node.output[output] ?? '')?.shape;
  }

  why(reason: string): Lock {
    return { node: this.graph.model.where(this.node), op: this.node.opType, reason };
  }

  /** Labels of an input: an activation's, or the ones that all readers of a constant share. */
  input(i: number): Labels {
    const name = this.node.input[i] ?? '';
    const rank = this.shape(i)?.length ?? 0;
    const labels = this.isConstant(i) ? this.graph.sharedConstant(name)?.labels : this.graph.labelsOf(name);
    return labels && labels.length === rank ? labels : new Array<Label | null>(rank).fill(null);
  }

  /** Labels of an input, a constant's being for this reader alone. */
  ownInput(i: number): Labels {
    if (!this.isConstant(i)) return this.input(i);
    const use = this.graph.newUse(this.node.input[i]!, { node: this.node, input: i });
    return use?.labels ?? new Array<Label | null>(this.shape(i)?.length ?? 0).fill(null);
  }

  output(labels: Labels, i = 0): void {
    const name = this.node.output[i];
    if (!name) return;
    const rank = this.outputShape(i)?.length;
    if (rank !== labels.length) {
      for (const label of labels) this.atoms.lockLabel(label, this.why('the shape of its output is not known'));
      return;
    }
    this.graph.setLabels(name, labels);
  }

  lock(label: Label | null | undefined, reason: string): void {
    this.atoms.lockLabel(label, this.why(reason));
  }

  lockTensor(name: string, reason: string): void {
    const constant = this.graph.model.constant(name) ? this.graph.sharedConstant(name)?.labels : undefined;
    for (const label of constant ?? this.graph.labelsOf(name)) this.lock(label, reason);
  }

  lockAll(reason: string): void {
    for (const name of this.node.input) if (name !== '') this.lockTensor(name, reason);
  }

  /** Joins a per-channel vector (bias, scale, mean) that input `i` holds with `label`; a scalar takes no part. */
  joinVector(i: number, label: Label | null): void {
    if (!this.has(i)) return;
    for (const own of this.ownInput(i)) {
      if (own) this.atoms.joinLabels(own, label, this.why('its per-channel values belong to channels that stay'));
    }
  }

  /** Records the weight behind an input as the one that opens the channels of `label`. */
  produce(input: number, label: Label | null): void {
    const source = this.graph.weightBehind(this.node, input);
    if (!label || !source || this.graph.producers.has(source.name)) return;
    const axis = source.labels.indexOf(label);
    if (axis < 0) return;
    this.graph.producers.set(source.name, { name: source.name, axis, label, node: this.node, index: this.index });
  }

  /** Records the weight behind an input as one that goes with another layer's channels. */
  follow(input: number): void {
    const source = this.graph.weightBehind(this.node, input);
    if (source) this.graph.followers.set(source.name, { name: source.name, node: this.node });
  }

  /** Records the node's cost: `factor` × the kept places of the weight's two channel axes. */
  cost(input: number, factor: number, axes: readonly [number, number]): void {
    const shape = this.shape(input)!;
    const labels = this.input(input);
    this.graph.macTerms.push({
      node: this.node,
      name: this.graph.weightBehind(this.node, input)?.name,
      factor,
      axes: axes.map((axis) => ({ label: labels[axis] ?? null, size: shape[axis]! })),
    });
  }
}
