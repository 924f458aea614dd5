import type { Dataset, Sample } from '../data/dataset';
import { invalidArgument } from '../errors';
import type { DetectorSettings } from '../model/detector';
import type { OnnxModel } from '../model/onnx-model';
import { type FeaturePairs, haveFeatures, pairFeatures } from './feature-pairs';
import { holdBack } from './held-back';
import { type DetectorNetwork, readNetwork } from './network';
import { completeRecipe, type Recipe } from './recipe';
import { checkClasses, checkTaught, teacherNetwork } from './teacher';
import type { TrainerOptions } from './trainer-options';

/** All that a training is before there is any memory for it. */
export interface PlannedTraining {
  network: DetectorNetwork;
  taught: DetectorNetwork | undefined;
  /** Inner maps that are compared with the teacher's; undefined where none are. */
  pairs: FeaturePairs | undefined;
  trained: readonly Sample[];
  held: readonly Sample[];
  recipe: Recipe;
}

/**
 * What a model is trained with, and on what.
 * @throws {SsdPruneError} what {@link pairFeatures} throws; ERR_UNSUPPORTED_OP naming what can't be trained, ERR_BAD_CONFIG for detector settings that
 * don't fit, ERR_BAD_DATA for other classes, ERR_USAGE naming an option that makes no sense, ERR_NO_BF16
 */
export function planTraining(
  model: OnnxModel,
  detector: DetectorSettings,
  dataset: Pick<Dataset, 'classes' | 'samples'>,
  { teacher, threads: _, ...given }: TrainerOptions,
): PlannedTraining {
  checkTaught(teacher !== undefined, given);
  const network = readNetwork(model, detector);
  checkClasses(dataset, detector);
  const { trained, held } = holdBack(dataset.samples, given.heldBack ?? 0.1, given.seed ?? 0);
  if (trained.length === 0) {
    const left = `a share that leaves pictures to train on, of ${dataset.samples.length},`;
    throw invalidArgument('heldBack', left, given.heldBack ?? 0.1);
  }
  const taught = teacher && teacherNetwork(teacher, detector);
  const comparable = taught !== undefined && haveFeatures(network, taught);
  const recipe = completeRecipe(given, { pictures: trained.length, comparable, ...network });
  const compared = (recipe.loss.teacher?.featureWeight ?? 0) > 0;
  const pairs = taught && compared ? pairFeatures(network, taught) : undefined;
  return { network, taught, pairs, trained, held, recipe };
}
