import { minAndMedian } from '../bench/bench';
import { measureLatency, type TimedModel, turnRuns } from '../bench/latency';
import { uniform } from '../model/random';

/** Milliseconds of whole runs of one model. */
export interface RunTimes {
  readonly minMilliseconds: number;
  readonly medianMilliseconds: number;
}

/** Two models timed side by side. */
export interface EndToEnd {
  readonly before: RunTimes;
  readonly after: RunTimes;
  /** Median latency as a share of the original's. */
  readonly share: number;
  /** Standard error of the share, by resampling turns; what disturbed the machine shows here. */
  readonly standardError: number;
  /** Runs of each model. */
  readonly runs: number;
}

export interface RaceOptions {
  threads: number;
  inputShapes?: ReadonlyMap<string, readonly number[]> | undefined;
  /** Standard error that is good enough. */
  goal: number;
  /** No further runs begin after this. */
  seconds: number;
  signal?: AbortSignal | undefined;
}

/** Runs of a model between two looks at the clock, at least, and milliseconds that they take about. */
const [leastRuns, batchMilliseconds] = [2 * turnRuns, 700];

/** Times a model beside the original until the share is certain enough or time is up. */
export async function race(original: TimedModel, candidate: TimedModel, options: RaceOptions): Promise<EndToEnd> {
  const { threads, inputShapes, goal, seconds, signal } = options;
  const began = performance.now();
  const times: [number[], number[]] = [[], []];
  for (let runs = leastRuns; ; ) {
    const { series } = await measureLatency([original, candidate], {
      batchSizes: [1],
      threads: [threads],
      runs,
      warmup: 2,
      ...(inputShapes && { inputShapes }),
      ...(signal && { signal }),
    });
    for (const { model, milliseconds } of series) times[model as 0 | 1].push(...milliseconds);
    const found = summarise(times[0], times[1]);
    if (found.standardError <= goal || performance.now() - began > 1000 * seconds) return found;
    const turns = Math.round(batchMilliseconds / found.before.medianMilliseconds / turnRuns);
    runs = turnRuns * Math.max(leastRuns / turnRuns, turns);
  }
}

/** Figures of runs that took turns, {@link turnRuns} at a stretch. Exported for the tests. */
export function summarise(before: readonly number[], after: readonly number[]): EndToEnd {
  const times = [before, after].map((values): RunTimes => {
    const { min, median } = minAndMedian(values);
    return { minMilliseconds: min, medianMilliseconds: median };
  }) as [RunTimes, RunTimes];
  const share = times[1].medianMilliseconds / times[0].medianMilliseconds;
  return {
    before: times[0],
    after: times[1],
    share,
    standardError: bootstrapError(before, after),
    runs: before.length,
  };
}

/** Draws for the standard error. */
const draws = 100;

/** Standard deviation of the share over draws of turns with replacement: the runs of a turn are disturbed together. */
function bootstrapError(before: readonly number[], after: readonly number[]): number {
  const turns = Math.ceil(before.length / turnRuns);
  const random = uniform(0, 'latency');
  const shares = Array.from({ length: draws }, (_, draw) => {
    const [own, other]: [number[], number[]] = [[], []];
    for (let turn = 0; turn < turns; turn++) {
      const start = turnRuns * Math.floor(turns * random(draw * turns + turn));
      own.push(...before.slice(start, start + turnRuns));
      other.push(...after.slice(start, start + turnRuns));
    }
    return minAndMedian(other).median / minAndMedian(own).median;
  });
  const mean = shares.reduce((a, b) => a + b, 0) / draws;
  return Math.sqrt(shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / (draws - 1));
}
