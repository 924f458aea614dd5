import type { NativeStepReport } from '../native/trainer';
import type { Recipe } from './recipe';
import { learningRate } from './schedule';
import type { StepEvent } from './trainer-events';

/** What is told of a step that was taken, the `step`th, at a speed of so many images a second. */
export function stepEvent(report: NativeStepReport, recipe: Recipe, step: number, imagesPerSecond: number): StepEvent {
  const { steps, stepsPerEpoch, schedule, batchSize } = recipe;
  const { loss: total, classes, boxes, teacherClasses, teacherBoxes, teacherFeatures, gradientNorm } = report;
  return {
    ...{ event: 'step', step, steps, epoch: step / stepsPerEpoch },
    loss: { total, classes, boxes, teacherClasses, teacherBoxes, teacherFeatures },
    rate: learningRate(schedule, step - 1),
    ...{ gradientNorm, imagesPerSecond },
    secondsLeft: ((steps - step) * batchSize) / imagesPerSecond,
  };
}
