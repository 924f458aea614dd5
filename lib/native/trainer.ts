import type { NativeLossSettings } from '../train/loss';
import type { NativeOptimizerSettings } from '../train/optimizer';
import type { NativeGraph, Precision } from './engine';

/** A parameter in the flat array of weights, `columns` of a matrix that Muon moves, else 0. */
export interface NativeParameterGroup {
  begin: number;
  end: number;
  weightDecay: number;
  columns: number;
}

/** Numbers of a training step as native/train/trainer.h has them. */
export interface NativeTrainerJob {
  graph: NativeGraph;
  /** Outputs of the graph. */
  scores: number;
  offsets: number;
  microBatch: number;
  microSteps: number;
  precision: Precision;
  /** cx, cy, w, h of each. */
  priors: Float32Array;
  /** With whether the scores of the network, and of its teacher, go through sigmoids. */
  loss: NativeLossSettings & { sigmoidScores: boolean; teacherSigmoidScores: boolean };
  optimizer: NativeOptimizerSettings;
  /** In ascending order of the flat array of weights. */
  groups: NativeParameterGroup[];
  statistics: { begin: number; end: number; momentum: number }[];
  teacher: { graph: NativeGraph; scores: number; offsets: number } | null;
}

/** A step's batch and numbers; its arrays stay as they are until the promise settles. */
export interface NativeTrainerStep {
  pictures: Float32Array;
  /** Objects of picture i are `offsets[i]` … `offsets[i + 1] - 1`. */
  offsets: Int32Array;
  boxes: Float32Array;
  labels: Int32Array;
  /** One a group. */
  learningRates: Float32Array;
  /** 0: no limit. */
  maxNorm: number;
  averageDecay: number;
  batchStatistics: boolean;
  lossLimit: number;
}

export interface NativeStepReport {
  /** 0 done, 1 called off, 2 an output, 3 the loss, 4 a gradient is wrong: nothing was changed then. */
  status: number;
  loss: number;
  classes: number;
  boxes: number;
  teacherClasses: number;
  teacherBoxes: number;
  teacherFeatures: number;
  positives: number;
  negatives: number;
  gradientNorm: number;
  /** −1: none. */
  badPicture: number;
  badPrior: number;
  badGroup: number;
}

/** The flat arrays of a trainer; a number is a plane of its optimiser's state. */
export type NativeTrainerArray = 'weights' | 'teacher' | 'average' | number;

/** A network in training. While a step runs every other call but `abort` throws. */
export interface NativeTrainer {
  readonly bytes: number;
  readonly planes: number;
  step(job: NativeTrainerStep): Promise<NativeStepReport>;
  /** Ends the step that runs at its next pass. */
  abort(): void;
  /** Means and variances of the pictures of one pass. */
  statistics(pictures: Float32Array, found: Float32Array): Promise<void>;
  get(array: NativeTrainerArray, into: Float32Array): void;
  set(array: NativeTrainerArray, values: Float32Array): void;
  /** Steps that each group was trained for. */
  steps(): number[];
  setSteps(steps: number[]): void;
  /** Gives its memory back; every other call but `abort` throws from then on. */
  close(): void;
}
