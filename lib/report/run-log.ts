import type { StepMean } from './step-means';

/** What a log tells of a run. */
export interface RunHistory {
  /** Of the loss curves, in the order of steps. */
  readonly points: readonly StepMean[];
}
