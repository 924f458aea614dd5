import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { noise } from './small-net';

export interface NoisePictures {
  /** Holds `0.png` … and the detector settings. */
  folder: string;
  detector: string;
  /** Bytes of each picture, (height, width, 3). */
  pixels: Uint8Array[];
}

/** A folder of square pictures, and detector settings that take them as they are: (pixel − 127) / 60. */
export async function noisePictures(
  count: number,
  size: number,
  [scores, boxes] = ['scores', 'boxes'],
): Promise<NoisePictures> {
  const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-pictures-'));
  const detector = path.join(folder, 'detector.json');
  const settings = {
    input: {
      name: 'image',
      width: size,
      height: size,
      channels: 'RGB',
      mean: [127, 127, 127],
      std: [60, 60, 60],
      resize: { kernel: 'bilinear', antialias: false },
    },
    outputs: { scores, boxes, scoresAre: 'probabilities', boxesAre: 'corners' },
    classes: ['background', 'thing'],
    nms: { scoreThreshold: 0.01, iouThreshold: 0.45, topK: 400, keepTopK: 200 },
  };
  writeFileSync(detector, JSON.stringify(settings));
  const pixels: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const values = noise(i, size * size * 3);
    const bytes = Uint8Array.from(values, (value) => Math.max(0, Math.min(255, 127 + 60 * value)));
    await sharp(bytes, { raw: { width: size, height: size, channels: 3 } })
      .png()
      .toFile(path.join(folder, `${i}.png`));
    pixels.push(bytes);
  }
  return { folder, detector, pixels };
}
