import { invalidArgument, SsdPruneError } from '../errors';
import { addon } from '../native/addon';
import type { NativeChoiceReader, NativeRidgeProblem, NativeSampleRowsJob, NativeSamples } from '../native/calibrate';
import { nativeAsync } from '../prune/kernels';

export type RidgeProblem = NativeRidgeProblem;
export type ChoiceReader = NativeChoiceReader;

/** How a layer looks at its input: a window that slides over planes. */
export type Window = Pick<
  NativeSampleRowsJob,
  'kernelHeight' | 'kernelWidth' | 'strideY' | 'strideX' | 'dilationY' | 'dilationX' | 'padTop' | 'padLeft'
>;

/** The window by which a tensor's own values are read. */
export const plainWindow: Window = {
  kernelHeight: 1,
  kernelWidth: 1,
  strideY: 1,
  strideX: 1,
  dilationY: 1,
  dilationX: 1,
  padTop: 0,
  padLeft: 0,
};

/** Second moments of samples about their means (about the origin where means are 0), by sample. */
export interface Moments {
  rows: number;
  columns: number;
  outputs: number;
  /** XᵀX/N, (columns, columns). */
  gram: Float64Array;
  /** XᵀY/N, (columns, outputs). */
  cross: Float64Array;
  /** Variance of each output. */
  variance: Float64Array;
  meanX: Float64Array;
  meanY: Float64Array;
}

/** Rows of samples, `columns` values each. */
export interface Rows {
  data: Float32Array;
  columns: number;
}

/**
 * Writes one row for each picture of a batch of activations (n, channels, height, width) and each of its `positions`
 * (places of an output `outputWidth` wide, equally many a picture) into `rows`.
 * @throws {SsdPruneError} ERR_USAGE for arguments that don't fit together
 */
export function sampleRows(
  activation: { dims: readonly number[]; data: Float32Array },
  window: Window,
  outputWidth: number,
  positions: Int32Array,
  rows: Float32Array,
): void {
  const [pictures = 0, channels = 0, height = 1, width = 1] = activation.dims;
  if (activation.data.length !== pictures * channels * height * width || activation.dims.length > 4) {
    throw invalidArgument('activation', 'values of (n, channels, height, width)', `[${activation.dims}]`);
  }
  if (pictures === 0 || positions.length % pictures !== 0 || positions.some((position) => position < 0)) {
    throw invalidArgument('positions', `a multiple of ${pictures} places`, positions.length);
  }
  const columns = channels * window.kernelHeight * window.kernelWidth;
  if (rows.length !== positions.length * columns) {
    throw invalidArgument('rows.length', `${positions.length} · ${columns}`, rows.length);
  }
  addon().sampleRows({
    ...window,
    values: activation.data,
    pictures,
    channels,
    height,
    width,
    outputWidth,
    positions,
    rows,
  });
}

/**
 * Moments of inputs x and outputs y, about their means or the origin. With `known`, the inputs' own moments are taken
 * from there.
 * @throws {SsdPruneError} ERR_USAGE for arguments that don't fit together
 */
export async function momentsOf(x: Rows, y: Rows, about: 'means' | 'origin', known?: Moments): Promise<Moments> {
  const samples = samplesOf(x, y);
  const { rows, columns, outputs } = samples;
  if (known && (known.columns !== columns || known.rows !== rows))
    throw invalidArgument('known', 'moments of x', known.columns);
  const xx = known ? null : new Float64Array(columns * columns);
  const cross = new Float64Array(columns * outputs);
  const [yy, sx, sy] = [new Float64Array(outputs), new Float64Array(columns), new Float64Array(outputs)];
  await native(() => addon().addSamples({ ...samples, xx, xy: cross, yy, sx, sy }));
  const center = (sum: number): number => (about === 'means' ? sum / rows : 0);
  const [meanX, meanY] = [sx.map(center), sy.map(center)];
  for (let i = 0, at = 0; i < columns; i++) {
    for (let o = 0; o < outputs; o++, at++) cross[at] = cross[at]! / rows - meanX[i]! * meanY[o]!;
  }
  for (let i = 0, at = 0; xx && i < columns; i++) {
    for (let j = 0; j < columns; j++, at++) xx[at] = xx[at]! / rows - meanX[i]! * meanX[j]!;
  }
  const variance = yy.map((sum, o) => Math.max(0, sum / rows - meanY[o]! ** 2));
  return { rows, columns, outputs, gram: xx ?? known!.gram, cross, variance, meanX, meanY };
}

