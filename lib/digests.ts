import type { Sample } from './data/dataset';
import type { DetectorSettings } from './model/detector';
import type { OnnxModel } from './model/onnx-model';
import { encodeChunks } from './model/write';

/** SHA-256 of a model as it is written. */
export const modelDigest = (model: OnnxModel): string => sha256(encodeChunks(model));

/** SHA-256 of detector settings, wherever they and their priors came from. */
export function detectorDigest({ priors, priorsFile: _, ...settings }: Omit<DetectorSettings, 'nms'>): string {
  return sha256([JSON.stringify(settings), priors]);
}

/** SHA-256 of pictures' names and of what is annotated on them. */
export const samplesDigest = (samples: readonly Sample[]): string => sha256(samples.flatMap(annotationOf));

const annotationOf = ({ id, width, height, boxes, labels, difficult, crowd, area }: Sample) => [
  `${JSON.stringify([id, width, height])}\n`,
  boxes,
  labels,
  difficult,
  ...(crowd ? [crowd] : []),
  ...(area ? [area] : []),
];

/** SHA-256 of parts, one behind the other. */
export function sha256(parts: readonly (string | ArrayBufferView)[]): string {
  const { createHash } = require('node:crypto') as typeof import('node:crypto');
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part as string);
  return hash.digest('hex');
}
