/** Parts of a step's loss, weighted so that they add up to `total`. */
export interface LossReport {
  total: number;
  classes: number;
  boxes: number;
  teacherClasses: number;
  teacherBoxes: number;
  teacherFeatures: number;
}

/** A step was taken. */
export interface StepEvent {
  event: 'step';
  /** Steps taken, this one included, and how many there will be. */
  step: number;
  steps: number;
  /** Epochs that are through, such as 1.25. */
  epoch: number;
  loss: LossReport;
  /** Learning rate, before parameters' own multipliers. */
  rate: number;
  /** Norm of all gradients before it was limited. */
  gradientNorm: number;
  /** Of the last steps; evaluations don't count. */
  imagesPerSecond: number;
  /** Of training alone, at that speed. */
  secondsLeft: number;
}

/** Weights were judged on the pictures that are held back. */
export interface EvaluationEvent {
  event: 'evaluation';
  step: number;
  epoch: number;
  /** By what is annotated, or, without labels, by what the teacher finds. */
  map: number;
  /** Whether no earlier weights were as good. */
  best: boolean;
  seconds: number;
}

/** Running statistics were measured anew. */
export interface RecalibrationEvent {
  event: 'recalibration';
  batches: number;
}

export type TrainEvent = StepEvent | EvaluationEvent | RecalibrationEvent;

/** What weights are worth on the pictures that are held back. */
export interface Evaluation {
  step: number;
  epoch: number;
  map: number;
}

/** How a run went, up to where it is. */
export interface TrainResult {
  /** Whether all steps are taken; a run that was stopped by `maxSteps` goes on with the next call. */
  finished: boolean;
  step: number;
  steps: number;
  /** Of the model as it was given, at step 0, and of every evaluation since. Empty where nothing is held back. */
  evaluations: readonly Evaluation[];
  /** The best of them: the first one where several are. */
  best: Evaluation | undefined;
  /** Whether the best weights are the ones that the run began with: training made nothing better. */
  belowStart: boolean;
  /** Of this call's steps; 0 where it took none. */
  imagesPerSecond: number;
}
