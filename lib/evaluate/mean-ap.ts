import type { Dataset } from '../data/dataset';
import { invalidArgument, SsdPruneError } from '../errors';
import { addon } from '../native/addon';
import type { NativeMeanAp, NativeMeanApJob } from '../native/mean-ap';
import { type CocoSummary, summariseCoco } from './coco-summary';
import type { DetectionSet } from './detections';
import { confidenceInterval, mean } from './statistics';

export const protocols = ['detection_map', 'voc', 'coco'] as const;
export const apVersions = ['11point', 'integral'] as const;
export type Protocol = (typeof protocols)[number];
export type ApVersion = (typeof apVersions)[number];

/** Classes with fewer objects say little by themselves; the mean over the others stands beside mAP. */
export const wellCovered = 20;

export interface EvaluateOptions {
  /**
   * Whose rules. `detection_map`: Paddle's operator, normalised boxes clipped to the picture, overlap strictly above
   * the threshold, float32. `voc`: the devkit's, pixels counted from 1 and inclusively, overlap at or above the
   * threshold; a share x of the width is the pixel edge x · width, so detections of 0 … 1 cover pixels 1 … width.
   * `coco`: AP averaged over overlaps 0.5 … 0.95. Defaults to `detection_map`.
   */
  protocol?: Protocol;
  /** `detection_map` and `voc` only; COCO has its own 101 points. Defaults to `11point`. */
  apVersion?: ApVersion;
  /** From 0 to 1; COCO has its own ten. Defaults to `0.5`. */
  overlapThreshold?: number;
  /** Count difficult objects like any other instead of ignoring them and what finds them. Defaults to `false`. */
  evaluateDifficult?: boolean;
  /** Resample the pictures this often for 95 % intervals. Defaults to no bootstrap; `seed` to 0. */
  bootstrap?: { resamples: number; seed?: number };
}

export interface ClassResult {
  name: string;
  /** `null` where the dataset has no object of the class that counts; such a class is left out of the mean. */
  ap: number | null;
  positives: number;
  detections: number;
}

export interface EvalResult {
  images: number;
  protocol: Protocol;
  apVersion: ApVersion | null;
  overlapThreshold: number | null;
  evaluateDifficult: boolean;
  /** Mean over classes that have objects; `null` if none has. */
  map: number | null;
  /** Mean over classes with at least 20 positives; `null` if there is none. */
  meanOver20: { map: number | null; classes: number };
  classes: ClassResult[];
  /** 95 % intervals over pictures: 2.5th and 97.5th percentile of the resampled means. */
  bootstrap: {
    resamples: number;
    seed: number;
    map: [number, number] | null;
    meanOver20: [number, number] | null;
  } | null;
  /** The twelve numbers of COCO's summary, `null` where no object is of that size. */
  coco?: CocoSummary;
}

/**
 * Mean average precision of detections, in any order, over a dataset. Where a dataset has crowds, `detection_map` and
 * `voc` treat them like difficult objects; where it has difficult objects, `coco` ignores them and what finds them.
 * @throws {SsdPruneError} ERR_USAGE for options and ERR_BAD_DATA for detections that fit no picture or class.
 */
