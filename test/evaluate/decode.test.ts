import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { DetectorSettings } from '../../lib/model/detector';
import { shared } from '../shared';

const { BoxDecoder } = require('../../dist/lib/evaluate/decode') as typeof import('../../lib/evaluate/decode');

const reference = path.join(shared, 'reference', 'paddle-1.8.5-target-0.2');

const nms = { scoreThreshold: 0.01, iouThreshold: 0.45, topK: 400, keepTopK: 200 };
const detector = (priors: number[][], change: Partial<DetectorSettings> = {}): DetectorSettings => ({
  input: {
    ...{ name: 'image', width: 300, height: 300, channels: 'RGB', mean: [0, 0, 0], std: [1, 1, 1] },
    resize: { kernel: 'bilinear', antialias: false },
  },
  outputs: { scores: 'scores', boxes: 'boxes', scoresAre: 'probabilities', boxesAre: 'offsets' },
  priors: Float32Array.from(priors.flat()),
  variances: [0.1, 0.1, 0.2, 0.2],
  classes: ['background', 'a', 'b'],
  nms,
  ...change,
});

/** Outputs of one picture: a row of scores and of box numbers for each prior. */
const outputs = (scores: number[][], boxes: number[][]) => ({
  scores: { dims: [1, scores.length, scores[0]!.length], data: Float32Array.from(scores.flat()) },
  boxes: { dims: [1, boxes.length, 4], data: Float32Array.from(boxes.flat()) },
});
const rowsOf = (rows: Float32Array): number[][] =>
  Array.from({ length: rows.length / 6 }, (_, i) => [...rows.subarray(i * 6, i * 6 + 6)]);
const detect = async (settings: DetectorSettings, scores: number[][], boxes: number[][]) =>
  rowsOf((await new BoxDecoder(settings).detect(outputs(scores, boxes), 1))[0]!);
const corners = (change: Partial<DetectorSettings['nms']> = {}): DetectorSettings => {
  const settings = detector([], { nms: { ...nms, ...change } });
  return { ...settings, outputs: { ...settings.outputs, boxesAre: 'corners' } };
};

describe('decoding', () => {
  test('offsets move and scale the prior by their variances, and nothing is clipped', async () => {
    // Centre (0.5 + 0.1·1·0.2, 0.4 − 0.1·2·0.4), size (0.2·e^{0.2·ln 2/0.2}, 0.4·e^0): 0.52, 0.32; 0.4, 0.4.
    const [row] = await detect(detector([[0.5, 0.4, 0.2, 0.4]]), [[0, 0.9, 0]], [[1, -2, Math.log(2) / 0.2, 0]]);
    const expected = [1, 0.9, 0.32, 0.12, 0.72, 0.52];
    for (const [i, value] of expected.entries()) expect(row![i]).toBeCloseTo(value, 6);
    const [outside] = await detect(detector([[0, 1, 0.2, 0.4]]), [[0, 0.9, 0]], [[0, 0, 0, 0]]);
    for (const [i, value] of [1, 0.9, -0.1, 0.8, 0.1, 1.2].entries()) expect(outside![i]).toBeCloseTo(value, 6);
  });

  test('logits pass through a softmax', async () => {
    const settings = corners();
    settings.outputs.scoresAre = 'logits';
    const [row] = await detect(settings, [[1, 1 + Math.log(6), 1 + Math.log(3)]], [[0, 0, 1, 1]]);
    // e^0 : 6 : 3
    expect(row![1]).toBeCloseTo(0.6, 6);
  });

  test('shapes that do not fit the settings are named', async () => {
    const decoder = new BoxDecoder(detector([[0.5, 0.5, 1, 1]]));
    const wrong = outputs([[0, 1]], [[0, 0, 0, 0]]);
    await expect(async () => decoder.detect(wrong, 1)).rejects.toMatchObject({
      code: 'ERR_BAD_CONFIG',
      message: expect.stringMatching(/"scores" has the shape \(1, 1, 2\).*\(n, 1, 3\)/),
    });
  });
});

