import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readDetectorSettings } from '../../lib/model/detector';
import { buildMobileNetV1Ssd } from '../../lib/model/mobilenet-v1-ssd';
import { tensorDims, toFloat32 } from '../../lib/model/tensor';
import { encodeModel } from '../../lib/model/write';
import { makePlan } from '../../lib/train/plan';
import { shared } from '../shared';
import { failure } from './onnx-files';

const root = path.resolve(__dirname, '..', '..');
const reference = path.join(shared, 'reference', 'paddle-1.8.5-target-0.2');
const withReference = existsSync(reference) ? test : test.skip;

const parameters = (model: ReturnType<typeof buildMobileNetV1Ssd>) =>
  model.graph.initializer.filter((t) => !t.name.endsWith('.shape'));
const count = (dims: number[]) => dims.reduce((product, d) => product * d, 1);

describe('the network at width 1', () => {
  const model = buildMobileNetV1Ssd();

  test('names and order are those of the original list', () => {
    const names = parameters(model).map((t) => t.name);
    const norm = (i: number) => ['w_0', 'b_0', 'w_1', 'w_2'].map((suffix) => `batch_norm_${i}.${suffix}`);
    expect(names.slice(0, 15)).toEqual([
      'conv2d_0.w_0',
      ...norm(0),
      'depthwise_conv2d_0.w_0',
      ...norm(1),
      'conv2d_1.w_0',
      ...norm(2),
    ]);
    expect(names.slice(-4)).toEqual(['conv2d_32.w_0', 'conv2d_32.b_0', 'conv2d_33.w_0', 'conv2d_33.b_0']);
    expect(names).toHaveLength(47 + 12 + 35 * 4);
    expect(parameters(model).reduce((sum, t) => sum + count(tensorDims(t)), 0)).toBe(5_821_433);
    const shape = (name: string) => tensorDims(model.constant(name)!);
    expect(shape('conv2d_0.w_0')).toEqual([32, 3, 3, 3]);
    expect(shape('depthwise_conv2d_0.w_0')).toEqual([32, 1, 3, 3]);
    expect(shape('conv2d_1.w_0')).toEqual([64, 32, 1, 1]);
    expect(shape('depthwise_conv2d_12.w_0')).toEqual([1024, 1, 3, 3]);
  });

  withReference('every shape is the one that Paddle has', () => {
    const { shapes } = JSON.parse(readFileSync(path.join(reference, 'report.json'), 'utf8')) as {
      shapes: Record<string, [number[], number[]]>;
    };
    const ours = Object.fromEntries(parameters(model).map((t) => [t.name, tensorDims(t)]));
    expect(ours).toEqual(Object.fromEntries(Object.entries(shapes).map(([name, [before]]) => [name, before])));
  });

  withReference('priors are those that Paddle computes', () => {
    const { priors } = readDetectorSettings(model);
    const bytes = readFileSync(path.join(reference, 'before_box.f32'));
    const corners = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    expect(priors.length).toBe(1917 * 4);
    let worst = 0;
    for (let i = 0; i < priors.length; i += 4) {
      const [cx, cy, w, h] = priors.subarray(i, i + 4) as unknown as [number, number, number, number];
      for (const [j, edge] of [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2].entries())
        worst = Math.max(worst, Math.abs(edge - corners[i + j]!));
    }
    expect(worst).toBeLessThan(1e-6);
    const listed = JSON.parse(readFileSync(path.join(reference, 'detector.json'), 'utf8')).priors.flat() as number[];
    expect(Math.max(...listed.map((value, i) => Math.abs(value - priors[i]!)))).toBeLessThan(1e-6);
  });

  test('the same seed gives the same bytes anywhere, another seed others', () => {
    const digest = (seed: number) => {
      const hash = createHash('sha256');
      for (const t of buildMobileNetV1Ssd({ seed, width: 0.25 }).graph.initializer) hash.update(t.rawData);
      return hash.digest('hex');
    };
    expect(digest(0)).toBe('cea60fd6c447bc2548009a2685063e2d76a3dac265a2b33242bca625e40efa6d');
    expect(digest(1)).not.toBe(digest(0));
    expect(digest(2 ** 32)).not.toBe(digest(0));
  });

  test('weights fill their range evenly', () => {
    const weights = toFloat32(model.constant('conv2d_13.w_0')!);
    const limit = Math.sqrt(6 / 1024);
    const mean = weights.reduce((sum, w) => sum + w, 0) / weights.length;
    const variance = weights.reduce((sum, w) => sum + w * w, 0) / weights.length;
    expect(Math.abs(mean)).toBeLessThan((4 * limit) / Math.sqrt(3 * weights.length));
    expect(variance / (limit * limit)).toBeCloseTo(1 / 3, 2);
    expect(new Set(weights.subarray(0, 100_000)).size).toBeGreaterThan(99_000);
  });
});

