import { giveBack } from '../buffers';
import { SsdPruneError } from '../errors';
import {
  type ChoiceReader,
  chooseRemovals,
  clippedTargets,
  type Moments,
  momentsOf,
  type Rows,
  ridgeFit,
} from './kernels';
import type { Layer } from './layer-weights';
import type { Repair } from './repair';
import type { ReaderSamples } from './samples';

/** One reader's samples with what least squares needs of them. */
export interface Problem extends ReaderSamples {
  readonly moments: Moments;
  /** Its weights as they stand, (columns of the student, all outputs). */
  readonly layer: Layer;
  /** Pull toward the weights that are there while channels are chosen, in units of a column's variance. */
  readonly ridge: number;
  /** 1 / summed variance of the outputs that stay, 0 for outputs that are gone. */
  readonly outputWeights: Float64Array;
}

/** Least ridge, as a share of the mean variance of a column. */
const leastRidge = 1e-3;
/** Where samples are few the ridge that channels are chosen with grows to this many times columns / samples. */
const choiceRidge = 0.02;
/**
 * Ridge of a refit, times columns / samples and the share of the outputs' variance that no weights explain: the pull that
 * is best where weights are spread about those that were there grows with the noise and the number of weights, and falls
 * with the number of samples. A fit with less follows what is peculiar to its samples: behind all cuts, where a map has
 * few places a picture, it misses more on other pictures than the weights that were there. The factor is what brought
 * the whole model's scores nearest to the original's on held-back pictures, once outputs are stretched (restoreVariance).
 */
const refitRidge = 30;

/**
 * Moments of a reader's samples.
 * @throws {SsdPruneError} ERR_BAD_DATA with the layer, where samples are not finite
 */
export async function openProblem(samples: ReaderSamples, layer: Layer): Promise<Problem> {
  const moments = await momentsOf(samples.x, samples.y, layer.reader.offset ? 'means' : 'origin');
  const { columns, outputs, variance } = moments;
  const read = trace(moments, allOf(columns));
  const finite = Number.isFinite(read) && variance.every(Number.isFinite) && layer.weights.every(Number.isFinite);
  if (!finite) {
    throw new SsdPruneError(
      'ERR_BAD_DATA',
      `${samples.reader.name}: what it reads or makes on these pictures is not finite. Look at the input settings (mean, std), and for NaN or infinity in the weights of this layer and those in front of it.`,
    );
  }
  let total = 0;
  for (let o = 0; o < outputs; o++) if (layer.stays[o]) total += variance[o]!;
  const outputWeights = Float64Array.from({ length: outputs }, (_, o) => (layer.stays[o] && total > 0 ? 1 / total : 0));
  const ridge = ridgeOf(moments, allOf(columns), (choiceRidge * columns) / moments.rows);
  return { ...samples, moments, layer, ridge, outputWeights };
}

/** A ridge for some columns, of a share of their mean variance or the least one. */
function ridgeOf(moments: Moments, kept: Int32Array, share: number): number {
  const varied = trace(moments, kept);
  // Inputs that never change carry no information: any ridge keeps their weights.
  return varied > 0 ? (Math.max(leastRidge, share) * varied) / kept.length : 1;
}

const trace = ({ gram, columns }: Moments, kept: Int32Array): number =>
  kept.reduce((sum, i) => sum + gram[i * columns + i]!, 0);

const allOf = (columns: number): Int32Array => Int32Array.from({ length: columns }, (_, i) => i);

/** What a group loses as its members go: the order, and the readers' error, in shares of their variance, after each. */
export interface ErrorCurve {
  readonly order: Int32Array;
  /** errors[k] after k removals; errors[0] is what the readers already miss. */
  readonly errors: Float64Array;
}

/**
 * Structured Optimal Brain Surgeon over all readers of a group.
 * @param columnsOf columns of each member in a reader's samples
 */
