import type { Dataset } from '../data/dataset';
import { SsdPruneError } from '../errors';
import type { DetectorSettings } from '../model/detector';
import { detectorKey } from '../model/detector-key';
import type { OnnxModel } from '../model/onnx-model';
import { type DetectorNetwork, readNetwork } from './network';
import type { RecipeOptions } from './recipe';

/** The network that a trained one is to be like, such as the unpruned one. */
export interface Teacher {
  model: OnnxModel;
  /** Defaults to those of the trained network. */
  detector?: DetectorSettings;
}

/**
 * A teacher's file with its settings: its own, else those of `detectorFile`, else none: then the trained network's hold
 * for it.
 */
export async function readTeacher(file: string, detectorFile: string | undefined): Promise<Teacher> {
  const { readModel } = require('../model/read') as typeof import('../model/read');
  const { readDetectorSettings } = require('../model/detector') as typeof import('../model/detector');
  const model = await readModel(file);
  if (model.metadata(detectorKey) !== undefined) return { model, detector: readDetectorSettings(model) };
  return detectorFile === undefined ? { model } : { model, detector: readDetectorSettings(model, detectorFile) };
}

/**
 * The teacher's network, for a student with these settings.
 * @throws {SsdPruneError} ERR_BAD_CONFIG where it reads other pictures or says something else of them; what
 * {@link readNetwork} throws
 */
export function teacherNetwork({ model, detector: own }: Teacher, detector: DetectorSettings): DetectorNetwork {
  const settings = own ?? detector;
  const same =
    settings.classes.slice(1).join() === detector.classes.slice(1).join() &&
    settings.variances.join() === detector.variances.join() &&
    settings.priors.length === detector.priors.length &&
    settings.priors.every((value, i) => value === detector.priors[i]);
  const input = ({ width, height, channels, mean, std }: DetectorSettings['input']) =>
    JSON.stringify([width, height, channels, mean, std]);
  if (!same || input(settings.input) !== input(detector.input)) {
    throw new SsdPruneError(
      'ERR_BAD_CONFIG',
      `The teacher ${model.file ?? ''} has other classes, prior boxes, variances or input settings than the network that it is to teach`,
    );
  }
  return readNetwork(model, settings);
}

/**
 * Checks that weights which only a teacher gives sense to have one.
 * @throws {SsdPruneError} ERR_USAGE
 */
export function checkTaught(taught: boolean, { labels, loss }: Pick<RecipeOptions, 'labels' | 'loss'>): void {
  if (taught) return;
  if (labels === 'none') {
    throw new SsdPruneError(
      'ERR_USAGE',
      'Without labels there is nothing to learn from but a teacher: give one (--teacher).',
    );
  }
  if ((loss?.teacher?.featureWeight ?? 0) > 0) {
    throw new SsdPruneError(
      'ERR_USAGE',
      "A weight for the teacher's inner maps (--teacher-features) needs a teacher: give one (--teacher), or leave it off.",
    );
  }
}

/**
 * Labels are indexes: what they mean must be the same on both sides.
 * @throws {SsdPruneError} ERR_BAD_DATA naming the first class that differs
 */
export function checkClasses(dataset: Pick<Dataset, 'classes'>, detector: DetectorSettings): void {
  const [data, own] = [dataset.classes.slice(1), detector.classes.slice(1)];
  if (data.join() === own.join()) return;
  const at = own.findIndex((name, i) => name !== data[i]);
  throw new SsdPruneError(
    'ERR_BAD_DATA',
    `The pictures' classes are not the detector's: class ${at + 1} is ${data[at] ?? 'missing'}, where the detector has ${own[at] ?? 'none'}`,
  );
}
