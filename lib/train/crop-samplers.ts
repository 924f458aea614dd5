import { type Box, overlap } from './boxes';

/** A way to look for a crop: trials with drawn size, shape and place until one overlaps an object as wanted. */
export interface CropSampler {
  /** Crops to be found, and trials for it. */
  maxSample: number;
  maxTrial: number;
  /** Size and width / height that are drawn; the shape is limited so that the crop fits. */
  scale: readonly [min: number, max: number];
  aspectRatio: readonly [min: number, max: number];
  /** Intersection over union with one object at least: not below `min`, not above `max`; 0 is no limit. */
  overlap: readonly [min: number, max: number];
}

const anyPart = { maxSample: 1, maxTrial: 50, scale: [0.3, 1], aspectRatio: [0.5, 2] } as const;

/** The whole picture; a part that overlaps an object by at least 0.1, 0.3, …; any part. */
export const paddleSamplers: readonly CropSampler[] = [
  { maxSample: 1, maxTrial: 1, scale: [1, 1], aspectRatio: [1, 1], overlap: [0, 0] },
  ...[0.1, 0.3, 0.5, 0.7, 0.9].map((min): CropSampler => ({ ...anyPart, overlap: [min, 0] })),
  { ...anyPart, overlap: [0, 1] },
];

/** Draws that a trial uses, and trials of a sampler for which there are draws. */
const drawsPerTrial = 4;
const trialsPerSampler = 1024;

/**
 * The crops that samplers find, in shares of the picture.
 * @param boxes objects in shares of the picture; undefined where it is not known what is on it: every trial will do then
 * @param random draw i, a number in [0, 1); draws of a trial are its own, whatever earlier trials found
 */
export function sampleCrops(
  samplers: readonly CropSampler[],
  boxes: readonly Box[] | undefined,
  random: (i: number) => number,
): Box[] {
  const crops: Box[] = [];
  for (const [s, sampler] of samplers.entries()) {
    let found = 0;
    for (let trial = 0; trial < sampler.maxTrial && found < sampler.maxSample; trial++) {
      const crop = drawCrop(sampler, (k) => random((s * trialsPerSampler + trial) * drawsPerTrial + k));
      if (!satisfies(sampler, crop, boxes)) continue;
      crops.push(crop);
      found++;
    }
  }
  return crops;
}

function drawCrop({ scale: [minScale, maxScale], aspectRatio }: CropSampler, random: (k: number) => number): Box {
  const scale = minScale + random(0) * (maxScale - minScale);
  const drawn = aspectRatio[0] + random(1) * (aspectRatio[1] - aspectRatio[0]);
  const ratio = Math.min(Math.max(drawn, scale ** 2), 1 / scale ** 2);
  const width = scale * Math.sqrt(ratio);
  const height = scale / Math.sqrt(ratio);
  const xmin = random(2) * (1 - width);
  const ymin = random(3) * (1 - height);
  return [xmin, ymin, xmin + width, ymin + height];
}

function satisfies({ overlap: [min, max] }: CropSampler, crop: Box, boxes: readonly Box[] | undefined): boolean {
  if ((min === 0 && max === 0) || !boxes) return true;
  return boxes.some((box) => {
    const common = overlap(crop, box);
    return (min === 0 || common >= min) && (max === 0 || common <= max);
  });
}
