import { SsdPruneError } from '../errors';
import type { NativeStepReport } from '../native';

/** As native/train/trainer.h numbers them. */
export const StepStatus = { done: 0, aborted: 1, badOutput: 2, lossLimit: 3, badGradient: 4 } as const;

/** The running mean of the loss, and how many steps are in it. */
export interface LossMean {
  mean: number;
  count: number;
}

/** Steps that the mean is over, about; explosions are looked for once so many are in it. */
const lossWindow = 20;

export function withLoss({ mean, count }: LossMean, loss: number): LossMean {
  const steps = Math.min(count + 1, lossWindow);
  return { mean: mean + (loss - mean) / steps, count: steps };
}

/** The loss above which a step is an explosion: so many times the running mean. */
export function explosionLimit({ mean, count }: LossMean, times: number | null): number {
  return times === null || count < lossWindow ? Number.POSITIVE_INFINITY : times * mean;
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
