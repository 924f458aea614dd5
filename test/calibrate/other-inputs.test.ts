import { create } from '@bufbuild/protobuf';
import { noisePictures } from './noise-pictures';
import { noise } from './small-net';

const { calibrateWithPictures } =
  require('../../dist/lib/calibrate/calibrate-file') as typeof import('../../lib/calibrate/calibrate-file');
const { GraphWriter } = require('../../dist/lib/model/graph-writer') as typeof import('../../lib/model/graph-writer');
const { OnnxModel } = require('../../dist/lib/model/onnx-model') as typeof import('../../lib/model/onnx-model');
const { ModelProtoSchema } = require('../../dist/lib/model/onnx_pb') as typeof import('../../lib/model/onnx_pb');
const { sensitivityByPictures } =
  require('../../dist/lib/sensitivity/sensitivity') as typeof import('../../lib/sensitivity/sensitivity');

/** image → c1 → Relu → c2, times what an input `scale` gives in front of c2 or behind it. */
function scaled(where: 'before' | 'behind'): InstanceType<typeof OnnxModel> {
  const g = new GraphWriter('scaled');
  const image = g.input('image', ['n', 3, 6, 6]);
  const scale = g.input('scale', [1]);
  const conv = (name: string, x: string, filters: number, channels: number): string => {
    const seed = Number(name.slice(1));
    const values = noise(seed, filters * channels, 0.4);
    const bias = g.weights(`${name}.b`, [filters], noise(seed + 50, filters, 0.3));
    return g.node('Conv', name, [x, g.weights(`${name}.w`, [filters, channels, 1, 1], values), bias], {});
  };
  let x = g.node('Relu', 'r1', [conv('c1', image, 10, 3)]);
  if (where === 'before') x = g.node('Mul', 'scaling', [x, scale]);
  x = conv('c2', x, 4, 10);
  if (where === 'behind') g.node('Mul', 'scaling', [x, scale]);
  g.graph.node.at(-1)!.output[0] = 'out';
  g.output('out', ['n', 4, 6, 6]);
  return new OnnxModel(
    create(ModelProtoSchema, { irVersion: 8n, opsetImport: [{ domain: '', version: 13n }], graph: g.graph }),
  );
}

const given = { prunedParams: 'c1\\.w', targetRatio: 0.3, tolerance: 0.1, align: 1 };
let pictures: { pictures: string; detector: string };

beforeAll(async () => {
  const { folder, detector } = await noisePictures(6, 6, ['out', 'out']);
  pictures = { pictures: folder, detector };
});

test('an input that layers need besides pictures is refused by its name, before the work', async () => {
  const refusals = [
    calibrateWithPictures(scaled('before'), given, pictures),
    sensitivityByPictures(scaled('before'), { ...given, calibrate: pictures }),
  ];
  for (const refusal of await Promise.allSettled(refusals)) {
    const { code, message } = (refusal as PromiseRejectedResult).reason;
    expect(code).toBe('ERR_USAGE');
    expect(message).toMatch(/from "scale", too, and calibration feeds "image" alone: store it as an initializer/);
  }
});

test('an input that is needed behind all layers only is none of its concern', async () => {
  const { repair } = await calibrateWithPictures(scaled('behind'), given, pictures);
  expect(repair).toEqual([expect.objectContaining({ layer: 'c1.w', criterion: 'obs', readers: ['c2.w'] })]);
});
