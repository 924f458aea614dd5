import { invalidArgument } from '../errors';
import type { Precision } from '../native/engine';
import { type AugmentationName, type AugmentSettings, augmentSettings } from './augmentation';
import { type LossSettings, lossNumbers, type TeacherSettings } from './loss';
import { type GroupSettings, groupParameters, nativeOptimizer, type OptimizerSettings } from './optimizer';
import { checkPrecision } from './precision';
import { checkSchedule, paddleDecay, type Schedule } from './schedule';

/** How a network is trained. Every default suits a detector that was pruned and is to come back. */
export interface RecipeOptions {
  /** Times through the pictures. Defaults to 6. */
  epochs?: number;
  /** Pictures of a step. Defaults to 8. */
  batchSize?: number;
  /**
   * Pictures that go through the network at a time; their gradients add up to a step's. Memory follows it. Defaults to
   * the batch size where the network normalises by its batch, else to the greatest divisor of it up to 8.
   */
  microBatch?: number;
  /**
   * What products of both networks multiply: float32, or numbers rounded to bfloat16, with sums, weights and everything
   * else in float32: faster, on processors with AVX512-BF16. Defaults to `fp32`.
   */
  precision?: Precision;
  /** Everything random follows from it. Defaults to 0. */
  seed?: number;
  /** Defaults to Muon, gradients limited to a norm of 10, and an average that keeps 0.998 a step. */
  optimizer?: OptimizerSettings;
  /** Defaults to decay 5e-4 on filters. */
  groups?: GroupSettings;
  /** Greatest learning rate. Defaults to 6e-4 with Muon, 5e-4 with AdamW, else 1e-3. */
  rate?: number;
  /**
   * How the rate goes down: half a cosine to 0, Paddle's steps at 40, 60, 80 and 100 epochs, not at all, or as a schedule
   * of one's own says, in steps. Defaults to `cosine`.
   */
  decay?: 'cosine' | 'paddle' | 'constant' | NonNullable<Schedule['decay']>;
  /** Steps in which the rate rises. Defaults to a twentieth of all, at most 100. */
  warmUp?: number;
  /** Epochs that train the heads alone, such as 0.5. Defaults to 0. */
  headsFirst?: number;
  /**
   * What is learnt besides a teacher. `none`: nothing, pictures have no annotations; the loss's own class and box weights
   * are 0 then. Defaults to `annotations`.
   */
  labels?: 'annotations' | 'none';
  /**
   * Defaults to focal loss where the heads were trained with sigmoids (their background scores are constant 0 then, and
   * stay so), else to Paddle's softmax loss. A teacher's class scores and its boxes weigh 1, its inner maps 200 where the
   * network was cut from it.
   */
  loss?: LossSettings;
  /**
   * What happens to pictures: `paddle` (colours, expansion, crops, turned left and right), `light` (little crops, turned),
   * `none` (only resized), or settings. Defaults to `light`.
   */
  augment?: AugmentationName | AugmentSettings;
  /** Normalise by the batch, or else by the running statistics, which then stay. Defaults to `true`. */
  batchStatistics?: boolean;
  /**
   * Batches that running statistics are measured on anew before the first step; a cut moves them. Defaults to 16 where
   * the network has any.
   */
  recalibrate?: number;
  /** Share of the pictures that is not trained on, to tell which weights are best. Defaults to 0.1; 0: the last ones are. */
  heldBack?: number;
  /** Epochs between evaluations on them. Defaults to 1. */
  evaluateEvery?: number;
  /** A loss so many times the least that its running mean was stops the run. Defaults to 20; `null`: never. */
  explosion?: number | null;
}

/** A recipe without open ends: what a run's state is tied to. Plain JSON. */
export interface Recipe extends Required<Omit<RecipeOptions, 'augment' | 'decay' | 'rate' | 'warmUp' | 'headsFirst'>> {
  augment: AugmentSettings;
  schedule: Schedule;
  /** Steps of an epoch, and of the whole run. */
  stepsPerEpoch: number;
  steps: number;
}