export async function removalOrder(
  problems: readonly Problem[],
  columnsOf: (problem: Problem, member: number) => readonly number[],
  mayGo: Uint8Array,
  removals: number,
): Promise<ErrorCurve> {
  const readers = problems.map((problem): ChoiceReader => {
    const memberBegin = new Int32Array(mayGo.length + 1);
    const memberColumns: number[] = [];
    for (let member = 0; member < mayGo.length; member++) {
      memberColumns.push(...columnsOf(problem, member));
      memberBegin[member + 1] = memberColumns.length;
    }
    const { outputWeights } = problem;
    return { ...ridgeProblem(problem), outputWeights, memberBegin, memberColumns: Int32Array.from(memberColumns) };
  });
  const { order, cost } = await chooseRemovals(readers, mayGo, removals);
  const errors = new Float64Array(removals + 1);
  for (const problem of problems) errors[0]! += await residual(problem);
  for (let k = 0; k < removals; k++) errors[k + 1] = errors[k]! + cost[k]!;
  return { order, errors };
}

/** A refitted layer: weights (kept columns, outputs) and what is added to them, and the error that is left. */
export interface Fit {
  readonly kept: Int32Array;
  readonly weights: Float64Array;
  readonly bias: Float64Array;
  /** Mean squared error of the outputs that stay, as a share of their variance; undefined where nothing was fitted. */
  readonly error: number | undefined;
}

/** Refits a layer on the columns that stay. */
export async function refit(
  given: Problem,
  kept: Int32Array,
  repair: Exclude<Repair, 'none'>,
  rounds = 0,
): Promise<Fit> {
  const { moments, layer } = given;
  if (repair === 'bias') {
    const weights = rowsOf(layer.weights, kept, moments.outputs);
    return { kept, weights, bias: biasOf(moments, kept, weights), error: undefined };
  }
  const problem = { ...given, ridge: await refitRidgeOf(given, kept) };
  let fitted = moments;
  let weights = await ridgeFit(ridgeProblem(problem), kept);
  const error = errorOf(problem, kept, weights);
  const [low, high] = layer.reader.bounds;
  const clipped = Number.isFinite(low) || Number.isFinite(high);
  if (clipped && error >= refineFrom) {
    const [x, y] = [leading(problem.x, roundRows(moments)), leading(problem.y, roundRows(moments))];
    let known: Moments | undefined;
    for (let round = 0; round < rounds; round++) {
      const whole = new Float64Array(moments.columns * moments.outputs);
      kept.forEach((column, i) => {
        whole.set(weights.subarray(i * moments.outputs, (i + 1) * moments.outputs), column * moments.outputs);
      });
      const bias = biasOf(fitted, kept, weights);
      const targets = await clippedTargets(x, y, { weights: whole, bias, low, high });
      fitted = await momentsOf(x, targets, layer.reader.offset ? 'means' : 'origin', known);
      giveBack(targets.data);
      known ??= fitted;
      weights = await ridgeFit({ ...ridgeProblem(problem), gram: fitted.gram, cross: fitted.cross }, kept);
    }
  }
  restoreVariance({ ...problem, moments: { ...fitted, variance: moments.variance } }, kept, weights);
  return { kept, weights, bias: biasOf(fitted, kept, weights), error };
}

/** How much outputs vary, and how much of that goes with what they are to be: wᵀGw and wᵀb. */
interface Spread {
  readonly varied: Float64Array;
  readonly agreed: Float64Array;
}

/** Of a ridge solution: there GW = B + λ(W₀ − W), so that no square is to be summed. */
function spreadOf({ moments, layer, ridge }: Problem, kept: Int32Array, weights: Float64Array): Spread {
  const { outputs, cross } = moments;
  const [varied, agreed] = [new Float64Array(outputs), new Float64Array(outputs)];
  kept.forEach((column, i) => {
    for (let o = 0; o < outputs; o++) {
      const [w, at] = [weights[i * outputs + o]!, column * outputs + o];
      varied[o]! += w * (cross[at]! + ridge * (layer.weights[at]! - w));
      agreed[o]! += w * cross[at]!;
    }
  });
  return { varied, agreed };
}

/**
 * The share of an output that is kept: all of it, but where it would miss more than a constant does, what of it agrees.
 * So it is where samples are fewer than columns, and the ridge keeps the weights that were there, though hardly anything
 * of what they saw is left in front of them: maps of a few places behind a deep cut.
 */
const usefulShare = (varied: number, agreed: number): number =>
  varied > 2 * agreed ? Math.max(0, agreed) / varied : 1;

/**
 * Scales a ridge solution so that each output varies as it did in the original. Least squares leaves out what it can't
 * explain: outputs gather about their means, activations behind them are met less often, and scores of different heads
 * can't be compared any more. Of which less than half is explained an output is stretched the less: more of it would be
 * more of noise.
 */
