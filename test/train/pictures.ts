import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import type { Sample } from '../../lib/data/dataset';
import { temporary } from '../data/folders';

/** Noisy pictures of different sizes in a folder of their own, each with two objects on it. */
export async function noisyPictures(count: number): Promise<Sample[]> {
  const folder = temporary();
  return Promise.all(Array.from({ length: count }, (_, i) => noisyPicture(folder, i)));
}

async function noisyPicture(folder: string, i: number): Promise<Sample> {
  const [width, height] = [40 + 3 * i, 30 + 2 * i];
  const pixels = Uint8Array.from(
    { length: 3 * width * height },
    (_, k) => Math.imul(k + 31 * i + 1, 2654435761) >>> 24,
  );
  const image = path.join(folder, `${i}.png`);
  await writeFile(
    image,
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );
  return {
    id: String(i),
    image,
    width,
    height,
    boxes: Float32Array.of(2, 3, 20, 15, width - 25, height - 20, width - 1, height - 2),
    labels: Int32Array.of(1, 2),
    difficult: new Uint8Array(2),
    truncated: new Uint8Array(2),
  };
}
