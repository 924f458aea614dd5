import { invalidArgument } from '../errors';
import type { DetectorSettings } from '../model/detector';

/** What a teacher, the unpruned network, adds to the loss. */
export interface TeacherSettings {
  /** How class scores are compared: as one softmax, or class by class against background. Defaults to `sigmoid`. */
  classes?: 'softmax' | 'sigmoid';
  /** Weight of that, on all priors. Defaults to 1. */
  classWeight?: number;
  /** Weight of the difference of box offsets where the teacher is confident. Defaults to 1. */
  boxWeight?: number;
  /**
   * Weight of the mean, over inner maps, of the squared distance from the teacher's, divided by the teacher's squares.
   * 0: they are not compared. {@link RecipeOptions.loss} says the default.
   */
  featureWeight?: number;
  /** Scores of both are divided by it, and the term is multiplied by its square. Defaults to 1. */
  temperature?: number;
  /** Probability of a class from which on the teacher's box counts. Defaults to 0.5. */
  confidence?: number;
  /** Weight of a prior where the teacher sees nothing at all; 1 weighs all alike. Defaults to 1. */
  background?: number;
}

/** What training makes small. */
export interface LossSettings {
  /**
   * Class term of the ground truth. `softmax`: Paddle's `ssd_loss` with mined negatives. `focal`: sigmoid focal loss on
   * all priors, for heads that were trained with sigmoids. Defaults to `softmax`.
   */
  classes?: 'softmax' | 'focal';
  /** Defaults to 1. */
  classWeight?: number;
  /** Weight of smooth L1 on box offsets of matched priors. Defaults to 1. */
  boxWeight?: number;
  /** Intersection over union from which on a prior answers for an object. Defaults to 0.5. */
  overlap?: number;
  /** softmax: background priors for each matched one, at most. Defaults to 3. */
  negativeRatio?: number;
  /** focal: weight of the class that is there, 1 − alpha of those that are not; `null`: both 1. Defaults to 0.25. */
  alpha?: number | null;
  /** focal: how much less counts what is right already. Defaults to 2. */
  gamma?: number;
  /**
   * Whether background scores are trained. Heads trained with sigmoids have constant ones, which stand against all
   * classes at once. Defaults to `true`.
   */
  trainsBackground?: boolean;
  /** Nothing is taught by default. */
  teacher?: TeacherSettings;
}

/** Numbers of native/train/detection_loss.h. */
export interface NativeLossSettings {
  classes: number;
  variances: readonly number[];
  overlap: number;
  /** 0 softmax, 1 focal. */
  classLoss: number;
  negativeRatio: number;
  alpha: number;
  gamma: number;
  classWeight: number;
  boxWeight: number;
  trainsBackground: boolean;
  /** 0 softmax, 1 sigmoid. */
  teacherLoss: number;
  teacherClassWeight: number;
  teacherBoxWeight: number;
  temperature: number;
  teacherConfidence: number;
  teacherBackground: number;
  /** Of native/train/feature_loss.h. */
  featureWeight: number;
}

/**
 * Settings in the addon's terms, for the classes and variances of a detector.
 * @throws {SsdPruneError} what {@link lossNumbers} throws
 */
export function nativeLoss(
  settings: LossSettings,
  { classes, variances }: Pick<DetectorSettings, 'classes' | 'variances'>,
): NativeLossSettings {
  return { classes: classes.length, variances, ...lossNumbers(settings) };
}

/**
 * Settings in the addon's terms, whatever the detector.
 * @throws {SsdPruneError} ERR_USAGE naming the setting that makes no sense
 */
export function lossNumbers(settings: LossSettings): Omit<NativeLossSettings, 'classes' | 'variances'> {
  const { classes = 'softmax', classWeight = 1, boxWeight = 1, overlap = 0.5, negativeRatio = 3 } = settings;
  const { alpha = 0.25, gamma = 2, trainsBackground = true, teacher } = settings;
  within('overlap', overlap, 0, 1);
  within('negativeRatio', negativeRatio, 0, Number.MAX_VALUE);
  if (alpha !== null) within('alpha', alpha, 0, 1);
  within('gamma', gamma, 0, 100);
  const taught = nativeTeacher(teacher);
  for (const [name, weight] of Object.entries({ classWeight, boxWeight })) within(name, weight, 0, Number.MAX_VALUE);
  return {
    overlap,
    classLoss: indexOf('classes', ['softmax', 'focal'], classes),
    negativeRatio,
    alpha: alpha ?? -1,
    gamma,
    classWeight,
    boxWeight,
    trainsBackground,
    ...taught,
  };
}

function nativeTeacher(teacher: TeacherSettings | undefined) {
  const { classes = 'sigmoid', temperature = 1, confidence = 0.5, background = 1, featureWeight = 0 } = teacher ?? {};
  const { classWeight = 1, boxWeight = 1 } = teacher ?? { classWeight: 0, boxWeight: 0 };
  if (!(Number.isFinite(temperature) && temperature > 0)) {
    throw invalidArgument('teacher.temperature', 'a positive number', temperature);
  }
  within('teacher.confidence', confidence, 0, 1);
  within('teacher.background', background, 0, 1);
  within('teacher.classWeight', classWeight, 0, Number.MAX_VALUE);
  within('teacher.boxWeight', boxWeight, 0, Number.MAX_VALUE);
  within('teacher.featureWeight', featureWeight, 0, Number.MAX_VALUE);
  return {
    teacherLoss: indexOf('teacher.classes', ['softmax', 'sigmoid'], classes),
    teacherClassWeight: classWeight,
    teacherBoxWeight: boxWeight,
    featureWeight,
    temperature,
    teacherConfidence: confidence,
    teacherBackground: background,
  };
}

function within(name: string, value: number, least: number, most: number): void {
  if (typeof value === 'number' && value >= least && value <= most) return;
  const expected = most === Number.MAX_VALUE ? `a number from ${least} up` : `a number from ${least} to ${most}`;
  throw invalidArgument(name, expected, value);
}

function indexOf(name: string, kinds: readonly string[], kind: string): number {
  const index = kinds.indexOf(kind);
  if (index < 0) throw invalidArgument(name, `one of ${kinds.join(', ')}`, kind);
  return index;
}
