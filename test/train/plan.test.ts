import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import type { OnnxModel } from '../../lib/model/onnx-model';
import type { PlannedOutput } from '../../lib/train/plan';
import { shared } from '../shared';
import { noisePictures } from './noise';

const root = path.resolve(__dirname, '..', '..');
const dist = (name: string) => require(path.join(root, 'dist', 'lib', name));
const { decodeModel, readModel } = dist('model/read') as typeof import('../../lib/model/read');
const { buildMobileNetV1Ssd } = dist('model/mobilenet-v1-ssd') as typeof import('../../lib/model/mobilenet-v1-ssd');
const { encodeModel } = dist('model/write') as typeof import('../../lib/model/write');
const { GraphWriter } = dist('model/graph-writer') as typeof import('../../lib/model/graph-writer');
const { OnnxModel: Model } = dist('model/onnx-model') as typeof import('../../lib/model/onnx-model');
const { AttributeProto_AttributeType, AttributeProtoSchema, ModelProtoSchema } = dist(
  'model/onnx_pb',
) as typeof import('../../lib/model/onnx_pb');
const { inferShapes } = dist('model/shape-inference') as typeof import('../../lib/model/shape-inference');
const { Pruner } = dist('prune/prune') as typeof import('../../lib/prune/prune');
const { DetectorSession } = dist('evaluate/session') as typeof import('../../lib/evaluate/session');
const { makePlan } = dist('train/plan') as typeof import('../../lib/train/plan');
const { readParameters, writeParameters } = dist('train/parameters') as typeof import('../../lib/train/parameters');
const { addon } = dist('native/addon') as typeof import('../../lib/native/addon');

const realModel = path.join(shared, 'models', 'ssd-mobilenet-v1-0.75', 'model.onnx');
const zoo = path.join(root, 'test', 'graphs');

function activated({ activation, width }: PlannedOutput, values: Float32Array): Float32Array {
  if (activation === 'sigmoid') return values.map((value) => 1 / (1 + Math.exp(-value)));
  if (activation === 'none') return values;
  const out = new Float32Array(values.length);
  for (let row = 0; row < values.length; row += width) {
    const powers = values.subarray(row, row + width).map(Math.exp);
    const sum = powers.reduce((a, b) => a + b, 0);
    for (let i = 0; i < width; i++) out[row + i] = powers[i]! / sum;
  }
  return out;
}

/** Largest |engine − ONNX Runtime| over max(1, |ONNX Runtime|), of every output. */
async function difference(model: OnnxModel, batch: number): Promise<number> {
  const plan = makePlan(model);
  const { channels, height, width } = plan.graph;
  const { planar, pictures } = noisePictures(batch, channels, height * width);

  const engine = new (addon().Engine)(plan.graph, batch, 'fp32');
  engine.setWeights(readParameters(model, plan));
  engine.setPictures(pictures);
  await engine.forward(false);

  const session = await DetectorSession.create(encodeModel(model), { graphOptimization: 'disabled' });
  const input = session.inputs[0]!.name;
  const wanted = await session.run({ [input]: { data: planar, dims: [batch, channels, height, width] } });
  await session.close();
  let largest = 0;
  plan.outputs.forEach((output, i) => {
    const values = new Float32Array(batch * output.boxes * output.width);
    engine.output(i, values);
    const reference = wanted[output.name]!.data as Float32Array;
    expect(reference).toHaveLength(values.length);
    activated(output, values).forEach((value, k) => {
      largest = Math.max(largest, Math.abs(value - reference[k]!) / Math.max(1, Math.abs(reference[k]!)));
    });
  });
  return largest;
}

describe('what the engine computes is what ONNX Runtime computes', () => {
  test('the built-in network, and pruned to odd widths', async () => {
    const model = buildMobileNetV1Ssd({ classes: 5, width: 0.5 });
    expect(await difference(model, 2)).toBeLessThan(2e-4);
    const pruner = new Pruner(model);
    const pruned = pruner.cut(
      pruner.plan({ prunedParams: 'conv2d_.*\\.w_0', targetRatio: 0.35, skipLocked: true }),
    ).model;
    const widths = [...inferShapes(pruned).values()].map(({ shape }) => shape?.[1] ?? 0);
    expect(widths.some((width) => width % 2 === 1)).toBe(true);
    expect(await difference(pruned, 2)).toBeLessThan(2e-4);
  });

  (existsSync(realModel) ? test : test.skip)('the real model, its normalisations folded', async () => {
    expect(await difference(await readModel(realModel), 2)).toBeLessThan(2e-4);
  });

  const trainable = [
    'concat-densenet-legacy-12',
    'constant-bn-legacy-11',
    'dedup-shared-legacy-13',
    'dynamic-all-dynamo-21',
    'dynamic-batch-legacy-11',
    'group-borders-13',
    'grouped-multiplier-dynamo-20',
    'grouped-resnext-legacy-13',
    'heads-only-13',
    'identity-weights-legacy-13',
    'old-format-legacy-9',
    'residual-mobilenetv2-dynamo-18',
    'residual-resnet-legacy-17',
    'shared-initializers-13',
  ];
  test.each(trainable)('%s', async (name) => {
    expect(await difference(await readModel(path.join(zoo, `${name}.onnx`)), 1)).toBeLessThan(2e-4);
  });
});

