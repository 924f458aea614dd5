import { invalidArgument, SsdPruneError } from '../errors';
import { addon, nativeError } from '../native/addon';
import type { NativeRankJob, NativeSliceJob } from '../native/prune';

/**
 * How a channel is scored:
 * `l1_norm` Σ|w|, `l2_norm` √Σw², both in float64 in index order;
 * `geometry_median` Σ_j ‖w_i − w_j‖₂ over the channels j of the tensor;
 * `values` |v| of a tensor that holds one value a channel (BatchNormalization's scale);
 * `l1_paddle1x` Σ|w| in float32 exactly as NumPy sums the axes behind axis 0 of a C-contiguous array.
 */
export type Criterion = 'l1_norm' | 'l2_norm' | 'geometry_median' | 'values' | 'l1_paddle1x';

/** Element formats that can be ranked; a quantised weight is dequantised by the caller. */
export type RankDataType = 'float32' | 'float16' | 'bfloat16' | 'float64';

/** One tensor to be ranked along one of its axes. */
export interface RankJob {
  /** The parameter's name, for messages. */
  name: string;
  /** Little-endian elements in C order; any byte offset, aligned or not. */
  bytes: Uint8Array;
  dataType: RankDataType;
  dims: number[];
  axis: number;
  criterion: Criterion;
  /**
   * Indexes of other axes that count, everything on them by default: scores are then those of the tensor with only
   * these slices left. One entry an axis.
   */
  keepOther?: { axis: number; indexes: Int32Array }[];
}

/** One dense tensor to be cut on any number of its axes at once. */
export interface SliceJob {
  /** Elements in C order; any byte offset, aligned or not. */
  bytes: Uint8Array;
  /** Bytes an element: 1, 2, 4 or 8. */
  elementSize: number;
  dims: number[];
  /** One entry an axis: the indexes that stay, in the order in which they stay, or null for all of them. */
  keep: (Int32Array | null)[];
}

const elementSizes: Record<RankDataType, number> = { float32: 4, float16: 2, bfloat16: 2, float64: 8 };
const dataTypes: RankDataType[] = ['float32', 'float16', 'bfloat16', 'float64'];
const criteria: Criterion[] = ['l1_norm', 'l2_norm', 'geometry_median', 'l1_paddle1x', 'values'];

/**
 * Scores of the channels of each job, one array of `dims[axis]` scores a job. The same bits on every instruction set
 * and with any number of threads.
 * @throws {SsdPruneError} ERR_USAGE for arguments that don't fit together, ERR_UNSUPPORTED_CRITERION where the
 * criterion isn't defined for the tensor, ERR_BAD_MODEL where weights make a score infinite or NaN.
 */
export function rankChannels(jobs: RankJob[]): Float64Array[] {
  const checked = jobs.map(checkRankJob);
  return checkScores(
    jobs,
    native(() => addon().rankBatch(checked)),
  );
}

/**
 * {@link rankChannels} on another thread. The bytes must be neither changed nor transferred until it settles.
 */
export async function rankChannelsAsync(jobs: RankJob[]): Promise<Float64Array[]> {
  const checked = jobs.map(checkRankJob);
  return checkScores(jobs, await nativeAsync(() => addon().rankBatchAsync(checked)));
}

/**
 * Each job's tensor with only the kept indexes left, in a new buffer of its own.
 * @throws {SsdPruneError} ERR_USAGE for arguments that don't fit together.
 */
export function sliceTensors(jobs: SliceJob[]): Uint8Array[] {
  const checked = jobs.map(checkSliceJob);
  return native(() => addon().sliceBatch(checked));
}

/** {@link sliceTensors} on another thread. The bytes must be neither changed nor transferred until it settles. */
export async function sliceTensorsAsync(jobs: SliceJob[]): Promise<Uint8Array[]> {
  const checked = jobs.map(checkSliceJob);
  return nativeAsync(() => addon().sliceBatchAsync(checked));
}

/** Scores this close, relative to the last one kept, count as equal. */
const tieTolerance = 1e-6;

/**
 * The `keep` channels with the highest scores, as sorted indexes. With b the keep-th largest score, everything above
 * b by more than 1e-6·|b| stays, and the places left go to the lowest indexes among those within 1e-6·|b| of b.
 * @throws {SsdPruneError} ERR_USAGE where `keep` isn't in 0…scores.length, or a score isn't finite.
 */
export function selectKept(scores: Float64Array, keep: number): Int32Array {
  if (!Number.isInteger(keep) || keep < 0 || keep > scores.length) {
    throw invalidArgument('keep', `an integer from 0 to ${scores.length}`, keep);
  }
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad >= 0) throw invalidArgument(`scores[${bad}]`, 'a finite number', scores[bad]);
  if (keep === 0) return new Int32Array(0);
  const boundary = scores.slice().sort()[scores.length - keep]!;
  const slack = tieTolerance * Math.abs(boundary);
  let places = keep;
  for (const score of scores) if (score > boundary + slack) places -= 1;
  const kept = new Int32Array(keep);
  let count = 0;
  for (let i = 0; i < scores.length && count < keep; ++i) {
    const score = scores[i]!;
    if (score > boundary + slack) kept[count++] = i;
    else if (score >= boundary - slack && places > 0) {
      kept[count++] = i;
      places -= 1;
    }
  }
  return kept;
}