export function evaluateDetections(
  dataset: Dataset,
  detections: DetectionSet,
  options: EvaluateOptions = {},
): EvalResult {
  const { protocol, apVersion, overlapThreshold, evaluateDifficult, resamples, seed } = checkEvaluateOptions(options);
  checkDetections(dataset, detections);

  const coco = protocol === 'coco';
  const native = addon().meanAp({
    protocol: protocols.indexOf(protocol),
    apVersion: apVersions.indexOf(apVersion),
    overlapThreshold,
    classes: dataset.classes.length,
    ...flattenTruth(dataset, protocol, evaluateDifficult),
    ...sameWidth(detections),
    resamples,
    seed,
  });
  const summary = coco ? summariseCoco(native) : undefined;
  const classAp = summary ? summary.classAp : native.ap;
  const classes = dataset.classes.slice(1).map((name, i): ClassResult => {
    const ap = classAp[i + 1]!;
    const [positives, found] = [native.positives[i + 1]!, native.detections[i + 1]!];
    return { name, ap: Number.isNaN(ap) ? null : ap, positives, detections: found };
  });
  const counted = classes.filter(({ ap }) => ap !== null);
  const covered = counted.filter(({ positives }) => positives >= wellCovered);
  return {
    images: dataset.samples.length,
    protocol,
    apVersion: coco ? null : apVersion,
    overlapThreshold: coco ? null : overlapThreshold,
    evaluateDifficult,
    map: mean(counted.map(({ ap }) => ap!)),
    meanOver20: { map: mean(covered.map(({ ap }) => ap!)), classes: covered.length },
    classes,
    bootstrap: resamples > 0 ? { resamples, seed, ...intervals(native, resamples) } : null,
    ...(summary ? { coco: summary.numbers } : {}),
  };
}

/**
 * Options with their defaults filled in; for callers that want to know before hours of work.
 * @throws {SsdPruneError} ERR_USAGE
 */
export function checkEvaluateOptions(options: EvaluateOptions) {
  const { protocol = 'detection_map', apVersion = '11point', overlapThreshold = 0.5 } = options;
  const { evaluateDifficult = false, bootstrap } = options;
  const { resamples = 0, seed = 0 } = bootstrap ?? {};
  if (!protocols.includes(protocol)) throw invalidArgument('protocol', `one of ${protocols.join(', ')}`, protocol);
  if (!apVersions.includes(apVersion)) throw invalidArgument('apVersion', `one of ${apVersions.join(', ')}`, apVersion);
  if (protocol === 'coco' && (options.apVersion !== undefined || options.overlapThreshold !== undefined)) {
    throw new SsdPruneError(
      'ERR_USAGE',
      'COCO has its own AP and overlaps: leave --ap-version and --overlap-threshold (apVersion, overlapThreshold) off.',
    );
  }
  if (!(overlapThreshold >= 0 && overlapThreshold <= 1)) {
    throw invalidArgument('overlapThreshold', 'a number from 0 to 1', overlapThreshold);
  }
  if (!Number.isInteger(resamples) || resamples < 0 || resamples > 100_000) {
    throw invalidArgument('bootstrap.resamples', 'a whole number from 0 to 100000', resamples);
  }
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalidArgument('bootstrap.seed', 'a whole number from 0', seed);
  return { protocol, apVersion, overlapThreshold, evaluateDifficult, resamples, seed };
}

/** Intervals of the two means. A resample without any object of a class leaves that class out, as the mean does. */
function intervals(native: NativeMeanAp, resamples: number) {
  const over = (least: number): [number, number] | null => {
    const rows: Float64Array[] = [];
    for (const [label, positives] of native.positives.entries()) {
      if (positives >= least) rows.push(native.resampled.subarray(label * resamples, (label + 1) * resamples));
    }
    const means: number[] = [];
    for (let r = 0; r < resamples; r++) {
      const value = mean(rows.map((row) => row[r]!).filter((ap) => !Number.isNaN(ap)));
      if (value !== null) means.push(value);
    }
    return confidenceInterval(means, 0.95);
  };
  return { map: over(1), meanOver20: over(wellCovered) };
}

/** ERR_BAD_DATA for a detection whose score or box is infinite or no number: of a model in training, no fault of data. */
export class NonFiniteDetection extends SsdPruneError {
  constructor(message: string) {
    super('ERR_BAD_DATA', message);
  }
}