describe('suppression', () => {
  const unit = (x: number, height = 1): number[] => [x, 0, x + 1, height];

  test('a score equal to the threshold is out, an overlap equal to the threshold stays', async () => {
    const boxes = [unit(0), unit(0, 0.5), unit(5)];
    const scores = [
      [0, 0.75, 0],
      [0, 0.6, 0],
      [0, 0.5, 0],
    ];
    expect((await detect(corners({ scoreThreshold: 0.5, iouThreshold: 0.5 }), scores, boxes)).map((r) => r[1])).toEqual(
      [0.75, 0.6].map(Math.fround),
    );
    expect(await detect(corners({ scoreThreshold: 0.5, iouThreshold: 0.49 }), scores, boxes)).toHaveLength(1);
  });

  test('classes do not suppress each other, background is never reported', async () => {
    const rows = await detect(corners(), [[0.9, 0.5, 0.25]], [unit(0)]);
    expect(rows.map((row) => [row[0], row[1]])).toEqual([
      [1, 0.5],
      [2, 0.25],
    ]);
  });

  test('a suppressed box suppresses nothing', async () => {
    // Overlaps of neighbours 0.6 / 1.4 = 0.43; of the ends 0.2 / 1.8 = 0.11.
    const boxes = [unit(0), unit(0.4), unit(0.8)];
    const scores = [0.9, 0.8, 0.7].map((score) => [0, score, 0]);
    const kept = await detect(corners({ iouThreshold: 0.4 }), scores, boxes);
    expect(kept.map((row) => row[2])).toEqual([0, Math.fround(0.8)]);
  });

  test('topK counts before suppression a class, keepTopK after it over all', async () => {
    const boxes = [unit(0), unit(0.01), unit(4), unit(8)];
    const scores = [
      [0, 0.9, 0.15],
      [0, 0.8, 0.25],
      [0, 0.7, 0.35],
      [0, 0.6, 0.95],
    ];
    const two = await detect(corners({ topK: 2 }), scores, boxes);
    expect(two.map((row) => [row[0], row[1]])).toEqual(
      [
        [1, 0.9],
        [2, 0.95],
        [2, 0.35],
      ].map((row) => row.map(Math.fround)),
    );
    const three = await detect(corners({ keepTopK: 3 }), scores, boxes);
    expect(three.map((row) => row[1])).toEqual([0.9, 0.7, 0.95].map(Math.fround));
    expect(await detect(corners({ keepTopK: -1, topK: -1 }), scores, boxes)).toHaveLength(6);
  });

  test('equal scores go by the order of boxes; boxes without area leave one of each other', async () => {
    const point = [0.5, 0.5, 0.5, 0.5];
    expect(
      await detect(
        corners(),
        [
          [0, 0.5, 0],
          [0, 0.5, 0],
        ],
        [unit(0), unit(0.1)],
      ),
    ).toEqual([[1, 0.5, 0, 0, 1, 1]]);
    // 0/0 is no number, and Paddle keeps a box only while its overlap is at most the threshold.
    expect(
      await detect(
        corners(),
        [
          [0, 0.5, 0],
          [0, 0.5, 0],
        ],
        [point, point],
      ),
    ).toHaveLength(1);
  });

  test('scores that are no numbers take no part', async () => {
    expect(await detect(corners(), [[0, Number.NaN, 0.5]], [unit(0)])).toEqual([[2, 0.5, 0, 0, 1, 1]]);
  });
});

(existsSync(reference) ? test : test.skip)("Paddle 1.8.5's multiclass_nms gives the same rows", async () => {
  const floats = (name: string): Float32Array => {
    const bytes = readFileSync(path.join(reference, name));
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  };
  const settings = JSON.parse(readFileSync(path.join(reference, 'detector.json'), 'utf8')) as DetectorSettings;
  const corner = floats('before_box.f32');
  const priors = new Float32Array(corner.length);
  for (let i = 0; i < corner.length; i += 4) {
    const [xmin, ymin, xmax, ymax] = corner.subarray(i, i + 4) as unknown as [number, number, number, number];
    priors.set([(xmin + xmax) / 2, (ymin + ymax) / 2, xmax - xmin, ymax - ymin], i);
  }
  const decoder = new BoxDecoder({ ...settings, priors });
  const { scores, boxes } = settings.outputs;
  const [rows] = await decoder.detect(
    {
      [scores]: { dims: [1, 1917, 21], data: floats('before_confs.f32') },
      [boxes]: { dims: [1, 1917, 4], data: floats('before_locs.f32') },
    },
    1,
  );
  const got = rowsOf(rows!);
  const expected = rowsOf(floats('before_nms.f32'));
  expect(got).toHaveLength(expected.length);
  // As a set: the weights are untrained, and ties decide the order. Each row of theirs takes one of ours.
  for (const row of expected) {
    const at = got.findIndex(
      (ours) => ours[0] === row[0] && ours.every((value, i) => Math.abs(value - row[i]!) < 1e-4),
    );
    expect({ row, found: at >= 0 }).toEqual({ row, found: true });
    got.splice(at, 1);
  }
});