function checkRankJob(job: RankJob, i: number): NativeRankJob {
  const where = typeof job.name === 'string' ? `${job.name}: ` : `jobs[${i}].`;
  const dataType = dataTypes.indexOf(job.dataType);
  if (dataType < 0) throw invalidArgument(`${where}dataType`, `one of ${dataTypes.join(', ')}`, job.dataType);
  if (!criteria.includes(job.criterion)) {
    throw new SsdPruneError(
      'ERR_UNSUPPORTED_CRITERION',
      `${where}unknown criterion ${JSON.stringify(job.criterion)}; there are ${criteria.join(', ')}`,
    );
  }
  checkTensor(where, job.bytes, elementSizes[job.dataType], job.dims);
  const { axis, dims } = job;
  if (!Number.isInteger(axis) || axis < 0 || axis >= dims.length) {
    throw invalidArgument(`${where}axis`, `an axis of a tensor of shape [${dims.join(', ')}]`, axis);
  }
  const keep: (Int32Array | null)[] = dims.map(() => null);
  for (const other of job.keepOther ?? []) {
    const fits = Number.isInteger(other.axis) && other.axis >= 0 && other.axis < dims.length && other.axis !== axis;
    if (!fits || keep[other.axis] !== null) {
      throw invalidArgument(
        `${where}keepOther axis`,
        `another axis than ${axis}, each once, below ${dims.length}`,
        other.axis,
      );
    }
    checkIndexes(`${where}keepOther indexes of axis ${other.axis}`, other.indexes, dims[other.axis]!);
    keep[other.axis] = other.indexes;
  }
  checkCriterion(where, job);
  // One value a channel: its absolute value is its L1 norm.
  const criterion = job.criterion === 'values' ? 0 : criteria.indexOf(job.criterion);
  return { bytes: job.bytes, dataType, dims, axis, criterion, keep };
}

/** Criteria that are defined only for some tensors. */
function checkCriterion(where: string, { criterion, dataType, dims, axis }: RankJob): void {
  if (criterion === 'values' && dims.some((dim, i) => i !== axis && dim !== 1)) {
    throw new SsdPruneError(
      'ERR_UNSUPPORTED_CRITERION',
      `${where}criterion values needs one value a channel, but axis ${axis} of shape [${dims.join(', ')}] has more; rank by l1_norm`,
    );
  }
  if (criterion === 'l1_paddle1x' && (dataType !== 'float32' || axis !== 0)) {
    throw new SsdPruneError(
      'ERR_UNSUPPORTED_CRITERION',
      `${where}Paddle 1.x ranks float32 weights on axis 0, not ${dataType} on axis ${axis}; rank by l1_norm`,
    );
  }
}

function checkSliceJob(job: SliceJob, i: number): NativeSliceJob {
  const where = `jobs[${i}].`;
  if (![1, 2, 4, 8].includes(job.elementSize)) {
    throw invalidArgument(`${where}elementSize`, '1, 2, 4 or 8', job.elementSize);
  }
  checkTensor(where, job.bytes, job.elementSize, job.dims);
  if (!Array.isArray(job.keep) || job.keep.length !== job.dims.length) {
    throw invalidArgument(`${where}keep`, `an array with one entry for each of ${job.dims.length} axes`, job.keep);
  }
  job.keep.forEach((indexes, axis) => {
    if (indexes !== null) checkIndexes(`${where}keep[${axis}]`, indexes, job.dims[axis]!);
  });
  return job;
}

function checkTensor(where: string, bytes: Uint8Array, elementSize: number, dims: number[]): void {
  if (!(bytes instanceof Uint8Array)) throw invalidArgument(`${where}bytes`, 'a Uint8Array', bytes);
  if (!Array.isArray(dims) || !dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    throw invalidArgument(`${where}dims`, 'an array of dimensions', dims);
  }
  const expected = dims.reduce((product, dim) => product * dim, elementSize);
  if (bytes.length !== expected) {
    throw invalidArgument(`${where}bytes.length`, `${expected} (shape [${dims.join(', ')}])`, bytes.length);
  }
}

function checkIndexes(name: string, indexes: Int32Array, dim: number): void {
  if (!(indexes instanceof Int32Array)) throw invalidArgument(name, 'an Int32Array', indexes);
  for (const index of indexes) {
    if (index < 0 || index >= dim) throw invalidArgument(name, `indexes from 0 to ${dim - 1}`, index);
  }
}

function checkScores(jobs: RankJob[], scores: Float64Array[]): Float64Array[] {
  scores.forEach((channels, i) => {
    const bad = channels.findIndex((score) => !Number.isFinite(score));
    if (bad < 0) return;
    const { name, criterion } = jobs[i]!;
    throw new SsdPruneError(
      'ERR_BAD_MODEL',
      `${name}: channel ${bad} has ${criterion} ${channels[bad]}: its weights hold NaN or infinity, or overflow. Leave it out of the pattern or mend the model.`,
    );
  });
  return scores;
}

function native<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw nativeError(error);
  }
}

/** Awaits native work; what it throws becomes an error of this package. */
export async function nativeAsync<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw nativeError(error);
  }
}
