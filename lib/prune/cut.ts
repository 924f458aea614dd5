import { SsdPruneError } from '../errors';
import { getInt, setInt, setInts } from '../model/attributes';
import { type KeptFilters, recordKept } from '../model/kept-channels';
import { type NodeProto, TensorProto_DataType as T, type TypeProto } from '../model/onnx_pb';
import type { OnnxModel } from '../model/onnx-model';
import { type InferOptions, inferShapes } from '../model/shape-inference';
import { elementSize, makeTensor, setTensorBytes, tensorBytes, tensorDims } from '../model/tensor';
import type { Label } from './channel-atoms';
import type { ChannelGraph, ConstantUse, Labels } from './channel-graph';
import type { GraphEdit } from './graph-edit';
import { sliceTensors } from './kernels';

/** A constant that lost slices: per axis the sorted original indexes that stay, null where all do. */
export interface CutTensor {
  readonly name: string;
  readonly shapeBefore: readonly number[];
  readonly shapeAfter: readonly number[];
  readonly kept: readonly (Int32Array | null)[];
  /** For a constant that was shared with layers that keep their channels: the constant it was copied from. */
  readonly copyOf?: string;
}

export interface CutResult {
  readonly model: OnnxModel;
  readonly tensors: readonly CutTensor[];
}

/**
 * Removes classes of channels from a copy of the model: slices every constant tied to them, corrects groups, shape
 * constants, Split and Slice bounds and `value_info`, then infers all shapes anew and compares them with what the
 * labels say. Weight bytes that don't change are shared with the original.
 * @param removed class representatives (`ChannelAtoms.find`) that go.
 * @throws {SsdPruneError} ERR_INTERNAL if a shape of the cut model is not what the groups promise.
 */
export function cutChannels(graph: ChannelGraph, removed: ReadonlySet<number>, options: InferOptions = {}): CutResult {
  const model = graph.model.clone();
  const counter = new KeptPlaces(graph, removed);
  const nodeOf = correspondence(graph.model, model);
  const tensors = cutConstants(graph, model, counter, nodeOf);
  for (const edit of graph.edits) applyEdit(model, edit, counter, nodeOf(edit.node));
  correctValueInfo(graph, model, counter);
  model.invalidate();
  checkShapes(graph, model, counter, options);
  recordKept(model, keptFilters(model, tensors));
  return { model, tensors };
}

/** By name: the filters that stay of those convolutions that lost some, but for grouped ones. */
function keptFilters(model: OnnxModel, tensors: readonly CutTensor[]): Map<string, KeptFilters> {
  const cut = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const kept = new Map<string, KeptFilters>();
  for (const node of model.graph.node) {
    if (node.opType !== 'Conv' || getInt(node, 'group', 1) !== 1) continue;
    const filters = model.source(node.input[1]!);
    const tensor = cut.get(filters);
    const places = tensor?.kept[0];
    if (places) kept.set(filters, { of: tensor.shapeBefore[0]!, kept: [...places] });
  }
  return kept;
}

/** Which places along a label stay. */
class KeptPlaces {
  private readonly known = new Map<Label, Int32Array>();
  /** 1 for the representatives of classes that go. */
  private readonly gone: Uint8Array;

  constructor(
    private readonly graph: ChannelGraph,
    removed: ReadonlySet<number>,
  ) {
    this.gone = new Uint8Array(graph.atoms.size);
    for (const root of removed) this.gone[root] = 1;
  }

  of(label: Label): Int32Array {
    let kept = this.known.get(label);
    if (!kept) {
      const { atoms } = this.graph;
      kept = new Int32Array(label.length);
      let count = 0;
      for (let place = 0; place < label.length; place++) {
        const atom = label[place]!;
        if (atom < 0 || this.gone[atoms.find(atom)] === 0) kept[count++] = place;
      }
      kept = kept.subarray(0, count);
      this.known.set(label, kept);
    }
    return kept;
  }

  count(label: Label): number {
    return this.of(label).length;
  }

  changes(labels: Labels): boolean {
    return labels.some((label) => label && this.count(label) < label.length);
  }
}

