import { SsdPruneError } from '../errors';
import { getInt, getInts } from '../model/attributes';
import { product } from '../model/operator-arguments';
import type { Label } from './channel-atoms';
import type { Labels, NodeVisit } from './channel-graph';

/** Where an operator of the convolution family keeps its weight, bias and per-channel quantisation vectors. */
interface ConvInputs {
  readonly weight: number;
  readonly bias?: number;
  readonly vectors?: readonly number[];
}

const only = (labels: Labels, axis: number): Labels => labels.map((label, i) => (i === axis ? label : null));

/** Conv, ConvInteger, QLinearConv: plain, grouped and depthwise. */
export const conv =
  ({ weight, bias, vectors = [] }: ConvInputs) =>
  (visit: NodeVisit): void => {
    const shapes = convShapes(visit, weight);
    if (!shapes) return;
    const { x, w, out } = shapes;
    const group = getInt(visit.node, 'group', 1);
    const lx = visit.input(0)[1] ?? null;
    const [lw0 = null, lw1 = null, ...kernel] = visit.input(weight);
    for (const label of kernel) visit.lock(label, 'a place of the kernel is no channel');
    visit.cost(weight, product(out.slice(2)) * out[0]! * product(w.slice(2)), [0, 1]);
    if (group > 1 && w[1] === 1 && group === x[1]) depthwise(visit, weight, group, lx, lw0, w[0]!);
    else {
      const why = visit.why('its input channels can’t be cut');
      if (group === 1) visit.atoms.joinLabels(lx, lw1, why);
      else grouped(visit, group, lx, lw0, lw1, x[1]!, w);
      visit.produce(weight, lw0);
    }
    if (bias !== undefined) visit.joinVector(bias, lw0);
    for (const vector of vectors) visit.joinVector(vector, lw0);
    visit.output(only(new Array(out.length).fill(lw0), 1));
  };

/** One filter (or a few, the channel multiplier) an input channel: the filters follow the channels that they read. */
function depthwise(
  visit: NodeVisit,
  weight: number,
  group: number,
  lx: Label | null,
  lw0: Label | null,
  filters: number,
): void {
  const multiplier = filters / group;
  const why = visit.why('its input channels can’t be cut');
  visit.follow(weight);
  if (!lx || !lw0) {
    visit.atoms.lockLabel(lw0, why);
    visit.atoms.lockLabel(lx, why);
    return;
  }
  for (let i = 0; i < filters; i++) visit.atoms.join(lw0[i]!, lx[Math.floor(i / multiplier)]!, why);
  visit.graph.edits.push({ kind: 'group', node: visit.node, label: lx });
}

/**
 * 1 < group < channels. The number of groups stays, so each group must lose as many channels as the others: channels
 * at the same place in their groups go together.
 */
function grouped(
  visit: NodeVisit,
  group: number,
  lx: Label | null,
  lw0: Label | null,
  lw1: Label | null,
  channels: number,
  w: readonly number[],
): void {
  const why = visit.why('its input channels can’t be cut');
  const [filters, perGroup] = [w[0]! / group, channels / group];
  if (!lx || !lw1 || perGroup !== w[1]) {
    visit.atoms.lockLabel(lx, visit.why('every group reads a single channel, or its input is fixed'));
    visit.atoms.lockLabel(lw1, why);
  } else {
    for (let i = 0; i < channels; i++) visit.atoms.join(lx[i]!, lw1[i % perGroup]!, why);
  }
  if (!lw0) return;
  if (filters === 1) visit.lock(lw0, 'each group has a single filter');
  for (let i = filters; i < lw0.length; i++) visit.atoms.join(lw0[i]!, lw0[i % filters]!, why);
}

export function convTranspose(visit: NodeVisit): void {
  const shapes = convShapes(visit, 1);
  if (!shapes) return;
  const { x, w, out } = shapes;
  const group = getInt(visit.node, 'group', 1);
  const lx = visit.input(0)[1] ?? null;
  const [lw0 = null, lw1 = null] = visit.input(1);
  visit.cost(1, product(x.slice(2)) * x[0]! * product(w.slice(2)), [0, 1]);
  const why = visit.why('its input channels can’t be cut');
  let label: Label | null = null;
  if (group === 1) {
    visit.atoms.joinLabels(lx, lw0, why);
    visit.produce(1, lw1);
    label = lw1;
  } else if (group === x[1] && w[1] === 1) {
    visit.follow(1);
    visit.atoms.joinLabels(lx, lw0, why);
    if (lx) visit.graph.edits.push({ kind: 'group', node: visit.node, label: lx });
    label = lw0;
  } else {
    for (const locked of [lx, lw0, lw1]) visit.lock(locked, 'a grouped transposed convolution is not cut');
  }
  visit.joinVector(2, label);
  visit.output(only(new Array(out.length).fill(label), 1));
}

