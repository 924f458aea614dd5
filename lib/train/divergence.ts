import { SsdPruneError } from '../errors';
import type { NativeStepReport } from '../native/trainer';

/** As native/train/trainer.h numbers them. */
export const StepStatus = { done: 0, aborted: 1, badOutput: 2, lossLimit: 3, badGradient: 4 } as const;

/** The running mean of the loss, how many steps are in it, and the least that it ever was. */
export interface LossMean {
  mean: number;
  count: number;
  lowest: number;
}

/** Steps that the mean is over, about. */
const lossWindow = 20;

/** What losses count as at least: pictures without objects have none, and a network that begins as its teacher neither. */
const leastLoss = 1;

export const noLoss: LossMean = { mean: 0, count: 0, lowest: 0 };

export function withLoss({ mean, count, lowest }: LossMean, loss: number): LossMean {
  const steps = Math.min(count + 1, lossWindow);
  const now = mean + (loss - mean) / steps;
  return { mean: now, count: steps, lowest: count === 0 ? now : Math.min(lowest, now) };
}

/**
 * The loss above which a step is an explosion, from the second step on: so many times the least that its running mean
 * ever was. The mean of now would follow a loss that grows step by step.
 */
export function explosionLimit({ count, lowest }: LossMean, times: number | null): number {
  if (times === null || count === 0) return Number.POSITIVE_INFINITY;
  return times * Math.max(lowest, leastLoss);
}

/** Why a step was not taken, in words; the report's indexes have their names here. */
export function divergence(
  { status, loss, badPrior }: NativeStepReport,
  where: {
    step: number;
    rate: number;
    lossLimit: number;
    picture: string | undefined;
    parameter: string | undefined;
  },
): SsdPruneError {
  const { step, rate, lossLimit, picture, parameter } = where;
  const limit = Number.isFinite(lossLimit) ? `, where ${lossLimit.toPrecision(4)} is the limit` : '';
  const what =
    status === StepStatus.badOutput
      ? `the network's output for ${picture}, prior box ${badPrior}, is NaN or infinite`
      : status === StepStatus.lossLimit
        ? `the loss is ${loss.toPrecision(4)}${limit}`
        : `the gradient of ${parameter ?? 'a parameter'} is NaN or infinite`;
  return new SsdPruneError(
    'ERR_DIVERGED',
    `Step ${step}: ${what}. The step was not taken; try a lower learning rate (it is ${rate.toPrecision(3)})`,
  );
}

/** For weights that evaluation, after so many steps, finds to detect boxes beyond all bounds. */
export const unbounded = (step: number, cause: Error): SsdPruneError =>
  new SsdPruneError(
    'ERR_DIVERGED',
    `Evaluated after step ${step}: ${cause.message}. The run ends here; try a lower learning rate`,
    { cause },
  );
