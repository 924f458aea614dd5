import path from 'node:path';
import sharp from 'sharp';
import type { Sample } from '../../lib/data/dataset';

/** A square of one colour on grey, its place and size different on each picture. */
export async function square(folder: string, i: number): Promise<Sample> {
  const size = 60 + ((i * 37) % 60);
  const [left, top] = [(i * 53) % (200 - size), (i * 29) % (200 - size)];
  const label = 1 + (i % 2);
  const colour = label === 1 ? '#d02020' : '#2020d0';
  const patch = await sharp({ create: { width: size, height: size, channels: 3, background: colour } })
    .png()
    .toBuffer();
  const image = path.join(folder, `${i}.png`);
  await sharp({ create: { width: 200, height: 200, channels: 3, background: '#808080' } })
    .composite([{ input: patch, left, top }])
    .png()
    .toFile(image);
  return {
    ...{ id: String(i), image, width: 200, height: 200 },
    boxes: Float32Array.of(left, top, left + size, top + size),
    labels: Int32Array.of(label),
    ...{ difficult: new Uint8Array(1), truncated: new Uint8Array(1) },
  };
}