/** What defaults depend on. */
export interface RecipeFacts {
  /** Pictures to be trained on. */
  pictures: number;
  /** Whether the network has BatchNormalization. */
  normalises: boolean;
  /** Whether its heads were trained with sigmoids. */
  sigmoidHeads: boolean;
  /** Whether class scores go through sigmoids, each by itself. */
  sigmoidScores: boolean;
  /** Whether the network was cut from its teacher, so that inner maps can be compared. */
  comparable: boolean;
}

const defaultTeacher: TeacherSettings = { classWeight: 1, boxWeight: 1 };

/** Of the teacher's inner maps: from about 50 on, up to 300, calibrated cuts of the real model came back alike. */
const defaultFeatures = 200;

/** A cut comes back further in as many epochs than with AdamW, which in turn is ahead of SGD by far. */
const defaultOptimizer: OptimizerSettings = { rule: 'muon', maxNorm: 10, average: 0.998 };

/** Greatest learning rates of rules that bring a cut detector back, where it is not 1e-3. */
const defaultRates = new Map<OptimizerSettings['rule'], number>([
  ['muon', 6e-4],
  ['adamw', 5e-4],
]);

/**
 * Checks what needs neither pictures nor networks: before they are read.
 * @throws {SsdPruneError} ERR_USAGE naming the option that makes no sense, ERR_NO_BF16
 */
export function checkRecipe(options: RecipeOptions): void {
  checkObjects(options);
  const { epochs, batchSize, precision, seed, evaluateEvery, heldBack, explosion } = withDefaults(options);
  const { rate, headsFirst, labels, augment, optimizer } = withDefaults(options);
  whole('epochs', epochs, 1);
  whole('batchSize', batchSize, 1);
  checkPrecision(precision);
  whole('seed', seed, 0);
  whole('evaluateEvery', evaluateEvery, 1);
  for (const [name, least] of [
    ['microBatch', 1],
    ['recalibrate', 0],
    ['warmUp', 0],
  ] as const) {
    if (options[name] !== undefined) whole(name, options[name], least);
  }
  const number = (name: string, value: unknown, fits: (value: number) => boolean, expected: string) => {
    if (typeof value !== 'number' || !fits(value)) throw invalidArgument(name, expected, value);
  };
  number('rate', rate, (value) => value > 0 && Number.isFinite(value), 'a positive number');
  number('heldBack', heldBack, (value) => value >= 0 && value < 1, 'a share from 0 to below 1');
  if (explosion !== null) number('explosion', explosion, (value) => value > 1, 'a number above 1');
  number('headsFirst', headsFirst, (value) => value >= 0 && value <= epochs, `epochs from 0 to ${epochs}`);
  if (labels !== 'annotations' && labels !== 'none') throw invalidArgument('labels', 'annotations or none', labels);
  augmentSettings(augment);
  nativeOptimizer(optimizer);
  lossNumbers(options.loss ?? {});
  groupParameters([], options.groups);
}

/** For callers without types. */
function checkObjects({ optimizer, loss, groups }: RecipeOptions): void {
  for (const [name, value] of Object.entries({ optimizer, loss, groups, 'loss.teacher': loss?.teacher })) {
    if (value !== undefined && (typeof value !== 'object' || value === null)) {
      throw invalidArgument(name, 'an object of settings', value);
    }
  }
}

function withDefaults(options: RecipeOptions) {
  const { epochs = 6, batchSize = 8, precision = 'fp32', seed = 0, optimizer = defaultOptimizer } = options;
  const { rate = defaultRates.get(optimizer.rule) ?? 1e-3, decay = 'cosine', headsFirst = 0 } = options;
  const { heldBack = 0.1, evaluateEvery = 1, explosion = 20, batchStatistics = true } = options;
  const { labels = 'annotations', augment = 'light' } = options;
  return {
    ...{ epochs, batchSize, precision, seed, optimizer, rate, decay, headsFirst },
    ...{ heldBack, evaluateEvery, explosion, batchStatistics, labels, augment },
  };
}