/** Y = A·B + C, with either factor transposed. */
export function gemm(visit: NodeVisit): void {
  const [a, b] = [visit.input(0), visit.input(1)];
  const [rows, columns] = [visit.shape(0), visit.shape(1)];
  if (rows?.length !== 2 || columns?.length !== 2) {
    visit.lockAll('the shape of its input or weight is not known');
    return;
  }
  const transposed = getInt(visit.node, 'transB', 0) === 1;
  const [k, n] = transposed ? [1, 0] : [0, 1];
  const [m, ka] = getInt(visit.node, 'transA', 0) ? [1, 0] : [0, 1];
  product2(visit, a[ka] ?? null, b[k] ?? null, b[n] ?? null);
  visit.cost(1, rows[m]!, [n, k]);
  const label = b[n] ?? null;
  if (visit.has(2)) {
    const bias = visit.ownInput(2);
    bias.forEach((own, axis) => {
      const column = axis === bias.length - 1;
      if (own)
        visit.atoms.joinLabels(own, column ? label : (a[m] ?? null), visit.why('its bias belongs to rows that stay'));
    });
  }
  visit.output([a[m] ?? null, label]);
}

/** Matrix product over the last two axes, the ones before broadcast. */
export function matMul(visit: NodeVisit): void {
  const [x, w, out] = [visit.shape(0), visit.shape(1), visit.outputShape()];
  if (!x || !w || !out || x.length < 2 || w.length < 2) {
    visit.lockAll('a matrix product with a vector, or of unknown shape');
    return;
  }
  const [a, b] = [visit.input(0), visit.input(1)];
  const [ka, kb, n] = [a[x.length - 1] ?? null, b[w.length - 2] ?? null, b[w.length - 1] ?? null];
  for (const label of [...a.slice(0, -2), ...b.slice(0, -2)]) visit.lock(label, 'a batch of matrices is not cut');
  product2(visit, ka, kb, n);
  visit.cost(1, product(out.slice(0, -1)), [w.length - 1, w.length - 2]);
  const labels: Labels = new Array(out.length).fill(null);
  labels[out.length - 2] = a[x.length - 2] ?? null;
  labels[out.length - 1] = n;
  visit.output(labels);
}

/** The summed axis of a matrix product and, where the right factor is a weight, the channels it opens. */
function product2(visit: NodeVisit, left: Label | null, right: Label | null, columns: Label | null): void {
  const weight = visit.graph.weightBehind(visit.node, 1);
  if (weight) {
    visit.atoms.joinLabels(left, right, visit.why('its input channels can’t be cut'));
    visit.produce(1, columns);
  } else if (visit.graph.weightBehind(visit.node, 0)) {
    // A weight on the left reads the right factor's rows; what it opens are rows of the result, which stay.
    for (const label of [left, right]) visit.lock(label, 'a matrix product with the weight on the left is not cut');
    for (const label of visit.input(0)) visit.lock(label, 'a matrix product with the weight on the left is not cut');
  } else {
    for (const label of [left, right]) visit.lock(label, 'multiplies two activations: no weight reads the channels');
  }
}

type Dims = readonly number[];

/** Shapes of a convolution's input, weight and output; where one is not known everything is locked. */
function convShapes(visit: NodeVisit, weight: number): { x: Dims; w: Dims; out: Dims } | undefined {
  const [x, w, out] = [visit.shape(0), visit.shape(weight), visit.outputShape()];
  if (!x || !w || !out) {
    visit.lockAll('the shape of its input or weight is not known');
    return undefined;
  }
  checkWindow(visit, x, w, out);
  visit.input(0).forEach((label, axis) => {
    if (axis !== 1) visit.lock(label, `axis ${axis} of its input is no channel axis`);
  });
  return { x, w, out };
}

/**
 * A convolution whose parts do not fit together can't be run, and what would be cut of it is anybody's guess.
 * @throws {SsdPruneError} ERR_BAD_MODEL naming the node
 */
function checkWindow({ graph, node }: NodeVisit, x: Dims, w: Dims, out: Dims): void {
  const bad = (what: string): SsdPruneError =>
    new SsdPruneError('ERR_BAD_MODEL', `${graph.model.file ?? 'The model'}: ${graph.model.where(node)}: ${what}`);
  const group = getInt(node, 'group', 1);
  if (group < 1) throw bad(`group is ${group}`);
  const [outputs, inputs] = node.opType === 'ConvTranspose' ? [w[1]! * group, w[0]!] : [w[0]!, w[1]! * group];
  if (inputs !== x[1]) throw bad(`its input has ${x[1]} channels, its weight reads ${inputs} (in ${group} groups)`);
  if (outputs % group !== 0) throw bad(`${outputs} filters don't divide into ${group} groups`);
  const kernel = getInts(node, 'kernel_shape', w.slice(2));
  if (kernel.join() !== w.slice(2).join()) throw bad(`kernel_shape is [${kernel}], its weight's is [${w.slice(2)}]`);
  if (out.some((size) => !(size > 0 && size <= 2 ** 31))) throw bad(`its output would be (${out.join(', ')})`);
}
