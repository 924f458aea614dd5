import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Metric } from '../compress/metric';
import { SsdPruneError } from '../errors';
import { readError } from '../files';
import type { Evaluation } from '../train/trainer-events';
import type { StepMean } from './step-means';

/** What a log tells of a run. */
export interface RunHistory {
  /** Of the loss curves, in the order of steps. */
  readonly points: readonly StepMean[];
  /** On the pictures held back. */
  readonly evaluations: readonly Evaluation[];
  /** On the evaluation split. */
  readonly metrics: readonly Metric[];
  /** `macs`: of the model that was left. */
  readonly cuts: readonly { strategy: string; epoch: number; step: number; macs: number }[];
}

const count = z.number().min(0);
/** JSON has no word for what is not a number. */
const figure = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const loss = z.object({
  ...{ total: figure, classes: figure, boxes: figure, teacherClasses: figure, teacherBoxes: figure },
  // Not in logs of versions that had no such part.
  teacherFeatures: figure.optional().transform((value) => value ?? 0),
});

const lines = {
  step: z.object({
    ...{ step: count, steps: count, epoch: count, loss },
    ...{ rate: figure, gradientNorm: figure, imagesPerSecond: figure },
  }),
  evaluation: z.object({ step: count, epoch: count, map: z.number() }),
  metric: z.object({
    ...{ stage: z.enum(['start', 'cut', 'epoch']), epoch: count, step: count },
    ...{ map: z.number(), meanOver20: z.number().nullable() },
  }),
  cut: z.object({ strategy: z.string(), epoch: count, report: z.object({ macs: z.object({ after: count }) }) }),
};

/**
 * Reads the log that a run wrote, or is writing: half a line at its end is passed over.
 * @throws {SsdPruneError} ERR_IO; ERR_BAD_DATA with file and line for what is no line of a log
 */
export async function readRunLog(file: string): Promise<RunHistory> {
  const log = await readFile(file, 'utf8').catch((error: unknown) => {
    throw readError(`log ${file}`, error);
  });
  const history = {
    ...{ points: [] as StepMean[], evaluations: [] as Evaluation[] },
    ...{ metrics: [] as Metric[], cuts: [] as RunHistory['cuts'][number][] },
  };
  let step = 0;
  log
    .split('\n')
    .slice(0, -1)
    .forEach((line, i) => {
      const parsed = parseLine(line, `${file}:${i + 1}`);
      const read = <T>(schema: z.ZodType<T>): T => {
        const { data, error } = schema.safeParse(parsed);
        if (!error) return data;
        const [issue] = error.issues;
        throw new SsdPruneError('ERR_BAD_DATA', `${file}:${i + 1}: ${issue!.path.join('.')}: ${issue!.message}`);
      };
      if (parsed.event === 'step') history.points.push(read(lines.step));
      if (parsed.event === 'evaluation') history.evaluations.push(read(lines.evaluation));
      if (parsed.event === 'metric') history.metrics.push(read(lines.metric));
      if (parsed.event === 'cut') {
        const { strategy, epoch, report } = read(lines.cut);
        history.cuts.push({ strategy, epoch, step, macs: report.macs.after });
      }
      if (typeof parsed.step === 'number') step = parsed.step;
    });
  return history;
}

function parseLine(line: string, place: string): { event: string; step?: unknown } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (error) {
    throw new SsdPruneError('ERR_BAD_DATA', `${place}: no line of JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof (parsed as { event?: unknown } | null)?.event === 'string') return parsed as { event: string };
  throw new SsdPruneError('ERR_BAD_DATA', `${place}: no line of a run's log: it tells of no event`);
}
