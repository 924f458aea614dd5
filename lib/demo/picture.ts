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

/** The scene that is drawn on, and a picture a model, named after it. */
export function sceneFiles(folder: string, models: readonly string[]): { scene: string; pictures: string[] } {
  const pictures = models.map((model) => path.join(folder, `${path.basename(model, '.onnx')}.png`));
  return { scene: path.join(folder, 'scene.png'), pictures };
}

/**
 * Draws what each model finds on one and the same scene: the first one with the most objects that don't leave the picture.
 * The files are those of {@link sceneFiles}.
 */
export async function drawDetectedScene(
  models: readonly string[],
  detector: DetectorSettings,
  { samples }: Pick<Dataset, 'samples'>,
  folder: string,
): Promise<void> {
  const whole = ({ truncated }: Sample): number => truncated.filter((flag) => flag === 0).length;
  const fullest = samples.reduce((best, one) => (whole(one) > whole(best) ? one : best));
  const { scene, pictures } = sceneFiles(folder, models);
  await enlarge(fullest, scene);
  for (const [i, model] of models.entries()) {
    for await (const picture of detectFiles(model, detector, [scene], { nms: { scoreThreshold: leastScore } })) {
      await drawDetections(picture, pictures[i]!);
    }
  }
}

async function enlarge({ image, width, height }: Sample, output: string): Promise<void> {
  const size = { width: enlargement * width, height: enlargement * height };
  await replaceFile(output, [await loadSharp()(image).resize(size).png().toBuffer()]);
}