/** The ridge solution on the kept columns alone, (kept, outputs); see native/calibrate/ridge.h. */
export async function ridgeFit(problem: RidgeProblem, kept: Int32Array): Promise<Float64Array> {
  checkProblem(problem);
  checkIndexes('kept', kept, problem.columns);
  const fitted = new Float64Array(kept.length * problem.outputs);
  await native(() => addon().ridgeFit({ ...problem, kept, fitted }));
  return fitted;
}

/**
 * The order in which members of a channel group go, always the one whose loss costs least over all readers, and what
 * each added to the error; see native/calibrate/channel_choice.h.
 * @param mayGo 1 for members that may be removed
 */
export async function chooseRemovals(
  readers: ChoiceReader[],
  mayGo: Uint8Array,
  removals: number,
): Promise<{ order: Int32Array; cost: Float64Array }> {
  const open = mayGo.reduce((count, flag) => count + (flag ? 1 : 0), 0);
  if (!Number.isInteger(removals) || removals < 0 || removals > open) {
    throw invalidArgument('removals', `an integer from 0 to ${open}`, removals);
  }
  for (const reader of readers) {
    checkProblem(reader);
    const { columns, outputs, outputWeights, memberBegin, memberColumns } = reader;
    if (outputWeights.length !== outputs)
      throw invalidArgument('outputWeights.length', `${outputs}`, outputWeights.length);
    checkIndexes('memberColumns', memberColumns, columns);
    const ascending = memberBegin.every((begin, m) => begin >= (m === 0 ? 0 : memberBegin[m - 1]!));
    if (memberBegin.length !== mayGo.length + 1 || !ascending || memberBegin.at(-1) !== memberColumns.length) {
      throw invalidArgument('memberBegin', `${mayGo.length + 1} ascending places in memberColumns`, memberBegin.length);
    }
  }
  const order = new Int32Array(removals);
  const cost = new Float64Array(removals);
  await native(() => addon().chooseRemovals({ readers, mayGo, order, cost }));
  return { order, cost };
}

/** y, but the layer's own output where both lie beyond the same bound; see native/calibrate/clipped_targets.h. */
export async function clippedTargets(
  x: Rows,
  y: Rows,
  layer: { weights: Float64Array; bias: Float64Array; low: number; high: number },
): Promise<Rows> {
  const samples = samplesOf(x, y);
  if (layer.weights.length !== x.columns * y.columns || layer.bias.length !== y.columns) {
    throw invalidArgument('layer', `${x.columns} · ${y.columns} weights and ${y.columns} biases`, layer.weights.length);
  }
  const targets = new Float32Array(y.data.length);
  await native(() => addon().clippedTargets({ ...samples, ...layer, targets }));
  return { data: targets, columns: y.columns };
}

function samplesOf(x: Rows, y: Rows): NativeSamples {
  const rows = x.data.length / x.columns;
  if (!Number.isInteger(rows) || rows < 1 || y.data.length !== rows * y.columns) {
    throw invalidArgument('samples', 'as many rows of x as of y, at least one', `${x.data.length}, ${y.data.length}`);
  }
  return { x: x.data, y: y.data, rows, columns: x.columns, outputs: y.columns };
}

function checkProblem({ gram, cross, weights, columns, outputs, ridge }: RidgeProblem): void {
  const fits = gram.length === columns ** 2 && cross.length === columns * outputs && weights.length === cross.length;
  if (!fits) throw invalidArgument('problem', `moments of ${columns} columns and ${outputs} outputs`, gram.length);
  if (!(ridge > 0) || !Number.isFinite(ridge)) throw invalidArgument('ridge', 'a number above 0', ridge);
}

function checkIndexes(name: string, indexes: Int32Array, end: number): void {
  for (const index of indexes) {
    if (index < 0 || index >= end) throw invalidArgument(name, `indexes from 0 to ${end - 1}`, index);
  }
}

/** Runs a native job; where it says that moments are not positive definite, activations were not finite. */
async function native(call: () => Promise<boolean>): Promise<void> {
  if (await nativeAsync(call)) return;
  throw new SsdPruneError(
    'ERR_BAD_DATA',
    'Activations on these pictures are not finite. Look at the input settings (mean, std) and the model.',
  );
}
