import {
  type AugmentSettings,
  lightAugmentation,
  noAugmentation,
  paddleAugmentation,
} from '../../lib/train/augmentation';
import { completeRecipe, type RecipeOptions } from '../../lib/train/recipe';
import { learningRate } from '../../lib/train/schedule';

const facts = { pictures: 1000, normalises: false, sigmoidHeads: false, sigmoidScores: false, comparable: false };

test('what is left out has defaults that follow from the network and the number of pictures', () => {
  const recipe = completeRecipe({}, facts);
  // 125 whole batches of 8, six times; a twentieth of 750 steps.
  expect(recipe).toMatchObject({ precision: 'fp32', epochs: 6, batchSize: 8, stepsPerEpoch: 125, steps: 750 });
  expect(recipe.schedule.warmUp).toBe(37);
  expect([recipe.optimizer.rule, recipe.schedule.rate]).toEqual(['muon', 6e-4]);
  expect(completeRecipe({ optimizer: { rule: 'adamw' } }, facts).schedule.rate).toBe(5e-4);
  expect(completeRecipe({ optimizer: { rule: 'sgd' } }, facts).schedule.rate).toBe(1e-3);
  expect(recipe).toMatchObject({ microBatch: 8, recalibrate: 0, loss: { classes: 'softmax' } });
  expect(completeRecipe({ batchSize: 12 }, facts).microBatch).toBe(6);
  expect(completeRecipe({ batchSize: 13 }, facts).microBatch).toBe(1);
  const normalising = { ...facts, normalises: true, sigmoidHeads: true };
  expect(completeRecipe({}, normalising)).toMatchObject({
    ...{ microBatch: 8, recalibrate: 16, loss: { classes: 'focal', trainsBackground: false } },
  });
  expect(completeRecipe({ batchStatistics: false }, normalising).microBatch).toBe(8);
  expect(completeRecipe({ loss: { classes: 'softmax', overlap: 0.4 } }, normalising).loss).toEqual({
    ...{ classes: 'softmax', overlap: 0.4, trainsBackground: true },
    teacher: { classWeight: 1, boxWeight: 1, featureWeight: 0 },
  });
});

test('pictures are augmented as settings or a name say, by default little', () => {
  const settings: AugmentSettings = { ...noAugmentation, mirror: 0.25 };
  expect(completeRecipe({}, facts).augment).toEqual(lightAugmentation);
  expect(completeRecipe({ augment: 'paddle' }, facts).augment).toEqual(paddleAugmentation);
  expect(completeRecipe({ augment: 'light' }, facts).augment).toEqual(lightAugmentation);
  expect(completeRecipe({ augment: 'none' }, facts).augment).toEqual(noAugmentation);
  expect(completeRecipe({ augment: settings }, facts).augment).toEqual(settings);
});

test('without labels the loss is what the teacher says, and it must say something', () => {
  const { labels, loss } = completeRecipe({ labels: 'none', loss: { teacher: { classWeight: 2 } } }, facts);
  expect(labels).toBe('none');
  expect(loss).toMatchObject({ classWeight: 0, boxWeight: 0, teacher: { classWeight: 2, boxWeight: 1 } });
  expect(completeRecipe({ labels: 'none' }, facts).loss.teacher).toEqual({
    classWeight: 1,
    boxWeight: 1,
    featureWeight: 0,
  });
  const cut = { ...facts, comparable: true };
  expect(completeRecipe({}, cut).loss.teacher).toMatchObject({ featureWeight: 200 });
  expect(completeRecipe({ loss: { teacher: { featureWeight: 3 } } }, cut).loss.teacher).toMatchObject({
    featureWeight: 3,
  });
  expect(completeRecipe({}, facts)).toMatchObject({ labels: 'annotations', loss: { teacher: { classWeight: 1 } } });
  expect(completeRecipe({}, facts).loss).not.toHaveProperty('classWeight');
  const mute = { teacher: { classWeight: 0, boxWeight: 0 } };
  expect(() => completeRecipe({ labels: 'none', loss: mute }, facts)).toThrow(
    expect.objectContaining({ code: 'ERR_USAGE' }),
  );
});

test('the rate rises, falls by half a cosine to nothing at the last step, or as Paddle’s', () => {
  const { schedule, steps } = completeRecipe({ batchSize: 16, rate: 0.5, headsFirst: 0.5 }, facts);
  expect(schedule.headsFirst).toBe(31);
  expect(learningRate(schedule, 0)).toBeCloseTo(0.5 / 18, 12);
  expect(learningRate(schedule, 18)).toBeCloseTo(0.5, 12);
  expect(learningRate(schedule, 18 + (steps - 18) / 2)).toBeCloseTo(0.25, 12);
  expect(learningRate(schedule, steps)).toBeCloseTo(0, 12);
  const paddle = completeRecipe({ batchSize: 16, decay: 'paddle', epochs: 60, rate: 1, warmUp: 0 }, facts);
  expect(learningRate(paddle.schedule, 40 * 62 - 1)).toBe(1);
  expect(learningRate(paddle.schedule, 40 * 62)).toBe(0.5);
  const constant = completeRecipe({ batchSize: 16, decay: 'constant', rate: 1 }, facts);
  expect(learningRate(constant.schedule, 371)).toBe(1);
});

test.each<[string, RecipeOptions]>([
  ['epochs', { epochs: 1.5 }],
  ['batchSize', { batchSize: 1001 }],
  ['microBatch', { batchSize: 16, microBatch: 5 }],
  ['seed', { seed: -1 }],
  ['heldBack', { heldBack: 1 }],
  ['headsFirst', { headsFirst: 7 }],
  ['evaluateEvery', { evaluateEvery: 0 }],
  ['recalibrate', { recalibrate: -1 }],
  ['explosion', { explosion: 1 }],
  ['rate', { rate: 0 }],
  ['augment', { augment: 'heavy' as never }],
  ['augment', { augment: 'toString' as never }],
  ['labels', { labels: 'all' as never }],
  ['decay', { decay: 'linear' as never }],
  ['precision', { precision: 'fp16' as never }],
  ['overlap', { loss: { overlap: 2 } }],
  ['teacher.temperature', { loss: { teacher: { temperature: 0 } } }],
  ['loss', { loss: null as never }],
  ['optimizer', { optimizer: null as never }],
  ['momentum', { optimizer: { rule: 'sgd', momentum: 1 } }],
  ['weightDecay', { groups: { weightDecay: Number.NaN } }],
])('%s that makes no sense is refused', (name, options) => {
  const refused = { code: 'ERR_USAGE', message: expect.stringContaining(` for ${name} `) };
  expect(() => completeRecipe(options, facts)).toThrow(expect.objectContaining(refused));
});

test('scores that go through sigmoids are trained with focal loss, and with nothing that compares them with each other', () => {
  const through = { ...facts, sigmoidHeads: true, sigmoidScores: true };
  expect(completeRecipe({}, through).loss).toMatchObject({ classes: 'focal', trainsBackground: false });
  for (const loss of [{ classes: 'softmax' as const }, { teacher: { classes: 'softmax' as const } }]) {
    expect(() => completeRecipe({ loss }, through)).toThrow(
      expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringContaining('through sigmoids') }),
    );
  }
});
