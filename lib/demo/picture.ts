import path from 'node:path';
import type { Dataset, Sample } from '../data/dataset';
import { loadSharp } from '../data/images';
import { detectFiles } from '../evaluate/detect';
import { drawDetections } from '../evaluate/draw';
import { replaceFile } from '../files';
import type { DetectorSettings } from '../model/detector';

/** Scenes are small; on a copy so many times as large labels can be read. */
const enlargement = 4;
/** Boxes that score less are not drawn. */
const leastScore = 0.4;

/**
 * Draws what each model finds on one and the same scene: the first one with the most objects that don't leave the picture.
 * @returns the pictures, named after the models
 */
export async function drawDetectedScene(
  models: readonly string[],
  detector: DetectorSettings,
  { samples }: Pick<Dataset, 'samples'>,
  folder: string,
): Promise<string[]> {
  const whole = ({ truncated }: Sample): number => truncated.filter((flag) => flag === 0).length;
  const fullest = samples.reduce((best, one) => (whole(one) > whole(best) ? one : best));
  const scene = path.join(folder, 'scene.png');
  await enlarge(fullest, scene);
  const drawn: string[] = [];
  for (const model of models) {
    const file = path.join(folder, `${path.basename(model, '.onnx')}.png`);
    for await (const picture of detectFiles(model, detector, [scene], { nms: { scoreThreshold: leastScore } })) {
      await drawDetections(picture, file);
    }
    drawn.push(file);
  }
  return drawn;
}

async function enlarge({ image, width, height }: Sample, output: string): Promise<void> {
  const size = { width: enlargement * width, height: enlargement * height };
  await replaceFile(output, [await loadSharp()(image).resize(size).png().toBuffer()]);
}
