import type { Sample } from '../data/dataset';
import { invalidArgument, SsdPruneError } from '../errors';
import { uniform } from '../model/random';
import { area, type Box, holdsCentre, mirrored, type Rectangle, within } from './boxes';
import { type CropSampler, paddleSamplers, sampleCrops } from './crop-samplers';

/** A change that is made with some probability, by up to `delta` in both directions. */
export interface Jitter {
  probability: number;
  delta: number;
}

/** What may happen to a training picture, in this order. */
export interface AugmentSettings {
  /** Colours: factors 1 ± delta, and hue ± delta on a circle of 256. */
  brightness: Jitter;
  contrast: Jitter;
  saturation: Jitter;
  hue: Jitter;
  /** Lay the picture on a canvas up to `maxRatio` times as wide and high. */
  expand: { probability: number; maxRatio: number };
  /** Crop as one of the crops that these find; none of them: the whole canvas. */
  samplers: readonly CropSampler[];
  /** Probability of turning left and right. */
  mirror: number;
}

/** What Paddle's SSD reader does. */
export const paddleAugmentation: AugmentSettings = {
  brightness: { probability: 0.5, delta: 0.125 },
  contrast: { probability: 0.5, delta: 0.5 },
  saturation: { probability: 0.5, delta: 0.5 },
  hue: { probability: 0.5, delta: 18 },
  expand: { probability: 0.5, maxRatio: 4 },
  samplers: paddleSamplers,
  mirror: 0.5,
};

const never: Jitter = { probability: 0, delta: 0 };

/** Pictures as they are. */
export const noAugmentation: AugmentSettings = {
  brightness: never,
  contrast: never,
  saturation: never,
  hue: never,
  expand: { probability: 0, maxRatio: 1 },
  samplers: [],
  mirror: 0,
};

/** Half of the pictures turned, half of them cropped by a little; colours and size stay. */
export const lightAugmentation: AugmentSettings = {
  ...noAugmentation,
  samplers: [
    paddleSamplers[0]!,
    { maxSample: 1, maxTrial: 1, scale: [0.75, 1], aspectRatio: [0.75, 4 / 3], overlap: [0, 0] },
  ],
  mirror: 0.5,
};

/** Those that have a name. */
export const augmentations = { paddle: paddleAugmentation, light: lightAugmentation, none: noAugmentation } as const;

export type AugmentationName = keyof typeof augmentations;

/** @throws {SsdPruneError} ERR_USAGE for a name that there is not */
export function augmentSettings(augment: AugmentationName | AugmentSettings): AugmentSettings {
  if (typeof augment === 'object' && augment !== null) return checkedSettings(augment);
  if (Object.hasOwn(augmentations, augment)) return augmentations[augment];
  throw invalidArgument('augment', `one of ${Object.keys(augmentations).join(', ')}, or settings`, augment);
}

function checkedSettings(settings: AugmentSettings): AugmentSettings {
  const { z } = require('zod') as typeof import('zod');
  const share = z.number().min(0).max(1);
  const jitter = z.strictObject({ probability: share, delta: z.number().min(0).max(1) });
  const hue = z.strictObject({ probability: share, delta: z.number().min(0).max(128) });
  const range = z.tuple([z.number().min(0), z.number().min(0)]);
  const positive = z.tuple([z.number().min(0.01).max(100), z.number().min(0.01).max(100)]);
  const count = z.int().min(1);
  const schema = z.strictObject({
    ...{ brightness: jitter, contrast: jitter, saturation: jitter, hue },
    expand: z.strictObject({ probability: share, maxRatio: z.number().min(1).max(100) }),
    samplers: z.array(
      z.strictObject({ maxSample: count, maxTrial: count, scale: positive, aspectRatio: positive, overlap: range }),
    ),
    mirror: share,
  });
  const [issue] = schema.safeParse(settings).error?.issues ?? [];
  if (!issue) return settings;
  const place = ['augment', ...issue.path.map(String)].join('.');
  throw new SsdPruneError('ERR_USAGE', `${place}: ${issue.message}`);
}

/** Colours as native/train/distort.h takes them: factors that are 1, and a hue that is 0, do nothing. */
export interface ColourShift {
  brightness: number;
  contrast: number;
  saturation: number;
  hue: number;
  contrastLast: boolean;
}

/** What was drawn for one picture, and what is on it then. */
export interface Augmentation {
  colours: ColourShift;
  /** Place of the picture on its canvas, in pixels. */
  left: number;
  top: number;
  /** The part of the canvas that is seen, in pixels. */
  crop: Rectangle;
  mirror: boolean;
  /** Corners of each object that is left, as shares of what is seen. */
  boxes: Float32Array;
  labels: Int32Array;
}

/** Which draws are meant: everything else is a pure function of it. */
export interface DrawKey {
  seed: number;
  epoch: number;
  /**
   * Nobody says what is on the pictures: crops lie anywhere, and none is left out. Boxes are not read. Defaults to
   * `false`.
   */
  unlabelled?: boolean;
}