function checkDetections(dataset: Dataset, { image, label, score, box }: DetectionSet): void {
  const count = image.length;
  if (label.length !== count || score.length !== count || box.length !== count * 4) {
    throw invalidArgument(
      'detections',
      'as many labels and scores as pictures, and four numbers a box',
      `${count} pictures, ${label.length} labels, ${score.length} scores, ${box.length} box numbers`,
    );
  }
  const [images, classes] = [dataset.samples.length, dataset.classes.length];
  for (let i = 0; i < count; i++) {
    if (!(image[i]! >= 0 && image[i]! < images)) {
      throw new SsdPruneError('ERR_BAD_DATA', `Detection ${i} is of picture ${image[i]}, but there are ${images}`);
    }
    if (!(label[i]! >= 1 && label[i]! < classes)) {
      throw new SsdPruneError('ERR_BAD_DATA', `Detection ${i} has label ${label[i]}, expected 1 to ${classes - 1}`);
    }
    // One sum is finite only if all five are.
    const sum = score[i]! + box[i * 4]! + box[i * 4 + 1]! + box[i * 4 + 2]! + box[i * 4 + 3]!;
    if (!Number.isFinite(sum)) {
      const shown = `${score[i]} at [${Array.from(box.subarray(i * 4, i * 4 + 4))}]`;
      const where = dataset.samples[image[i]!]!.id;
      throw new NonFiniteDetection(`Detection ${i}, of picture ${where}, isn't finite: ${shown}`);
    }
  }
}

const [ignoredFlag, crowdFlag] = [1, 2];

/** All objects picture by picture, in the coordinates that the protocol compares in. */
function flattenTruth(dataset: Dataset, protocol: Protocol, evaluateDifficult: boolean) {
  const { samples } = dataset;
  const coco = protocol === 'coco';
  const truthOffset = new Int32Array(samples.length + 1);
  for (const [i, sample] of samples.entries()) truthOffset[i + 1] = truthOffset[i]! + sample.labels.length;
  const count = truthOffset[samples.length]!;
  const imageSize = new Float64Array(samples.length * 2);
  const truthLabel = new Int32Array(count);
  const truthFlag = new Uint8Array(count);
  const truthBox = new Float64Array(count * 4);
  const truthArea = new Float64Array(coco ? count : 0);
  // VOC annotates whole pixels from 1, the last one inside the box: pixel 1 begins at 0. Paddle divides what is annotated
  // by the picture's size all the same.
  const edge = dataset.format === 'voc' && protocol !== 'detection_map' ? 1 : 0;
  for (const [i, { width, height, labels, boxes, bbox, difficult, crowd, area }] of samples.entries()) {
    imageSize[i * 2] = width;
    imageSize[i * 2 + 1] = height;
    const start = truthOffset[i]!;
    truthLabel.set(labels, start);
    for (let b = 0; b < labels.length; b++) {
      const corners = boxes.subarray(b * 4, b * 4 + 4);
      const [x, y] = [bbox?.[b * 4] ?? corners[0]! - edge, bbox?.[b * 4 + 1] ?? corners[1]! - edge];
      const [w, h] = [bbox?.[b * 4 + 2] ?? corners[2]! - x, bbox?.[b * 4 + 3] ?? corners[3]! - y];
      truthBox.set(coco ? [x, y, w, h] : [x, y, x + w, y + h], (start + b) * 4);
      if (coco) truthArea[start + b] = area?.[b] ?? w * h;
      const hard = difficult[b] === 1 && !evaluateDifficult;
      truthFlag[start + b] = crowd?.[b] === 1 ? ignoredFlag! | crowdFlag! : hard ? ignoredFlag! : 0;
    }
  }
  return { imageSize, truthOffset, truthLabel, truthFlag, truthBox, truthArea };
}

/** The native code takes scores and boxes of one width; widening float32 changes no value. */
function sameWidth({ image, label, score, box, layout }: DetectionSet) {
  const wide = score instanceof Float64Array || box instanceof Float64Array;
  const pair: Pick<NativeMeanApJob, 'score' | 'box'> = wide
    ? { score: Float64Array.from(score), box: Float64Array.from(box) }
    : { score, box };
  if (score instanceof Float64Array && box instanceof Float64Array) Object.assign(pair, { score, box });
  return { image, label, ...pair, pixels: layout === 'coco' };
}
