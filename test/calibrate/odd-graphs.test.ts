import { create } from '@bufbuild/protobuf';
import { noise } from './small-net';

const { calibrate } = require('../../dist/lib/calibrate/calibrate') as typeof import('../../lib/calibrate/calibrate');
const { GraphWriter } = require('../../dist/lib/model/graph-writer') as typeof import('../../lib/model/graph-writer');
const { OnnxModel } = require('../../dist/lib/model/onnx-model') as typeof import('../../lib/model/onnx-model');
const { AttributeProto_AttributeType, AttributeProtoSchema, ModelProtoSchema, TensorProto_DataType } =
  require('../../dist/lib/model/onnx_pb') as typeof import('../../lib/model/onnx_pb');
const { decodeModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { makeTensor, toFloat32 } = require('../../dist/lib/model/tensor') as typeof import('../../lib/model/tensor');
const { encodeModel } = require('../../dist/lib/model/write') as typeof import('../../lib/model/write');

type Writer = InstanceType<typeof GraphWriter>;
type Options = Parameters<typeof calibrate>[2];

/** A picture a number, whichever batch it comes in. */
const source = {
  count: 40,
  feeds: async (first: number, last: number) => {
    const data = new Float32Array((last - first) * 108);
    for (let i = first; i < last; i++) data.set(noise(100 + i, 108), (i - first) * 108);
    return { image: { dims: [last - first, 3, 6, 6], data } };
  },
};

const conv = (g: Writer, name: string, x: string, filters: number, channels: number, side = 1): string => {
  const seed = Number(name.slice(1));
  const w = g.weights(`${name}.w`, [filters, channels, side, side], noise(seed, filters * channels * side ** 2, 0.4));
  const pads = Array.from({ length: 4 }, () => (side - 1) / 2);
  return g.node('Conv', name, [x, w, g.weights(`${name}.b`, [filters], noise(seed + 50, filters, 0.3))], { pads });
};

function finish(g: Writer, dims: (number | string)[]): InstanceType<typeof OnnxModel> {
  g.graph.node.at(-1)!.output[0] = 'out';
  g.output('out', dims as never);
  const opsetImport = [{ domain: '', version: 13n }];
  return new OnnxModel(create(ModelProtoSchema, { irVersion: 8n, opsetImport, graph: g.graph }));
}

const run = (model: InstanceType<typeof OnnxModel>, ratios: Record<string, number>, more: Partial<Options> = {}) =>
  calibrate(
    model,
    {
      prunedParams: Object.keys(ratios).join('|'),
      ratios: new Map(Object.entries(ratios)),
      align: 1,
      criterion: 'obs',
    },
    { source, repair: 'least_squares', ...more },
  );

test('what an Add behind a MatMul adds stays', async () => {
  const g = new GraphWriter('matmul');
  let x = g.node('Relu', 'r1', [conv(g, 'c1', g.input('image', ['n', 3, 6, 6]), 10, 3, 3)]);
  x = g.node('Flatten', 'flat', [g.node('GlobalAveragePool', 'pool', [x])]);
  x = g.node('MatMul', 'mm', [x, g.weights('mm.w', [10, 4], noise(3, 40, 0.4))]);
  g.node('Add', 'add', [x, g.weights('mm.b', [4], Float32Array.of(100, 200, 300, 400))]);
  const { cut } = await run(finish(g, ['n', 4]), { 'c1.w': 0.2 });
  const add = cut.model.graph.node.find(({ opType }) => opType === 'Add')!;
  const bias = toFloat32(cut.model.constant(add.input[1]!)!);
  // Two of ten channels of mean below 1 are gone: the constant moves by little.
  [100, 200, 300, 400].forEach((before, o) => {
    expect(Math.abs(bias[o]! - before)).toBeLessThan(1);
    expect(bias[o]).not.toBe(before);
  });
});

test('a layer whose rows are places is cut by weights, and the report says why', async () => {
  const g = new GraphWriter('rows');
  let x = conv(g, 'c1', g.input('image', ['n', 3, 6, 6]), 10, 3, 3);
  x = g.node('Transpose', 'turn', [x], { perm: [0, 2, 3, 1] });
  const shape = new Uint8Array(BigInt64Array.of(-1n, 10n).buffer);
  g.graph.initializer.push(makeTensor('shape', TensorProto_DataType.INT64, [2], shape));
  x = g.node('Reshape', 'rows', [x, 'shape']);
  g.node('Gemm', 'gm', [x, g.weights('gm.w', [10, 4], noise(3, 40)), g.weights('gm.b', [4], noise(4, 4))]);
  const { repair, cut } = await run(finish(g, ['m', 4]), { 'c1.w': 0.2 });
  expect(repair).toEqual([expect.objectContaining({ criterion: 'l1_norm', errorKept: null })]);
  expect(repair[0]!.reason).toMatch(/gm\.w: .*no batch axis/);
  expect(cut.tensors.find(({ name }) => name === 'c1.w')!.shapeAfter).toEqual([8, 3, 3, 3]);
});

test('what a layer that keeps its weights makes is never carried from before the cut', async () => {
  const mixed = () => {
    const g = new GraphWriter('mixed');
    const r = g.node('Relu', 'r1', [conv(g, 'c1', g.input('image', ['n', 3, 6, 6]), 10, 3, 3)]);
    const w = g.weights('ct.w', [10, 5, 3, 3], noise(21, 450, 0.3));
    const fixed = g.node('ConvTranspose', 'ct', [r, w], { pads: [1, 1, 1, 1] });
    const own = g.node('Relu', 'r2', [conv(g, 'c2', r, 8, 10, 3)]);
    conv(g, 'c3', g.node('Concat', 'cat', [fixed, own], { axis: 1 }), 4, 13);
    return finish(g, ['n', 4, 6, 6]);
  };
  const weights: Float32Array[] = [];
  for (const carriedBytes of [2 ** 30, 0]) {
    const { cut } = await run(mixed(), { 'c1.w': 0.4, 'c2.w': 0.25 }, { carriedBytes });
    weights.push(toFloat32(cut.model.constant('c3.w')!));
  }
  expect(weights[0]).toEqual(weights[1]);
});

test('a layer that is refitted alone comes before the group that it makes', async () => {
  const g = new GraphWriter('chain');
  let x = g.node('Relu', 'r1', [conv(g, 'c1', g.input('image', ['n', 3, 6, 6]), 10, 3, 3)]);
  x = g.node('Relu', 'r2', [conv(g, 'c2', x, 8, 10)]);
  x = g.node('Relu', 'r3', [conv(g, 'c3', x, 8, 8)]);
  conv(g, 'c4', x, 4, 8);
  const { repair } = await run(finish(g, ['n', 4, 6, 6]), { 'c1.w': 0.6, 'c3.w': 0.5 }, { repair: 'full' });
  const order = repair.map(({ layer, readers }) => [layer, ...readers]);
  expect(order).toEqual([
    ['c1.w', 'c2.w'],
    ['c3.w', 'c3.w'],
    ['c3.w', 'c4.w'],
  ]);
});

test('a bias that is a list in a Constant node is refitted there', async () => {
  const g = new GraphWriter('constant');
  let x = g.node('Relu', 'r1', [conv(g, 'c1', g.input('image', ['n', 3, 6, 6]), 10, 3, 3)]);
  const bias = g.node('Constant', 'b', []);
  const floats = Array.from(noise(4, 4));
  g.graph.node
    .at(-1)!
    .attribute.push(
      create(AttributeProtoSchema, { name: 'value_floats', type: AttributeProto_AttributeType.FLOATS, floats }),
    );
  x = g.node('Conv', 'c2', [x, g.weights('c2.w', [4, 10, 1, 1], noise(3, 40)), bias]);
  const { cut } = await run(finish(g, ['n', 4, 6, 6]), { 'c1.w': 0.4 }, { repair: 'bias' });
  const stored = decodeModel(encodeModel(cut.model));
  const refitted = toFloat32(stored.constant(bias)!);
  expect(refitted).not.toEqual(Float32Array.from(floats));
  expect(refitted).toEqual(toFloat32(cut.model.constant(bias)!));
});