/** @throws {SsdPruneError} what {@link checkRecipe} throws; ERR_USAGE for what doesn't go with the pictures or networks */
export function completeRecipe(options: RecipeOptions, facts: RecipeFacts): Recipe {
  checkRecipe(options);
  const { epochs, batchSize, precision, seed, optimizer, decay, headsFirst, rate } = withDefaults(options);
  const { heldBack, evaluateEvery, explosion, batchStatistics, labels, augment } = withDefaults(options);
  if (batchSize > facts.pictures) {
    throw invalidArgument('batchSize', `at most the ${facts.pictures} pictures to train on`, batchSize);
  }
  const byBatch = facts.normalises && batchStatistics;
  const microBatch = options.microBatch ?? (byBatch ? batchSize : divisor(batchSize, 8));
  if (batchSize % microBatch !== 0) {
    throw invalidArgument('microBatch', `a divisor of the batch size (${batchSize})`, microBatch);
  }
  if (byBatch && microBatch === 1) {
    const name = options.microBatch === undefined ? 'batchSize' : 'microBatch';
    throw invalidArgument(
      name,
      'at least 2, as the network normalises by its batch (or batchStatistics false, --no-batch-statistics)',
      1,
    );
  }
  const recalibrate = options.recalibrate ?? (facts.normalises ? 16 : 0);
  const stepsPerEpoch = Math.floor(facts.pictures / batchSize);
  const steps = epochs * stepsPerEpoch;
  const warmUp = options.warmUp ?? Math.min(100, Math.floor(steps / 20));
  if (decay === 'cosine' && warmUp >= steps) {
    throw invalidArgument('warmUp', `fewer steps than the run has (${steps})`, warmUp);
  }
  const schedule: Schedule = {
    rate,
    ...decayOf(decay, steps, stepsPerEpoch),
    warmUp,
    headsFirst: Math.round(headsFirst * stepsPerEpoch),
  };
  checkSchedule(schedule);
  const featureWeight = facts.comparable ? defaultFeatures : 0;
  const teacher = { ...defaultTeacher, featureWeight, ...options.loss?.teacher };
  if (labels === 'none' && !teacher.classWeight && !teacher.boxWeight && !teacher.featureWeight) {
    throw invalidArgument('teacherClasses', "a weight above 0 (or the teacher's boxes or features), without labels", 0);
  }
  const { classes = facts.sigmoidHeads ? 'focal' : 'softmax' } = options.loss ?? {};
  if (facts.sigmoidScores && (classes === 'softmax' || teacher.classes === 'softmax')) {
    const of = classes === 'softmax' ? 'loss.classes' : 'loss.teacher.classes';
    throw invalidArgument(of, 'another, since class scores go through sigmoids in this model,', 'softmax');
  }
  // Softmax needs a background score that moves; sigmoids are told from each other without.
  const trainsBackground = !(facts.sigmoidHeads && classes === 'focal');
  return {
    epochs,
    batchSize,
    microBatch,
    precision,
    seed,
    optimizer,
    groups: options.groups ?? {},
    labels,
    loss: {
      ...{ trainsBackground, ...options.loss, classes, teacher },
      ...(labels === 'none' && { classWeight: 0, boxWeight: 0 }),
    },
    augment: augmentSettings(augment),
    batchStatistics,
    recalibrate,
    heldBack,
    evaluateEvery,
    explosion,
    schedule,
    stepsPerEpoch,
    steps,
  };
}

function decayOf(
  decay: NonNullable<RecipeOptions['decay']>,
  steps: number,
  stepsPerEpoch: number,
): Pick<Schedule, 'decay'> {
  if (typeof decay === 'object' && decay !== null) return { decay };
  if (decay === 'cosine') return { decay: { kind: 'cosine', steps } };
  if (decay === 'paddle') return { decay: paddleDecay(stepsPerEpoch) };
  if (decay === 'constant') return {};
  throw invalidArgument('decay', 'cosine, paddle, constant or a schedule', decay);
}

/** The greatest divisor of `value` that is at most `most`. */
function divisor(value: number, most: number): number {
  let found = Math.min(value, most);
  while (value % found !== 0) found--;
  return found;
}

function whole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw invalidArgument(name, `an integer from ${least} up`, value);
}