/** A little network with one Conv behind a Pad, at its head. */
function padded(autoPad: string): OnnxModel {
  const g = new GraphWriter('padded');
  const pads = g.ints('pads', [0, 0, 1, 0, 0, 0, 2, 1]);
  let x = g.node('Pad', 'pad', [g.input('image', [1, 3, 8, 8]), pads]);
  const weights = Float32Array.from({ length: 4 * 3 * 9 }, (_, i) => Math.sin(i));
  x = g.node('Conv', 'conv', [x, g.weights('w', [4, 3, 3, 3], weights)], { strides: [2, 2] });
  const text = new TextEncoder().encode(autoPad);
  g.graph.node
    .at(-1)!
    .attribute.push(
      create(AttributeProtoSchema, { name: 'auto_pad', type: AttributeProto_AttributeType.STRING, s: text }),
    );
  x = g.node('Transpose', 'last', [x], { perm: [0, 2, 3, 1] });
  g.node('Reshape', 'rows', [x, g.ints('shape', [1, -1, 4])]);
  g.graph.node.at(-1)!.output[0] = 'out';
  g.output('out', [1, autoPad === 'VALID' ? 20 : 30, 4]);
  const opsetImport = [{ domain: '', version: 13n }];
  return new Model(create(ModelProtoSchema, { irVersion: 8n, opsetImport, graph: g.graph }));
}

test.each(['SAME_UPPER', 'SAME_LOWER', 'VALID'])(
  'a Conv with auto_pad %s behind a Pad reads both paddings',
  async (autoPad) => {
    expect(await difference(padded(autoPad), 1)).toBeLessThan(1e-5);
  },
);

describe('what it can not train', () => {
  test('is refused by node and operator, whatever the graph', async () => {
    const codes = new Map<string, number>();
    for (const file of readdirSync(zoo).filter((name) => name.endsWith('.onnx'))) {
      const model = await readModel(path.join(zoo, file));
      try {
        makePlan(model);
        codes.set('planned', (codes.get('planned') ?? 0) + 1);
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        codes.set(code, (codes.get(code) ?? 0) + 1);
        expect(message).toMatch(/node ".*" \(#\d+\) can't be trained: |can't be trained: it |output ".*" can't be/);
      }
    }
    expect([...codes.keys()].sort()).toEqual(['ERR_UNSUPPORTED_OP', 'planned']);
    expect(codes.get('planned')).toBeGreaterThanOrEqual(trainableAtLeast);
  });

  test('names the operator', async () => {
    const model = await readModel(path.join(zoo, 'lrn-13.onnx'));
    expect(() => makePlan(model)).toThrow(
      expect.objectContaining({
        code: 'ERR_UNSUPPORTED_OP',
        message: expect.stringMatching(/LRN node "lrn_1\/LRN" \(#4\)/),
      }),
    );
  });
});

const trainableAtLeast = 20;

describe('parameters', () => {
  test('go back where they came from, and nothing else changes', () => {
    const bytes = encodeModel(buildMobileNetV1Ssd({ classes: 3, width: 0.25 }));
    const model = decodeModel(bytes);
    const plan = makePlan(model);
    const values = readParameters(model, plan);
    writeParameters(model, plan, values);
    expect(Buffer.compare(encodeModel(model), bytes)).toBe(0);

    const weight = plan.parameters.findIndex(({ name }) => name === 'conv2d_3.w_0');
    writeParameters(
      model,
      plan,
      values.map((value) => value + 1),
    );
    const before = decodeModel(bytes);
    const changed = model.graph.initializer.filter(
      ({ rawData }, i) => Buffer.compare(rawData, before.graph.initializer[i]!.rawData) !== 0,
    );
    expect(changed.map(({ name }) => name).sort()).toEqual(plan.parameters.map(({ name }) => name).sort());
    expect(plan.parameters[weight]).toMatchObject({ role: 'weight' });
    const read = readParameters(model, plan);
    expect(read[0]).toBeCloseTo(values[0]! + 1, 6);
  });

  test('have roles', () => {
    const { parameters } = makePlan(buildMobileNetV1Ssd({ classes: 3, width: 0.25 }));
    const role = (name: string) => parameters.find((parameter) => parameter.name === name)?.role;
    expect(['conv2d_0.w_0', 'batch_norm_0.w_0', 'batch_norm_0.b_0', 'batch_norm_0.w_1'].map(role)).toEqual([
      'weight',
      'scale',
      'shift',
      'statistic',
    ]);
    expect(role('conv2d_22.b_0')).toBe('bias');
  });
});
