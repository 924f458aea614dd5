import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { OptimizerSettings } from '../../lib/train/optimizer';
import { noise, noisePictures } from './noise';
import { smooth } from './smooth';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { readDetectorSettings } = dist('model/detector') as typeof import('../../lib/model/detector');
const { buildMobileNetV1Ssd } = dist('model/mobilenet-v1-ssd') as typeof import('../../lib/model/mobilenet-v1-ssd');
const { makeNativeTrainer } = dist('train/native-trainer') as typeof import('../../lib/train/native-trainer');
const { readNetwork } = dist('train/network') as typeof import('../../lib/train/network');
const { groupParameters } = dist('train/optimizer') as typeof import('../../lib/train/optimizer');
const { placeParameters } = dist('train/optimizer-arrays') as typeof import('../../lib/train/optimizer-arrays');
const { parameterOffsets } = dist('train/parameters') as typeof import('../../lib/train/parameters');
const { statisticRanges } = dist('train/recalibration') as typeof import('../../lib/train/recalibration');
const { completeRecipe } = dist('train/recipe') as typeof import('../../lib/train/recipe');

interface Case {
  settings: OptimizerSettings & { rate: number };
  steps: { classes: number; boxes: number; positives: number; negatives: number; gradientNorm: number }[];
  /** The norm of what a parameter moved by, and the product of that with noise. */
  moved: Record<string, [norm: number, product: number]>;
}

// ssd-prune init whole.onnx --width 0.25 --classes 5
// python scripts/record-training-step.py weights test/train/three-steps.json whole.onnx
const recorded = JSON.parse(readFileSync(path.join(__dirname, 'three-steps.json'), 'utf8')) as {
  batch: number;
  /** Label and corners of the objects on each picture. */
  objects: [label: number, ...corners: number[]][][];
  warmUp: number[];
  groups: { weightDecay: number; otherDecay: number; backboneRate: number };
  cases: Record<string, Case>;
};

const model = smooth(buildMobileNetV1Ssd({ classes: 5, width: 0.25 }));
const detector = readDetectorSettings(model);
const network = readNetwork(model, detector);
const { offsets } = parameterOffsets(network.plan);
const { batch, objects, warmUp } = recorded;
const truth = {
  offsets: Int32Array.from([0, ...objects.map((_, i) => objects.slice(0, i + 1).flat().length)]),
  boxes: Float32Array.from(objects.flat().flatMap(([, ...corners]) => corners)),
  labels: Int32Array.from(objects.flat(), ([label]) => label),
};
const { channels, height, width } = network.plan.graph;
const { pictures } = noisePictures(batch * warmUp.length, channels, height * width);

/** Takes the steps, comparing what each one says, and returns by how much the weights moved. */
async function takeSteps({ settings: { rate, ...optimizer }, steps }: Case): Promise<Float32Array> {
  const options = { batchSize: batch, microBatch: batch, optimizer, groups: recorded.groups };
  const recipe = completeRecipe(options, { pictures: batch, comparable: false, ...network });
  const groups = groupParameters(network.parameters, recipe.groups);
  const statistics = statisticRanges(network.plan.graph, offsets);
  const placed = placeParameters(network, offsets);
  const native = makeNativeTrainer(network, undefined, recipe, detector, { groups, placed, statistics });
  for (const [i, expected] of steps.entries()) {
    const report = await native.step({
      ...truth,
      pictures: pictures.slice((i * pictures.length) / steps.length, ((i + 1) * pictures.length) / steps.length),
      learningRates: Float32Array.from(groups, ({ multiplier }) => rate * warmUp[i]! * multiplier),
      maxNorm: optimizer.maxNorm ?? 0,
      ...{ averageDecay: 0, batchStatistics: true, lossLimit: Number.POSITIVE_INFINITY },
    });
    expect(report).toMatchObject({ status: 0, positives: expected.positives, negatives: expected.negatives });
    for (const key of ['classes', 'boxes', 'gradientNorm'] as const) {
      expect([i, key, Math.abs(report[key] / expected[key] - 1) < 1e-4]).toEqual([i, key, true]);
    }
  }
  const weights = new Float32Array(network.weights.length);
  native.get('weights', weights);
  return weights.map((value, i) => value - network.weights[i]!);
}

describe('three steps of a whole detector end where float64 does', () => {
  test.each(Object.entries(recorded.cases))('%s', async (_, expected) => {
    const moved = await takeSteps(expected);
    let compared = 0;
    network.plan.parameters.forEach(({ name, size }, i) => {
      if (!(name in expected.moved)) return;
      compared++;
      const part = moved.slice(offsets[i], offsets[i]! + size);
      const weights = noise(size);
      const norm = Math.sqrt(part.reduce((sum, value) => sum + value * value, 0));
      const product = part.reduce((sum, value, k) => sum + value * weights[k]!, 0);
      const [wanted, wantedProduct] = expected.moved[name]!;
      // What a step changes in the last bits of weights near 1 is rounding.
      const scale = 1e-3 * wanted + 1e-7 * Math.sqrt(size);
      expect([name, Math.abs(norm - wanted) < scale, Math.abs(product - wantedProduct) < scale]).toEqual([
        name,
        true,
        true,
      ]);
    });
    expect(compared).toBe(Object.keys(expected.moved).length);
  });
});