function correspondence(from: OnnxModel, to: OnnxModel): (node: NodeProto) => NodeProto {
  const positions = new Map(from.graph.node.map((node, i) => [node, i]));
  return (node) => to.graph.node[positions.get(node)!]!;
}

/** One way in which a constant is cut, and who reads it so. */
interface Variant {
  readonly kept: (Int32Array | null)[];
  readonly uses: ConstantUse[];
}

function samePlaces(a: Int32Array | null, b: Int32Array | null): boolean {
  if (a === b) return true;
  return a !== null && b !== null && a.length === b.length && a.every((place, i) => place === b[i]);
}

function cutConstants(
  graph: ChannelGraph,
  model: OnnxModel,
  counter: KeptPlaces,
  nodeOf: (node: NodeProto) => NodeProto,
): CutTensor[] {
  const byName = new Map<string, Variant[]>();
  for (const use of graph.uses) {
    const kept = use.labels.map((label) => (label && counter.count(label) < label.length ? counter.of(label) : null));
    const variants = byName.get(use.name) ?? [];
    byName.set(use.name, variants);
    const variant = variants.find((other) => other.kept.every((places, axis) => samePlaces(places, kept[axis]!)));
    if (variant) variant.uses.push(use);
    else variants.push({ kept, uses: [use] });
  }
  const cuts: { name: string; copyOf?: string; variant: Variant }[] = [];
  for (const [name, all] of byName) {
    if (!all.some(({ kept }) => kept.some(Boolean))) continue;
    // The weight that all readers share, or readers that the walk gave no channels, keep the constant's own name.
    const followed = all.flatMap(({ uses }) => uses.flatMap(({ reader }) => reader ?? []));
    const reads = graph.model
      .consumers(name)
      .flatMap((node) => node.input.flatMap((input, i) => (input === name ? [{ node, i }] : [])));
    const shared = all.find(({ uses }) => uses.some(({ reader }) => !reader));
    const strangers =
      !shared && reads.some(({ node, i }) => !followed.some((reader) => reader.node === node && reader.input === i));
    const owner =
      shared ??
      (strangers || graph.model.isGraphOutput(name)
        ? undefined
        : (all.find(({ kept }) => !kept.some(Boolean)) ?? (all.length === 1 ? all[0] : undefined)));
    for (const variant of all) {
      if (!variant.kept.some(Boolean)) continue;
      if (variant === owner) {
        cuts.push({ name, variant });
        continue;
      }
      const copy = model.uniqueName(`${name}_cut`);
      const source = graph.model.constant(name)!;
      model.addInitializer(makeTensor(copy, source.dataType, tensorDims(source), tensorBytes(source)));
      for (const { reader } of variant.uses) if (reader) nodeOf(reader.node).input[reader.input] = copy;
      cuts.push({ name: copy, copyOf: name, variant });
    }
  }
  const originals = cuts.map(({ name, copyOf }) => graph.model.constant(copyOf ?? name)!);
  const slices = sliceTensors(
    cuts.map(({ variant }, i) => ({
      bytes: tensorBytes(originals[i]!),
      elementSize: elementSize(originals[i]!.dataType),
      dims: tensorDims(originals[i]!),
      keep: variant.kept,
    })),
  );
  return cuts.map(({ name, copyOf, variant }, i) => {
    const shapeBefore = tensorDims(originals[i]!);
    const shapeAfter = shapeBefore.map((dim, axis) => variant.kept[axis]?.length ?? dim);
    setTensorBytes(model.constant(name)!, shapeAfter, slices[i]!);
    const tensor = { name, shapeBefore, shapeAfter, kept: variant.kept };
    return copyOf ? { ...tensor, copyOf } : tensor;
  });
}

function applyEdit(model: OnnxModel, edit: GraphEdit, counter: KeptPlaces, node: NodeProto): void {
  switch (edit.kind) {
    case 'group':
      setInt(node, 'group', counter.count(edit.label));
      break;
    case 'shape':
      if (counter.changes(edit.entries.map(({ label }) => label))) {
        const values = [...edit.values];
        for (const { index, label } of edit.entries) {
          values[index] = Math.round((values[index]! / label.length) * counter.count(label));
        }
        setIndexInput(model, node, edit.input, values);
      }
      break;
    case 'split':
      if (counter.changes([...edit.labels])) {
        const sizes = edit.labels.map((label) => counter.count(label));
        if (model.opset() >= 13) setIndexInput(model, node, 1, sizes);
        else setInts(node, 'split', sizes);
        node.attribute = node.attribute.filter(({ name }) => name !== 'num_outputs');
      }
      break;
    case 'slice':
      if (counter.changes(edit.axes.map(({ label }) => label))) moveSlice(model, edit, counter, node);
      break;
  }
}

