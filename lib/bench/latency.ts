import { throwIfAborted } from '../abort';
import { invalidArgument, SsdPruneError } from '../errors';
import type { Device, DeviceChoice } from '../evaluate/providers';
import { DetectorSession } from '../evaluate/session';
import { checkInputNames, type PictureSize } from '../model/input-shapes';
import { type BenchInput, benchFeeds, completeInputs, fixedBatchOf, leavesSizesOpen } from './feeds';

/** A model to time: a file (external data lies beside it) or its bytes. */
export interface TimedModel {
  name: string;
  model: string | Uint8Array;
}

export interface LatencyOptions {
  /** Pictures a run; several give a series each. Defaults to `[1, 8]`. */
  batchSizes?: readonly number[];
  /** Threads of a session; several give a series each, 0 is one a core. Defaults to `[1]`. */
  threads?: readonly number[];
  /** Timed runs a series. Defaults to `50`. */
  runs?: number;
  /** Runs before the first timed one. Defaults to `5`. */
  warmup?: number;
  /** Defaults to `cpu`. */
  device?: DeviceChoice;
  /** Dimensions of inputs, by name, where a model leaves them open. */
  inputShapes?: ReadonlyMap<string, readonly number[]>;
  onProgress?: (done: number, total: number) => void;
  /** Looked at between turns. */
  signal?: AbortSignal;
}

/** The runs of one model with one thread count and batch size. */
export interface LatencySeries {
  /** Index of the model in the list. */
  model: number;
  threads: number;
  batchSize: number;
  /** Milliseconds of each run of the session, in order. */
  milliseconds: number[];
}

export interface LatencyMeasurement {
  device: Device;
  /** Why the device is not CUDA, where `auto` was asked for. */
  note: string | undefined;
  models: { inputs: BenchInput[]; fixedBatch: number | null }[];
  series: LatencySeries[];
}

/**
 * Timed runs at a stretch before the next model has its turn. An untimed run goes before them, so that neither the
 * neighbour's data in the caches nor the copy of the input is in a figure; short enough (a few hundred ms at most)
 * that what slows the machine for a while hits all models.
 */
export const turnRuns = 5;

/**
 * Times models side by side in ONNX Runtime. They take turns in one process, each session in a thread of its own and
 * idle while another runs, so that a machine that gets slower or faster in between changes all figures alike.
 * @throws {SsdPruneError} ERR_USAGE (arguments, open input sizes), ERR_ABORTED, and what {@link DetectorSession} throws
 */
export async function measureLatency(
  models: readonly TimedModel[],
  options: LatencyOptions = {},
): Promise<LatencyMeasurement> {
  const { batchSizes = [1, 8], threads = [1], runs = 50, warmup = 5, signal } = options;
  checkList('batchSizes', batchSizes, 1, 4096);
  checkList('threads', threads, 0, 1024);
  checkCount('runs', runs, 1);
  checkCount('warmup', warmup, 0);
  if (models.length === 0) throw new SsdPruneError('ERR_USAGE', 'Say which models to time.');
  let first: Omit<LatencyMeasurement, 'series'> | undefined;
  const series: LatencySeries[] = [];
  let [done, total] = [0, 0];
  for (const threadCount of threads) {
    const sessions = await openAll(models, threadCount, options.device ?? 'cpu');
    try {
      if (!first) {
        const inputs = await Promise.all(models.map((model, i) => inputsOf(model, sessions[i]!, options.inputShapes)));
        checkInputNames(options.inputShapes, inputs.flat());
        checkBatches(inputs.flat(), options.inputShapes, batchSizes);
        const facts = inputs.map((list) => ({ inputs: list, fixedBatch: fixedBatchOf(list) }));
        first = { device: sessions[0]!.device, note: sessions[0]!.note, models: facts };
        total =
          threads.length * runs * facts.reduce((sum, { fixedBatch }) => sum + (fixedBatch ? 1 : batchSizes.length), 0);
      }
      const facts = first.models;
      for (const batchSize of allBatchSizes(facts, batchSizes)) {
        const runners = facts.flatMap(({ inputs, fixedBatch }, model) => {
          if (fixedBatch === null ? !batchSizes.includes(batchSize) : fixedBatch !== batchSize) return [];
          const milliseconds: number[] = [];
          series.push({ model, threads: threadCount, batchSize, milliseconds });
          return [{ session: sessions[model]!, feeds: benchFeeds(inputs, batchSize), milliseconds }];
        });
        for (const { session, feeds } of runners) {
          throwIfAborted(signal);
          await session.time(feeds, { runs: 0, warmup }).catch((error) => {
            throw atBatchSize(error, batchSize);
          });
        }
        for (let round = 0; round * turnRuns < runs; round++) {
          const count = Math.min(turnRuns, runs - round * turnRuns);
          // Everyone comes first equally often: what follows a large model finds the caches emptier.
          for (let i = 0; i < runners.length; i++) {
            throwIfAborted(signal);
            const { session, feeds, milliseconds } = runners[(i + round) % runners.length]!;
            milliseconds.push(...(await session.time(feeds, { runs: count, warmup: 1 })));
            done += count;
            options.onProgress?.(done, total);
          }
        }
      }
    } finally {
      await Promise.all(sessions.map((session) => session.close()));
    }
  }
  return { ...first!, series };
}

