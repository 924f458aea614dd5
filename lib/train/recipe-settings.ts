import { invalidArgument } from '../errors';
import type { Precision } from '../native/engine';
import type { AugmentationName } from './augmentation';
import type { OptimizerSettings } from './optimizer';
import type { RecipeOptions } from './recipe';

/** What people say of a recipe, one value a name: the options of `finetune`, and the section `training` of a run. */
export interface RecipeSettings {
  batchSize: number;
  microBatch?: number;
  precision: Precision;
  rate?: number;
  decay: 'cosine' | 'paddle' | 'constant';
  warmUp?: number;
  headsFirst: number;
  optimizer: OptimizerSettings['rule'];
  maxNorm: number;
  average: number;
  weightDecay: number;
  backboneRate: number;
  loss?: 'softmax' | 'focal';
  overlap: number;
  augment: AugmentationName;
  teacherClasses: number;
  teacherBoxes: number;
  teacherFeatures?: number;
  temperature: number;
  batchStatistics: boolean;
  recalibrate?: number;
  heldBack: number;
  explosion?: number | null;
  seed: number;
  labels: 'annotations' | 'none';
}

/** What is said of a setting. */
export interface RecipeKey {
  describe: string;
  choices?: readonly string[];
  default?: unknown;
  /** What happens without it, where that is no constant. */
  unset?: string;
}

/**
 * What the settings mean, their default and their choices: both doors take them from here.
 */
export const recipeKeys = {
  batchSize: { default: 8, describe: 'Pictures of a step' },
  microBatch: { describe: 'Pictures at a time', unset: 'the batch with BatchNormalization, else up to 8' },
  precision: {
    choices: ['fp32', 'bf16'],
    default: 'fp32',
    describe: 'What products multiply; bf16: faster, needs AVX512-BF16',
  },
  rate: { describe: 'Greatest learning rate', unset: '0.0006 with muon, 0.0005 with adamw, else 0.001' },
  decay: { choices: ['cosine', 'paddle', 'constant'], default: 'cosine', describe: 'How the rate goes down' },
  warmUp: { describe: 'Steps in which the rate rises', unset: 'a twentieth, at most 100' },
  headsFirst: { default: 0, describe: 'Epochs that train the heads alone' },
  optimizer: { choices: ['sgd', 'rmsprop', 'adamw', 'muon'], default: 'muon', describe: 'How weights follow' },
  maxNorm: { default: 10, describe: 'Greatest norm of the gradients; 0: no limit' },
  average: { default: 0.998, describe: 'Share that the averaged weights keep a step; 0: no average' },
  weightDecay: { default: 0.0005, describe: 'Decay of filters' },
  backboneRate: { default: 1, describe: 'Multiplies the rate of filters outside the heads' },
  loss: {
    choices: ['softmax', 'focal'],
    describe: 'Class loss',
    unset: '"focal" for heads trained with sigmoids, else "softmax"',
  },
  overlap: { default: 0.5, describe: 'Intersection over union from which on a prior box answers for an object' },
  augment: {
    choices: ['paddle', 'light', 'none'],
    default: 'light',
    describe: 'What happens to pictures; light: little crops, turned; none: only resized',
  },
  teacherClasses: { default: 1, describe: "Weight of the teacher's class scores" },
  teacherBoxes: { default: 1, describe: "Weight of the teacher's boxes" },
  teacherFeatures: {
    describe: "Weight of the distance from the teacher's inner maps",
    unset: '200 for a network that was cut from it, else 0',
  },
  temperature: { default: 1, describe: "Softens both's class scores" },
  batchStatistics: { default: true, describe: 'BatchNormalization by the batch, else by what the model says' },
  recalibrate: {
    describe: 'Batches that running statistics are measured on first',
    unset: '16 with BatchNormalization',
  },
  heldBack: { default: 0.1, describe: 'Share of the pictures that the best weights are chosen by' },
  explosion: { default: 20, describe: 'A loss so many times the least running mean stops the run; none: never' },
  seed: { default: 0, describe: 'Everything random follows from it' },
  labels: {
    choices: ['annotations', 'none'],
    default: 'annotations',
    describe: 'What is learnt besides the teacher; none: its scores and boxes alone, on any pictures',
  },
} as const satisfies Record<keyof RecipeSettings, RecipeKey>;

/**
 * The settings as a recipe takes them.
 * @throws {SsdPruneError} ERR_USAGE for a number whose 0 stands for "not at all", and which isn't from there up
 */
export function recipeOptions(settings: RecipeSettings): Omit<RecipeOptions, 'epochs' | 'evaluateEvery'> {
  const { batchSize, precision, decay, headsFirst, augment, batchStatistics, heldBack, seed, labels } = settings;
  const { optimizer: rule, maxNorm, average, weightDecay, backboneRate } = settings;
  if (!(average >= 0 && average < 1)) throw invalidArgument('average', 'a share from 0 to below 1', average);
  if (!(maxNorm >= 0)) throw invalidArgument('maxNorm', 'a number from 0 up', maxNorm);
  const given = <K extends keyof RecipeSettings>(key: K) =>
    settings[key] === undefined ? {} : { [key]: settings[key] };
  return {
    ...{ batchSize, precision, decay, headsFirst, augment, batchStatistics, heldBack, seed, labels },
    ...{ ...given('microBatch'), ...given('rate'), ...given('warmUp'), ...given('recalibrate'), ...given('explosion') },
    optimizer: { rule, ...(maxNorm > 0 && { maxNorm }), ...(average > 0 && { average }) },
    groups: { weightDecay, backboneRate },
    loss: {
      ...(settings.loss !== undefined && { classes: settings.loss }),
      overlap: settings.overlap,
      teacher: {
        classWeight: settings.teacherClasses,
        boxWeight: settings.teacherBoxes,
        ...(settings.teacherFeatures !== undefined && { featureWeight: settings.teacherFeatures }),
        temperature: settings.temperature,
      },
    },
  };
}
