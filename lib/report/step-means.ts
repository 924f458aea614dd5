import type { LossReport, StepEvent } from '../train/trainer-events';

/** Several steps in one: losses, gradients and speed are means of them, all else is the last one's. */
export type StepMean = Omit<StepEvent, 'event' | 'secondsLeft'>;

/** The sums of steps of which no mean was made yet; plain JSON. */
export interface OpenMean {
  count: number;
  loss: LossReport;
  gradientNorm: number;
  imagesPerSecond: number;
}

/** Points of a run's curves, at most. */
export const mostPoints = 1000;

/**
 * Makes few points of many steps: one for each stretch of them, and stretches end at the same steps however often the
 * run was stopped in between.
 */
export class StepMeans {
  #open: OpenMean = none();

  /** What was summed up since the last point; it goes on from there. */
  get open(): OpenMean {
    return this.#open;
  }

  set open(open: OpenMean) {
    this.#open = open;
  }

  /** Adds a step. @returns the point, where it ends a stretch */
  add(event: StepEvent): StepMean | undefined {
    const { event: _, secondsLeft, ...step } = event;
    const open = this.#open;
    open.count++;
    open.gradientNorm += step.gradientNorm;
    open.imagesPerSecond += step.imagesPerSecond;
    for (const part of lossParts) open.loss[part] += step.loss[part];
    if (step.step % Math.ceil(step.steps / mostPoints) !== 0 && step.step !== step.steps) return undefined;
    const { count, loss } = open;
    this.#open = none();
    for (const part of lossParts) loss[part] /= count;
    return {
      ...{ ...step, loss },
      ...{ gradientNorm: open.gradientNorm / count, imagesPerSecond: open.imagesPerSecond / count },
    };
  }
}

export const lossParts = ['total', 'classes', 'boxes', 'teacherClasses', 'teacherBoxes', 'teacherFeatures'] as const;

const none = (): OpenMean => ({
  ...{ count: 0, gradientNorm: 0, imagesPerSecond: 0 },
  loss: { total: 0, classes: 0, boxes: 0, teacherClasses: 0, teacherBoxes: 0, teacherFeatures: 0 },
});