test('detector settings say how the original was used', () => {
  const settings = readDetectorSettings(buildMobileNetV1Ssd({ classes: 3, width: 0.25 }));
  expect(settings.classes).toEqual(['background', 'class1', 'class2']);
  expect(settings.input).toMatchObject({ channels: 'BGR', mean: [127.5, 127.5, 127.5], width: 300 });
  expect(settings.input.std[0]).toBeCloseTo(127.50223, 5);
  expect(settings.outputs).toEqual({ scores: 'scores', boxes: 'boxes', scoresAre: 'logits', boxesAre: 'offsets' });
  expect(settings.nms).toEqual({ scoreThreshold: 0.01, iouThreshold: 0.45, topK: 400, keepTopK: 200 });
});

test('widths scale all layers but the heads, in eights', () => {
  const model = buildMobileNetV1Ssd({ width: 0.35 });
  const shape = (name: string) => tensorDims(model.constant(name)!);
  expect(shape('conv2d_0.w_0')).toEqual([8, 3, 3, 3]);
  expect(shape('conv2d_13.w_0')).toEqual([360, 360, 1, 1]);
  expect(shape('conv2d_20.w_0')).toEqual([24, 88, 1, 1]);
  expect(shape('conv2d_33.w_0')).toEqual([126, 48, 1, 1]);
  expect(tensorDims(buildMobileNetV1Ssd({ width: 0.01 }).constant('conv2d_1.w_0')!)).toEqual([8, 8, 1, 1]);
});

test.each([
  { classes: 1 },
  { classes: 2.5 },
  { classes: Number.NaN },
  { width: 0 },
  { width: 5 },
  { width: Number.NaN },
  { inputSize: 63 },
  { inputSize: 100.5 },
  { smallestPrior: 0 },
  { smallestPrior: 0.95 },
  { seed: -1 },
  { seed: 0.5 },
  { classes: 3, classNames: ['background', 'a'] },
  { classNames: ['background', 'a', 'a'] },
])('%p is refused', async (options) => {
  expect((await failure(() => buildMobileNetV1Ssd(options))).code).toBe('ERR_USAGE');
});

const withRuntime = (() => {
  try {
    require.resolve('onnxruntime-node');
    return test;
  } catch {
    return test.skip;
  }
})();
withRuntime('ONNX Runtime runs it at any batch size', () => {
  // In a process of its own: the runtime's threads outlive a session, and its arrays are not jest's.
  const { spawnSync } = require('node:child_process') as typeof import('node:child_process');
  const script = `
    const ort = require('onnxruntime-node');
    let bytes = [];
    process.stdin.on('data', (chunk) => bytes.push(chunk)).on('end', async () => {
      const session = await ort.InferenceSession.create(new Uint8Array(Buffer.concat(bytes)));
      const data = Float32Array.from({ length: 2 * 3 * 300 * 300 }, (_, i) => Math.sin(i));
      const out = await session.run({ image: new ort.Tensor('float32', data, [2, 3, 300, 300]) });
      const spread = (t) => Math.max(...t.data) - Math.min(...t.data);
      console.log(JSON.stringify([out.boxes.dims, out.scores.dims, spread(out.boxes), spread(out.scores)]));
    });`;
  const input = encodeModel(buildMobileNetV1Ssd({ classes: 5, width: 0.5 }));
  const env = { ...process.env, ORT_DISABLE_TELEMETRY: '1' };
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { input, encoding: 'utf8', cwd: root, env });
  expect(stderr).toBe('');
  const [boxes, scores, ...spreads] = JSON.parse(stdout) as [number[], number[], number, number];
  expect([boxes, scores]).toEqual([
    [2, 1917, 4],
    [2, 1917, 5],
  ]);
  for (const spread of spreads) expect(spread > 0.1 && spread < 100).toBe(true);
});

// Places of the maps: 160 halves to 10, 5, 3, 2, 1; 64 to 4, 2, 1; 512 to 32, 16, 8, 4, 2, 1; 300 is held to Paddle's above.
test.each([
  [64, 0.35, [4, 2, 1], [0.35, 0.65, 0.95]],
  [160, 0.2, [10, 5, 3, 2, 1], [0.2, 0.3875, 0.575, 0.7625, 0.95]],
  [512, 0.2, [32, 16, 8, 4, 2, 1], [0.2, 0.35, 0.5, 0.65, 0.8, 0.95]],
])('an input of %d pixels with priors from %d on has maps of %j', (inputSize, smallestPrior, maps, sizes) => {
  const model = buildMobileNetV1Ssd({ inputSize, smallestPrior, width: 0.1, classes: 3 });
  const places = maps.reduce((sum, map, i) => sum + map * map * (i === 0 ? 3 : 6), 0);
  const { input, priors } = readDetectorSettings(model);
  expect([input.width, input.height, priors.length / 4]).toEqual([inputSize, inputSize, places]);
  // The network itself, by the training plan's shapes, gives as many boxes.
  expect(makePlan(model).outputs.map(({ boxes, width }) => [boxes, width])).toEqual([
    [places, 4],
    [places, 3],
  ]);
  // The first prior of each map: a square in the middle of the first place.
  let first = 0;
  for (const [i, map] of maps.entries()) {
    const expected = [0.5 / map, 0.5 / map, sizes[i], sizes[i]].map((value) => value!.toFixed(5));
    expect([...priors.subarray(4 * first, 4 * first + 4)].map((value) => value.toFixed(5))).toEqual(expected);
    first += map * map * (i === 0 ? 3 : 6);
  }
});
