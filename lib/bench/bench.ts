import { statSync } from 'node:fs';
import { SsdPruneError } from '../errors';
import { runtimeVersion } from '../evaluate/runtime';
import { readError } from '../files';
import { describeGpu, describeMachine, type Machine } from '../machine';
import { type LatencyOptions, type LatencySeries, measureLatency } from './latency';

/** What `bench --json` prints. */
export interface BenchReport {
  schema: 'ssd-prune.bench/1';
  machine: Machine & { gpu: string | null };
  /** Version of ONNX Runtime. */
  runtime: string | null;
  device: string;
  runs: number;
  warmup: number;
  models: BenchedModel[];
  results: BenchResult[];
}

export interface BenchedModel {
  model: string;
  /** Size of the file, without external data. */
  bytes: number;
  inputs: { name: string; type: string; dims: number[] }[];
  /** The one batch size that the model's input allows; null where it takes any. */
  fixedBatch: number | null;
}

/** One model with one thread count and batch size. */
export interface BenchResult {
  model: string;
  threads: number;
  batchSize: number;
  /** Milliseconds of a run of the whole batch. */
  minMilliseconds: number;
  medianMilliseconds: number;
  /** From the median. */
  imagesPerSecond: number;
  /** Times relative to the first model's at the same threads and batch size; null where that has none. */
  ratio: { min: number; median: number } | null;
}

export interface BenchOptions extends LatencyOptions {
  /** Told why `auto` took the CPU, and which batch sizes a model does not take. */
  onNote?: (message: string) => void;
}

/**
 * Latency and throughput of model files side by side, see {@link measureLatency}.
 * @throws {SsdPruneError} ERR_IO, and what {@link measureLatency} throws
 */
export async function benchModels(files: readonly string[], options: BenchOptions = {}): Promise<BenchReport> {
  const sizes = files.map(fileSize);
  const models = files.map((file) => ({ name: file, model: file }));
  const { device, note, models: facts, series } = await measureLatency(models, options);
  if (note) options.onNote?.(note);
  const asked = options.batchSizes ?? [1, 8];
  facts.forEach(({ fixedBatch }, i) => {
    const skipped = fixedBatch === null ? [] : asked.filter((size) => size !== fixedBatch);
    if (skipped.length > 0) {
      options.onNote?.(`${files[i]}: its batch size is fixed at ${fixedBatch}; not measured at ${skipped.join(', ')}`);
    }
  });
  const gpu = device === 'cuda' ? await describeGpu() : null;
  return {
    schema: 'ssd-prune.bench/1',
    machine: { ...describeMachine(), gpu: gpu?.name ?? null },
    runtime: runtimeVersion() ?? null,
    device,
    runs: options.runs ?? 50,
    warmup: options.warmup ?? 5,
    models: facts.map(({ inputs, fixedBatch }, i) => ({
      model: files[i]!,
      bytes: sizes[i]!,
      inputs: inputs.map(({ name, type, dims }) => ({ name, type, dims })),
      fixedBatch,
    })),
    results: benchResults(series, files),
  };
}

/** Figures of each series, in the order of threads, batch size and model. */
export function benchResults(series: readonly LatencySeries[], names: readonly string[]): BenchResult[] {
  return series.map(({ model, threads, batchSize, milliseconds }) => {
    const first = series.find((one) => one.model === 0 && one.threads === threads && one.batchSize === batchSize);
    const own = minAndMedian(milliseconds);
    const base = first && minAndMedian(first.milliseconds);
    return {
      model: names[model]!,
      threads,
      batchSize,
      minMilliseconds: own.min,
      medianMilliseconds: own.median,
      imagesPerSecond: (1000 * batchSize) / own.median,
      ratio: base ? { min: own.min / base.min, median: own.median / base.median } : null,
    };
  });
}

export function minAndMedian(values: readonly number[]): { min: number; median: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  return { min: sorted[0]!, median };
}

function fileSize(file: string): number {
  try {
    const stats = statSync(file);
    if (!stats.isDirectory()) return stats.size;
    throw new SsdPruneError('ERR_BAD_MODEL', `Can't read model ${file}: it is a folder`);
  } catch (error) {
    throw readError(`model ${file}`, error);
  }
}