/** Gives a node's input a constant of its own with these values. */
function setIndexInput(model: OnnxModel, node: NodeProto, input: number, values: readonly number[]): void {
  const name = model.uniqueName(`${node.name || node.output[0]}_${node.opType.toLowerCase()}_sizes`);
  const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  model.addInitializer(makeTensor(name, T.INT64, [values.length], bytes));
  while (node.input.length <= input) node.input.push('');
  node.input[input] = name;
}

/** Bounds along the cut axes become the numbers of places that stay before them. */
function moveSlice(model: OnnxModel, edit: GraphEdit & { kind: 'slice' }, counter: KeptPlaces, node: NodeProto): void {
  const [starts, ends] = [[...edit.given.starts], [...edit.given.ends]];
  for (const { axis, label, start, end } of edit.axes) {
    const at = edit.given.axes.indexOf(axis);
    const kept = counter.of(label);
    starts[at] = kept.filter((place) => place < start).length;
    ends[at] = kept.filter((place) => place < end).length;
  }
  if (node.input.length > 1) {
    setIndexInput(model, node, 1, starts);
    setIndexInput(model, node, 2, ends);
  } else {
    setInts(node, 'starts', starts);
    setInts(node, 'ends', ends);
  }
}

/** Dimensions written in the file for tensors that got narrower, constants listed as graph inputs included. */
function correctValueInfo(graph: ChannelGraph, model: OnnxModel, counter: KeptPlaces): void {
  for (const value of [...model.graph.valueInfo, ...model.graph.input]) {
    const constant = model.constant(value.name);
    if (constant) {
      const dims = tensorDims(constant);
      setDims(value.type, dims, (axis) => dims[axis]);
      continue;
    }
    const labels = graph.labelsOf(value.name);
    if (!counter.changes(labels)) continue;
    setDims(value.type, labels, (axis) => {
      const label = labels[axis];
      return label ? counter.count(label) : undefined;
    });
  }
}

function setDims(
  type: TypeProto | undefined,
  axes: ArrayLike<unknown>,
  sizeOf: (axis: number) => number | undefined,
): void {
  if (type?.value.case !== 'tensorType') return;
  const dims = type.value.value.shape?.dim ?? [];
  if (dims.length !== axes.length) return;
  dims.forEach((dim, axis) => {
    const size = sizeOf(axis);
    if (size !== undefined && dim.value.case === 'dimValue') dim.value = { case: 'dimValue', value: BigInt(size) };
  });
}

/** The last defence against a wrong cut: every followed tensor must come out as wide as its labels say. */
function checkShapes(graph: ChannelGraph, model: OnnxModel, counter: KeptPlaces, options: InferOptions): void {
  const infos = inferShapes(model, options);
  for (const [name, labels] of graph.followed()) {
    const shape = infos.get(name)?.shape;
    labels.forEach((label, axis) => {
      if (!label || !shape || shape[axis] === counter.count(label)) return;
      const producer = model.producer(name);
      throw new SsdPruneError(
        'ERR_INTERNAL',
        `${producer ? model.where(producer) : name} would make ${JSON.stringify(name)} ${shape[axis]} wide on axis ${axis} after the cut where its channels leave ${counter.count(label)}. Nothing was written; please report this model. Leave its layers out to prune the rest.`,
      );
    });
  }
  const before = graph.infos;
  for (const { name } of model.graph.output) {
    const [was, is] = [before.get(name)?.shape, infos.get(name)?.shape];
    if (was && is && was.join() !== is.join()) {
      throw new SsdPruneError(
        'ERR_INTERNAL',
        `The graph output ${JSON.stringify(name)} would change its shape from [${was}] to [${is}]. Nothing was written; please report this model.`,
      );
    }
  }
}