/** Sessions of all models; where one fails, the others are closed. */
async function openAll(
  models: readonly TimedModel[],
  threads: number,
  device: DeviceChoice,
): Promise<DetectorSession[]> {
  const opening = models.map(({ name, model }) => DetectorSession.create(model, { device, threads, name }));
  const opened = await Promise.allSettled(opening);
  const failed = opened.find((result) => result.status === 'rejected');
  const sessions = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (!failed) return sessions;
  await Promise.all(sessions.map((session) => session.close()));
  throw failed.reason;
}

/** A model's inputs; the detector settings in its metadata say how large its pictures are where it doesn't. */
async function inputsOf(
  { name, model }: TimedModel,
  session: DetectorSession,
  inputShapes: LatencyOptions['inputShapes'],
): Promise<BenchInput[]> {
  let openSize: PictureSize | undefined;
  if (leavesSizesOpen(session.inputs.filter((input) => !inputShapes?.has(input.name)))) {
    const { decodeModel, readModel } = require('../model/read') as typeof import('../model/read');
    const { readDetectorSize } = require('../model/input-shapes') as typeof import('../model/input-shapes');
    openSize = readDetectorSize(typeof model === 'string' ? await readModel(model) : decodeModel(model, name));
  }
  return completeInputs(name, session.inputs, {
    ...(inputShapes && { inputShapes }),
    ...(openSize !== undefined && { openSize }),
  });
}

/** A shape's batch other than 1 must be among the sizes asked for, which an open batch takes. */
function checkBatches(
  inputs: readonly BenchInput[],
  inputShapes: LatencyOptions['inputShapes'],
  batchSizes: readonly number[],
): void {
  for (const { name, openBatch } of inputs) {
    const batch = inputShapes?.get(name)?.[0] ?? 1;
    if (openBatch && batch !== 1 && !batchSizes.includes(batch)) {
      throw new SsdPruneError(
        'ERR_USAGE',
        `--input-shape gives ${name} a batch of ${batch}, --batch-sizes ${batchSizes.join()}: say 1 there.`,
      );
    }
  }
}

/** Sizes asked for, where any model takes them, and those that models are fixed to. */
function allBatchSizes(facts: readonly { fixedBatch: number | null }[], asked: readonly number[]): number[] {
  const sizes = facts.flatMap(({ fixedBatch }) => (fixedBatch === null ? asked : [fixedBatch]));
  return [...new Set(sizes)].sort((a, b) => a - b);
}

/** Exporters write an open batch into models whose inner shapes then allow one size only. */
function atBatchSize(error: unknown, batchSize: number): unknown {
  if (!(error instanceof SsdPruneError) || batchSize === 1) return error;
  return new SsdPruneError(error.code, `${error.message}\nThat was at batch size ${batchSize}: try --batch-sizes 1.`, {
    cause: error,
  });
}

function checkList(name: string, values: readonly number[], least: number, most: number): void {
  for (const value of values) {
    if (!Number.isInteger(value) || value < least || value > most) {
      throw invalidArgument(name, `integers from ${least} to ${most}`, value);
    }
  }
  if (values.length === 0 || new Set(values).size < values.length) {
    throw invalidArgument(name, 'one or more different integers', values.join());
  }
}

function checkCount(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) throw invalidArgument(name, `an integer of ${least} or more`, value);
}