/**
 * Draws what happens to a sample in an epoch: a pure function of seed, epoch and the sample's id, its size and boxes.
 * @returns nothing where no object's centre is seen any more: such a picture is left out of the epoch
 */
export function drawAugmentation(
  settings: AugmentSettings,
  { seed, epoch, unlabelled = false }: DrawKey,
  sample: Pick<Sample, 'id' | 'width' | 'height' | 'boxes' | 'labels' | 'crowd'>,
): Augmentation | undefined {
  const draws = (purpose: string) => uniform(seed, `augment/${purpose}/${epoch}/${sample.id}`);
  const colours = drawColours(settings, draws('colours'));
  const { canvas, left, top } = drawCanvas(settings.expand, sample, draws('expand'));
  const objects = unlabelled ? [] : objectsOn(sample, left, top);
  const crop = drawCrop(settings.samplers, canvas, unlabelled ? undefined : objects, draws('crop'));
  const mirror = draws('mirror')(0) < settings.mirror;

  const boxes: number[] = [];
  const labels: number[] = [];
  for (const { box, label } of objects) {
    if (!holdsCentre(crop, box)) continue;
    // As float32, in which a sliver may have no width any more.
    const seen = within(crop, box).map(Math.fround) as unknown as Box;
    if (area(seen) <= 0) continue;
    boxes.push(...(mirror ? mirrored(seen) : seen));
    labels.push(label);
  }
  if (labels.length === 0 && !unlabelled) return undefined;
  return { colours, left, top, crop, mirror, boxes: Float32Array.from(boxes), labels: Int32Array.from(labels) };
}

type Draws = (i: number) => number;

function drawColours({ brightness, contrast, saturation, hue }: AugmentSettings, draw: Draws): ColourShift {
  const shift = ({ probability, delta }: Jitter, i: number): number =>
    draw(i) < probability ? (2 * draw(i + 1) - 1) * delta : 0;
  return {
    contrastLast: draw(0) >= 0.5,
    brightness: 1 + shift(brightness, 1),
    contrast: 1 + shift(contrast, 3),
    saturation: 1 + shift(saturation, 5),
    hue: shift(hue, 7),
  };
}

/** Size of the canvas and where the picture lies on it, in whole pixels. */
function drawCanvas(
  { probability, maxRatio }: AugmentSettings['expand'],
  { width, height }: Pick<Sample, 'width' | 'height'>,
  draw: Draws,
): { canvas: { width: number; height: number }; left: number; top: number } {
  if (draw(0) >= probability || maxRatio <= 1) return { canvas: { width, height }, left: 0, top: 0 };
  const ratio = 1 + draw(1) * (maxRatio - 1);
  const canvas = { width: Math.floor(width * ratio), height: Math.floor(height * ratio) };
  return {
    canvas,
    left: Math.floor(draw(2) * (canvas.width - width)),
    top: Math.floor(draw(3) * (canvas.height - height)),
  };
}

/** Objects in pixels of the canvas; a box that holds a crowd is none. */
function objectsOn(
  { boxes, labels, crowd }: Pick<Sample, 'boxes' | 'labels' | 'crowd'>,
  left: number,
  top: number,
): { box: Box; label: number }[] {
  const objects: { box: Box; label: number }[] = [];
  for (const [i, label] of labels.entries()) {
    if (crowd?.[i]) continue;
    const at = 4 * i;
    const box: Box = [boxes[at]! + left, boxes[at + 1]! + top, boxes[at + 2]! + left, boxes[at + 3]! + top];
    objects.push({ box, label });
  }
  return objects;
}

/** The part of the canvas that is seen, in whole pixels. */
function drawCrop(
  samplers: readonly CropSampler[],
  { width, height }: { width: number; height: number },
  objects: readonly { box: Box }[] | undefined,
  draw: Draws,
): Rectangle {
  const whole = { left: 0, top: 0, width, height };
  const crops = sampleCrops(
    samplers,
    objects?.map(({ box }) => within(whole, box)),
    (i) => draw(i + 1),
  );
  if (crops.length === 0) return whole;
  const unit = { left: 0, top: 0, width: 1, height: 1 };
  const [xmin, ymin, xmax, ymax] = within(unit, crops[Math.floor(draw(0) * crops.length)]!);
  // Cut off as Paddle cuts, but never to nothing.
  const left = Math.min(Math.floor(xmin * width), width - 1);
  const top = Math.min(Math.floor(ymin * height), height - 1);
  return {
    left,
    top,
    width: Math.max(1, Math.floor(xmax * width) - left),
    height: Math.max(1, Math.floor(ymax * height) - top),
  };
}

/** The order in which an epoch takes its samples: a permutation that depends on seed and epoch alone. */
export function epochOrder({ seed, epoch }: DrawKey, count: number): Uint32Array {
  const draw = uniform(seed, `order/${epoch}`);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(draw(i) * (i + 1));
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  return order;
}
