import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { OnnxModel } from '../../lib/model/onnx-model';
import type { Precision } from '../../lib/native/engine';
import { noise, noisePictures } from './noise';
import { smooth } from './smooth';

const root = path.resolve(__dirname, '..', '..');
const dist = (name: string) => require(path.join(root, 'dist', 'lib', name));
const { buildMobileNetV1Ssd } = dist('model/mobilenet-v1-ssd') as typeof import('../../lib/model/mobilenet-v1-ssd');
const { Pruner } = dist('prune/prune') as typeof import('../../lib/prune/prune');
const { makePlan } = dist('train/plan') as typeof import('../../lib/train/plan');
const { parameterOffsets, readParameters } = dist('train/parameters') as typeof import('../../lib/train/parameters');
const { checkPrecision } = dist('train/precision') as typeof import('../../lib/train/precision');
const { addon } = dist('native/addon') as typeof import('../../lib/native/addon');

/** A norm, and the product with noise. */
type Record2 = [norm: number, product: number];

interface Recorded {
  weights: number;
  outputs: Record<string, Record2>;
  gradients: Record<string, Record2>;
  statistics: Record<string, number>;
}

// ssd-prune init whole.onnx --width 0.25 --classes 5
// ssd-prune prune whole.onnx -o pruned.onnx --pruned-params 'conv2d_.*\.w_0' --target-ratio 0.35 --skip-locked --align 1
// python scripts/record-training-step.py gradients test/train/step.json whole.onnx pruned.onnx
const recorded = JSON.parse(readFileSync(path.join(__dirname, 'step.json'), 'utf8')) as {
  batch: number;
  models: Record<'whole' | 'pruned', Record<'plain' | 'smooth', Recorded>>;
};

const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

function recordOf(values: Float32Array): Record2 {
  const weights = noise(values.length);
  return [norm(values), values.reduce((sum, value, i) => sum + value * weights[i]!, 0)];
}

/**
 * Both numbers, to so many shares of the norm. A shift that the next normalisation takes away again has a gradient of 0,
 * found as the rounding of others, whose norms go up to some ten thousands: of `least` at most.
 */
function expectClose(
  name: string,
  [found, product]: Record2,
  [wanted, wantedProduct]: Record2,
  share: number,
  least: number,
) {
  const scale = share * Math.max(wanted, least);
  expect([name, Math.abs(found - wanted) < scale, Math.abs(product - wantedProduct) < scale]).toEqual([
    name,
    true,
    true,
  ]);
}

/** `share` of gradients, `outputs` of outputs and running statistics. */
async function check(
  model: OnnxModel,
  reference: Recorded,
  share: number,
  { precision = 'fp32' as Precision, outputs = 1e-4 } = {},
) {
  const plan = makePlan(model);
  const { offsets, length } = parameterOffsets(plan);
  const before = readParameters(model, plan);
  expect(before.reduce((sum, value) => sum + Math.abs(value), 0) / reference.weights).toBeCloseTo(1, 6);

  const { batch } = recorded;
  const { channels, height, width } = plan.graph;
  const engine = new (addon().Engine)(plan.graph, batch, precision);
  engine.setWeights(before);
  engine.setPictures(noisePictures(batch, channels, height * width).pictures);
  await engine.forward(true);
  plan.outputs.forEach(({ name, boxes, width: numbers }, i) => {
    const values = new Float32Array(batch * boxes * numbers);
    engine.output(i, values);
    expectClose(name, recordOf(values), reference.outputs[name]!, outputs, 20);
    engine.setDerivatives(i, Float32Array.from(noise(values.length)));
  });
  await engine.backward(false);
  const gradients = new Float32Array(length);
  engine.gradients(gradients);
  const after = new Float32Array(length);
  engine.weights(after);

  let trained = 0;
  plan.parameters.forEach(({ name, size, role }, i) => {
    const part = (all: Float32Array) => all.slice(offsets[i], offsets[i]! + size);
    if (role === 'statistic') {
      expect(Math.abs(norm(part(after)) / reference.statistics[name]! - 1)).toBeLessThan(outputs / 2);
      return;
    }
    trained++;
    expectClose(name, recordOf(part(gradients)), reference.gradients[name]!, share, precision === 'bf16' ? 1000 : 20);
  });
  expect(trained).toBe(Object.keys(reference.gradients).length);
}

describe("a step's outputs, statistics and gradients are PyTorch's in float64", () => {
  const whole = buildMobileNetV1Ssd({ classes: 5, width: 0.25 });

  const pruner = new Pruner(whole);
  const options = { prunedParams: 'conv2d_.*\\.w_0', targetRatio: 0.35, skipLocked: true, align: 1 };
  const pruned = pruner.cut(pruner.plan(options)).model;

  test('the built-in network, a quarter wide', async () => {
    await check(whole, recorded.models.whole.plain, 0.15);
    await check(smooth(whole), recorded.models.whole.smooth, 1e-4);
  });

  test('pruned to odd widths', async () => {
    await check(pruned, recorded.models.pruned.plain, 0.15);
    await check(smooth(pruned), recorded.models.pruned.smooth, 1e-4);
  });

  // Each factor of a product is off by up to 2^-9 of itself; 35 layers add that up.
  test('in bfloat16, where the processor has it, as near as its eight bits allow', async () => {
    if (!addon().hasBfloat16()) return expect(() => checkPrecision('bf16')).toThrow('AVX512-BF16');
    const rounded = { precision: 'bf16', outputs: 0.05 } as const;
    await check(smooth(whole), recorded.models.whole.smooth, 0.05, rounded);
    await check(smooth(pruned), recorded.models.pruned.smooth, 0.05, rounded);
  });
});
