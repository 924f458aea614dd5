import { writeFile } from 'node:fs/promises';
import type { Sample } from '../../lib/data/dataset';
import type { BatchOptions } from '../../lib/train/batches';
import { noisyPictures } from './pictures';

const { trainingBatches } = require('../../dist/lib/train/batches') as typeof import('../../lib/train/batches');
const { drawAugmentation, noAugmentation, paddleAugmentation } =
  require('../../dist/lib/train/augmentation') as typeof import('../../lib/train/augmentation');
const { Augmenter } = require('../../dist/lib/train/augmenter') as typeof import('../../lib/train/augmenter');
const { Preprocessor } =
  require('../../dist/lib/evaluate/preprocess') as typeof import('../../lib/evaluate/preprocess');
const { decodePicture } = require('../../dist/lib/data/images') as typeof import('../../lib/data/images');

const input = {
  name: 'image',
  width: 24,
  height: 20,
  channels: 'BGR' as const,
  mean: [10, 20, 30],
  std: [2, 4, 8],
  resize: { kernel: 'bilinear' as const, antialias: false },
};
const size = 3 * 24 * 20;

let samples: Sample[];
beforeAll(async () => {
  samples = await noisyPictures(13);
});

/** All batches of an epoch, copied out before they are given back. */
async function collect(options: Partial<BatchOptions> = {}, of: readonly Sample[] = samples) {
  const batches = [];
  for await (const batch of trainingBatches(of, input, { batchSize: 3, seed: 1, epoch: 0, ...options })) {
    const { release, ...rest } = batch;
    batches.push({ ...rest, inputs: batch.inputs.slice() });
    release();
  }
  return batches;
}

test('without augmentation a batch holds what evaluation sees', async () => {
  const batches = await collect({ augment: noAugmentation });
  expect(batches.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
  expect(new Set(batches.flatMap((batch) => batch.samples)).size).toBe(12);
  const preprocessor = new Preprocessor(input);
  for (const { inputs, samples: indexes, offsets, boxes, labels } of batches) {
    expect(inputs).toHaveLength(3 * size);
    expect([...offsets]).toEqual([0, 2, 4, 6]);
    expect([...labels]).toEqual([1, 2, 1, 2, 1, 2]);
    for (const [place, index] of indexes.entries()) {
      const { image, width, height } = samples[index]!;
      const seen = new Float32Array(size);
      await preprocessor.fill(await decodePicture(image), seen, 0);
      expect(inputs.slice(place * size, (place + 1) * size)).toEqual(seen);
      const expected = [2 / width, 3 / height, 20 / width, 15 / height].map(Math.fround);
      expect([...boxes.slice(8 * place, 8 * place + 4)]).toEqual(expected);
    }
  }
});

test('with it, what the draws of seed, epoch and sample say', async () => {
  const [first] = await collect({ epoch: 4 });
  const augmenter = new Augmenter(input);
  for (const [place, index] of first!.samples.entries()) {
    const sample = samples[index]!;
    const augmentation = drawAugmentation(paddleAugmentation, { seed: 1, epoch: 4 }, sample)!;
    const expected = new Float32Array(size);
    await augmenter.fillPlace(await decodePicture(sample.image), augmentation, expected, 0);
    expect(first!.inputs.slice(place * size, (place + 1) * size)).toEqual(expected);
    const [from, to] = [first!.offsets[place]!, first!.offsets[place + 1]!];
    expect(first!.boxes.slice(4 * from, 4 * to)).toEqual(augmentation.boxes);
    expect(first!.labels.slice(from, to)).toEqual(augmentation.labels);
  }
});

test('decoders, prefetching and skipping change no bit', async () => {
  const whole = await collect();
  expect(whole.length).toBeGreaterThan(2);
  expect(await collect({ decoders: 1, ahead: 1 })).toEqual(whole);
  expect(await collect({ decoders: 4, ahead: 5 })).toEqual(whole);
  expect(await collect({ skip: 2 })).toEqual(whole.slice(2));
  expect(await collect({ skip: 99 })).toEqual([]);
  expect(await collect({ epoch: 1 })).not.toEqual(whole);
  expect(await collect({ seed: 2 })).not.toEqual(whole);
});

test('NHWC holds the same values, its padding is zero', async () => {
  const planar = await collect();
  const pitched = await collect({ layout: { kind: 'nhwc', pitch: 4 } });
  for (const [b, { inputs }] of pitched.entries()) {
    expect(inputs).toHaveLength(3 * 24 * 20 * 4);
    for (let i = 0; i < inputs.length; i += 4) {
      const [place, pixel] = [Math.floor(i / (4 * 480)), (i / 4) % 480];
      for (let c = 0; c < 3; c++) {
        if (inputs[i + c] !== planar[b]!.inputs[place * size + c * 480 + pixel])
          throw new Error(`batch ${b}, value ${i}`);
      }
      if (inputs[i + 3] !== 0) throw new Error(`batch ${b}: padding of ${i}`);
    }
  }
});

test('memory that is given back is used again, other is left alone', async () => {
  const seen = new Set<Float32Array>();
  for await (const batch of trainingBatches(samples, input, { batchSize: 1, seed: 1, epoch: 0, ahead: 2 })) {
    seen.add(batch.inputs);
    batch.release();
  }
  expect(seen.size).toBeLessThanOrEqual(3);
  const kept: { now: Float32Array; copy: Float32Array }[] = [];
  for await (const batch of trainingBatches(samples, input, { batchSize: 2, seed: 1, epoch: 0 })) {
    kept.push({ now: batch.inputs, copy: batch.inputs.slice() });
  }
  expect(new Set(kept.map(({ now }) => now)).size).toBe(kept.length);
  for (const { now, copy } of kept) expect(now).toEqual(copy);
});

test('a picture that is broken or of another size is named', async () => {
  const other = { ...samples[0]!, width: 41 };
  await expect(collect({ batchSize: 1 }, [other])).rejects.toMatchObject({
    code: 'ERR_BAD_DATA',
    message: `${other.image}: the picture is 40x30, but its annotation says 41x30`,
  });
  const [broken] = await noisyPictures(1);
  await writeFile(broken!.image, 'not a picture');
  const failure = collect({ batchSize: 1, augment: noAugmentation }, [broken!]);
  await expect(failure).rejects.toMatchObject({
    code: 'ERR_BAD_DATA',
    message: expect.stringContaining(broken!.image),
  });
});

test('fewer pictures than a batch are refused', async () => {
  await expect(collect({ batchSize: 14 })).rejects.toMatchObject({ code: 'ERR_BAD_DATA' });
  await expect(collect({ batchSize: 0 })).rejects.toMatchObject({ code: 'ERR_USAGE' });
  await expect(collect({ layout: { kind: 'nhwc', pitch: 2 } })).rejects.toMatchObject({ code: 'ERR_USAGE' });
});

test('a signal ends it with its reason', async () => {
  const controller = new AbortController();
  const batches = trainingBatches(samples, input, { batchSize: 1, seed: 1, epoch: 0, signal: controller.signal });
  await batches.next();
  controller.abort(new Error('enough'));
  await expect(
    (async () => {
      for await (const batch of batches) batch.release();
    })(),
  ).rejects.toMatchObject({ code: 'ERR_ABORTED', message: expect.stringContaining('enough') });
});
