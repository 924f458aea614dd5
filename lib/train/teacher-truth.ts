import type { Dataset, Sample } from '../data/dataset';
import { SsdPruneError } from '../errors';
import type { DetectorSettings } from '../model/detector';
import type { Teacher } from './teacher';

/**
 * The pictures with what a teacher finds on them as their objects: what a network that is to be like it is judged by
 * where there are no labels.
 * @param confidence score from which on a box counts
 * @throws {SsdPruneError} ERR_BAD_DATA where it finds nothing at all
 */
export async function teacherTruth(
  { model, detector: own }: Teacher,
  detector: DetectorSettings,
  samples: readonly Sample[],
  { confidence, threads, signal }: { confidence: number; threads: number; signal?: AbortSignal | undefined },
): Promise<Sample[]> {
  const { encodeModel } = require('../model/write') as typeof import('../model/write');
  const { detectDataset } = require('../evaluate/evaluate') as typeof import('../evaluate/evaluate');
  const { detections } = await detectDataset(encodeModel(model), own ?? detector, { samples } as unknown as Dataset, {
    ...{ device: 'cpu', threads, nms: { scoreThreshold: confidence } },
    name: model.file ?? 'the teacher',
    ...(signal && { signal }),
  });
  const { image, label, box } = detections;
  if (image.length === 0) {
    throw new SsdPruneError(
      'ERR_BAD_DATA',
      `The teacher finds nothing (with a score of ${confidence} or more) on the ${samples.length} pictures held back, so weights can't be judged by it: give other pictures, or hold none back (--held-back 0)`,
    );
  }
  return samples.map((sample, i) => {
    const found = Array.from(image.keys()).filter((at) => image[at] === i);
    // Corners are shares of the picture.
    const scale = (side: number): number => (side % 2 === 0 ? sample.width : sample.height);
    return {
      ...sample,
      boxes: Float32Array.from(found.flatMap((at) => [0, 1, 2, 3].map((side) => box[4 * at + side]! * scale(side)))),
      labels: Int32Array.from(found, (at) => label[at]!),
      ...{ difficult: new Uint8Array(found.length), truncated: new Uint8Array(found.length) },
    };
  });
}
