import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { DetectorSettings } from '../../lib/model/detector';

const { Preprocessor } =
  require('../../dist/lib/evaluate/preprocess') as typeof import('../../lib/evaluate/preprocess');

type Input = DetectorSettings['input'];
interface Case {
  kernel: Input['resize']['kernel'];
  antialias: boolean;
  width: number;
  height: number;
  values: number[];
}
const fixture = JSON.parse(readFileSync(path.join(__dirname, '..', 'data', 'resize.json'), 'utf8')) as {
  width: number;
  height: number;
  pixels: number[];
  cases: Case[];
};
const picture = { data: Uint8Array.from(fixture.pixels), width: fixture.width, height: fixture.height };
const plain: Omit<Input, 'width' | 'height' | 'resize'> = {
  name: 'image',
  channels: 'RGB',
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

describe('resizing', () => {
  test.each(fixture.cases.map((entry) => [entry.kernel, entry.antialias, entry.width, entry.height, entry] as const))(
    '%s, antialias %s, to %ix%i',
    async (kernel, antialias, width, height, { values }) => {
      const preprocessor = new Preprocessor({ ...plain, width, height, resize: { kernel, antialias } });
      const batch = new Float32Array(2 * preprocessor.size).fill(-1);
      await preprocessor.fill(picture, batch, 1);
      const area = width * height;
      // Pillow rounds to whole values, and so must we; the others to float32 and the four decimals of the file.
      const off = antialias ? 0 : 1e-3;
      let worst = 0;
      for (let i = 0; i < area; i++) {
        for (let c = 0; c < 3; c++) {
          worst = Math.max(worst, Math.abs(batch[preprocessor.size + c * area + i]! - values[i * 3 + c]!));
        }
      }
      expect(worst).toBeLessThanOrEqual(off);
      expect(batch.subarray(0, preprocessor.size).every((value) => value === -1)).toBe(true);
    },
  );

  test('channels are ordered first, then normalised by the mean of their place', async () => {
    const input: Input = {
      ...{ name: 'image', channels: 'BGR', width: 1, height: 1, mean: [10, 20, 30], std: [1, 2, 4] },
      resize: { kernel: 'nearest', antialias: false },
    };
    const batch = new Float32Array(3);
    await new Preprocessor(input).fill({ data: Uint8Array.of(1, 2, 3), width: 1, height: 1 }, batch, 0);
    expect([...batch]).toEqual([-7, -9, -7.25]);
  });

  test('a place beyond the batch and pixels that are not there are refused', () => {
    const preprocessor = new Preprocessor({
      ...plain,
      width: 2,
      height: 2,
      resize: { kernel: 'area', antialias: true },
    });
    expect(() => preprocessor.fill(picture, new Float32Array(12), 1)).toThrow(
      expect.objectContaining({ code: 'ERR_USAGE' }),
    );
    expect(() => preprocessor.fill(picture, new Float32Array(12), -1)).toThrow(/place/);
    expect(() => preprocessor.fill({ ...picture, height: 99 }, new Float32Array(12), 0)).toThrow(/bytes/);
  });
});