function restoreVariance(problem: Problem, kept: Int32Array, weights: Float64Array): void {
  const { outputs, variance } = problem.moments;
  const { varied, agreed } = spreadOf(problem, kept, weights);
  for (let o = 0; o < outputs; o++) {
    if (!(problem.layer.stays[o] && varied[o]! > 0 && variance[o]! > 0)) continue;
    const useful = usefulShare(varied[o]!, agreed[o]!);
    const explained = (useful ** 2 * varied[o]!) / variance[o]!;
    const scale = useful / Math.sqrt(Math.max(explained, 1 - explained));
    for (let i = 0; i < kept.length; i++) weights[i * outputs + o]! *= scale;
  }
}

/** The ridge that a refit is made with, see {@link refitRidge}. */
async function refitRidgeOf(problem: Problem, kept: Int32Array): Promise<number> {
  const { moments } = problem;
  const errorWith = async (ridge: number): Promise<number> => {
    const fitted = { ...problem, ridge };
    return errorOf(fitted, kept, await ridgeFit(ridgeProblem(fitted), kept));
  };
  const least = ridgeOf(moments, kept, leastRidge);
  const columnsBySamples = kept.length / moments.rows;
  // A fit explains a sample's noise, too, for every column that it has.
  const free = 1 - columnsBySamples;
  let noise = free > 0 ? (await errorWith(least)) / free : Number.POSITIVE_INFINITY;
  // With hardly a sample a column it says nothing. Weights that were there miss no less than the best ones.
  if (free < 0.1) noise = Math.min(noise, await errorWith((1e3 * least) / leastRidge));
  return ridgeOf(moments, kept, refitRidge * noise * columnsBySamples);
}

/**
 * Share of the readers' variance from which on rounds, and a refit of the layers behind all cuts, are worth their time.
 * Where less is missed a layer is near its targets, whether or not an activation hides them, and what is behind it
 * hardly sees a difference.
 */
export const refineFrom = 0.12;

/** Rows that rounds need: they start from a fit to all, and correct it. */
const roundRows = ({ rows, columns }: Moments): number => Math.min(rows, Math.max(Math.ceil(rows / 2), 20 * columns));

const leading = ({ data, columns }: Rows, rows: number): Rows => ({ data: data.subarray(0, rows * columns), columns });

const ridgeProblem = ({ moments, layer, ridge }: Problem) => ({
  gram: moments.gram,
  cross: moments.cross,
  weights: layer.weights,
  columns: moments.columns,
  outputs: moments.outputs,
  ridge,
});

/** The constant with which means agree: my − Wᵀ mx. */
function biasOf({ meanX, meanY, outputs }: Moments, kept: Int32Array, weights: Float64Array): Float64Array {
  const bias = Float64Array.from(meanY);
  kept.forEach((column, i) => {
    for (let o = 0; o < outputs; o++) bias[o]! -= weights[i * outputs + o]! * meanX[column]!;
  });
  return bias;
}

/** What a layer with all of its columns misses: what the cuts in front of it cost that no weights can mend. */
async function residual(problem: Problem): Promise<number> {
  const all = allOf(problem.moments.columns);
  return errorOf(problem, all, await ridgeFit(ridgeProblem(problem), all));
}

/** Σ_o v_o (V_o − 2 WᵀB + WᵀGW) for a ridge solution W, of each output what is useful (see {@link usefulShare}). */
function errorOf(problem: Problem, kept: Int32Array, weights: Float64Array): number {
  const { outputs, variance } = problem.moments;
  const { varied, agreed } = spreadOf(problem, kept, weights);
  let error = 0;
  for (let o = 0; o < outputs; o++) {
    const useful = usefulShare(varied[o]!, agreed[o]!);
    error += problem.outputWeights[o]! * (variance[o]! - 2 * useful * agreed[o]! + useful ** 2 * varied[o]!);
  }
  return Math.max(0, error);
}

function rowsOf(matrix: Float64Array, rows: Int32Array, columns: number): Float64Array {
  const out = new Float64Array(rows.length * columns);
  rows.forEach((row, i) => {
    out.set(matrix.subarray(row * columns, (row + 1) * columns), i * columns);
  });
  return out;
}
