import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Sample } from '../../lib/data/dataset';
import type { Precision } from '../../lib/native/engine';
import type { TrainingBatch } from '../../lib/train/batches';
import type { LossReport, TrainEvent } from '../../lib/train/trainer-events';
import type { TrainerOptions } from '../../lib/train/trainer-options';
import { temporary } from '../data/folders';
import { square } from './squares';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { buildMobileNetV1Ssd } = dist('model/mobilenet-v1-ssd') as typeof import('../../lib/model/mobilenet-v1-ssd');
const { readDetectorSettings } = dist('model/detector') as typeof import('../../lib/model/detector');
const { addon } = dist('native/addon') as typeof import('../../lib/native/addon');
const { readNetwork } = dist('train/network') as typeof import('../../lib/train/network');
const { parameterOffsets } = dist('train/parameters') as typeof import('../../lib/train/parameters');
const { encodeOptimizerState } = dist('train/optimizer-state') as typeof import('../../lib/train/optimizer-state');
const { endlessBatches } = dist('train/passes') as typeof import('../../lib/train/passes');
const { recalibrate, statisticRanges } = dist('train/recalibration') as typeof import('../../lib/train/recalibration');
const { noAugmentation } = dist('train/augmentation') as typeof import('../../lib/train/augmentation');
const { Trainer } = dist('train/trainer') as typeof import('../../lib/train/trainer');

jest.setTimeout(300_000);

const model = buildMobileNetV1Ssd({ classes: 3, width: 0.25, classNames: ['background', 'red', 'blue'] });
const detector = readDetectorSettings(model);

let samples: Sample[];
beforeAll(async () => {
  const folder = temporary();
  samples = await Promise.all(Array.from({ length: 24 }, (_, i) => square(folder, i)));
});
const classes = ['background', 'red', 'blue'];
const quick: TrainerOptions = { epochs: 1, batchSize: 4, heldBack: 0, recalibrate: 0, rate: 0.02 };

test('learns: from untrained weights the loss falls to a part', async () => {
  const losses: number[] = [];
  const options: TrainerOptions = { ...quick, epochs: 12, rate: 0.003, optimizer: { rule: 'adamw' } };
  const trainer = new Trainer(model, detector, { classes, samples }, { ...options, augment: noAugmentation });
  await trainer.run({ onEvent: (event) => event.event === 'step' && losses.push(event.loss.total) });
  expect(losses).toHaveLength(72);
  const mean = (of: number[]) => of.reduce((sum, loss) => sum + loss, 0) / of.length;
  expect(mean(losses.slice(-6))).toBeLessThan(0.5 * mean(losses.slice(0, 6)));
});

/** A digest of weights and of the optimiser's state: comparing millions of numbers one by one takes jest a minute. */
function stateOf(trainer: InstanceType<typeof Trainer>): string {
  const hash = createHash('sha256');
  for (const { rawData } of trainer.model().graph.initializer) hash.update(rawData);
  return hash.update(encodeOptimizerState(trainer.optimizerState())).digest('hex');
}

test('in bfloat16, where the processor has it: learns as float32 does, and goes on from where it was', async () => {
  const make = (precision: Precision) =>
    new Trainer(model, detector, { classes, samples }, { ...quick, rate: 0.003, precision });
  if (!addon().hasBfloat16()) {
    return expect(() => make('bf16')).toThrow(expect.objectContaining({ code: 'ERR_NO_BF16' }));
  }
  const losses = async (trainer: InstanceType<typeof Trainer>) => {
    const found: number[] = [];
    await trainer.run({ onEvent: (event) => event.event === 'step' && found.push(event.loss.total) });
    return found;
  };
  const straight = make('bf16');
  const [rounded, exact] = [await losses(straight), await losses(make('fp32'))];
  // Before a first step both have the same weights; then little differences grow.
  expect(Math.abs(rounded[0]! / exact[0]! - 1)).toBeLessThan(0.02);
  expect(rounded[0]).not.toBe(exact[0]);
  expect(Math.abs(rounded.at(-1)! / exact.at(-1)! - 1)).toBeLessThan(0.2);
  const parted = make('bf16');
  await parted.run({ maxSteps: 2 });
  await parted.run();
  expect(stateOf(parted)).toBe(stateOf(straight));
});

test('runs in parts, keeps count, and refuses two runs at once', async () => {
  const trainer = new Trainer(model, detector, { classes, samples }, quick);
  expect([trainer.recipe.steps, trainer.trained.length, trainer.held.length]).toEqual([6, 24, 0]);
  const first = trainer.run({ maxSteps: 2 });
  await expect(trainer.run()).rejects.toMatchObject({ code: 'ERR_USAGE' });
  expect(await first).toMatchObject({ finished: false, step: 2, steps: 6, evaluations: [], best: undefined });
  expect(await trainer.run()).toMatchObject({ finished: true, step: 6 });
  const straight = new Trainer(model, detector, { classes, samples }, quick);
  await straight.run();
  expect(stateOf(trainer)).toBe(stateOf(straight));
});

test('called off, it stays where it was and goes on as if nothing had been', async () => {
  const trainer = new Trainer(model, detector, { classes, samples }, { ...quick, microBatch: 2 });
  const controller = new AbortController();
  const aborted = trainer.run({
    signal: controller.signal,
    onEvent: (event) => {
      // In the middle of the step after the next.
      if (event.event === 'step' && event.step === 2) setTimeout(() => controller.abort(new Error('enough')), 15);
    },
  });
  await expect(aborted).rejects.toMatchObject({ code: 'ERR_ABORTED', message: expect.stringContaining('enough') });
  expect(trainer.step).toBeGreaterThanOrEqual(2);
  expect(trainer.step).toBeLessThan(6);
  await trainer.run();
  const straight = new Trainer(model, detector, { classes, samples }, { ...quick, microBatch: 2 });
  await straight.run();
  expect(stateOf(trainer)).toBe(stateOf(straight));
});

test('a loss that grows out of measure stops the run; one that may grow does not', async () => {
  // From softmax's 1000 on, within the mean's twenty steps: the rate rises too far while they are counted.
  const wild: TrainerOptions = { ...quick, epochs: 12, rate: 3, optimizer: { rule: 'sgd', momentum: 0.9 }, warmUp: 60 };
  const run = (explosion: number | null) =>
    new Trainer(model, detector, { classes, samples }, { ...wild, explosion }).run();
  await expect(run(1.5)).rejects.toMatchObject({
    code: 'ERR_DIVERGED',
    message: expect.stringMatching(/^Step \d+: the loss is .*, where .* is the limit\. The step was not taken/),
  });
  // Then numbers alone end it.
  await expect(run(null)).rejects.toMatchObject({
    message: expect.stringMatching(/^Step \d+: .* is NaN or infinite\. The step was not taken/),
  });
});

test('a loss that explodes at once is noticed, too: not against a mean that it is part of', async () => {
  // Finite all along, and beyond every limit from the second step on.
  const wild: TrainerOptions = { ...quick, epochs: 2, rate: 30, optimizer: { rule: 'muon' }, warmUp: 0 };
  const trainer = new Trainer(model, detector, { classes, samples }, wild);
  await expect(trainer.run()).rejects.toMatchObject({ code: 'ERR_DIVERGED' });
  expect(trainer.step).toBeLessThan(12);
});

test('restored to before its first step a trainer that has trained begins anew', async () => {
  const options: TrainerOptions = { ...quick, rate: 1e-3, optimizer: { rule: 'muon', average: 0.9 } };
  const trainer = new Trainer(model, detector, { classes, samples }, options);
  const state = path.join(temporary(), 'state');
  await trainer.save(state);
  await trainer.run();
  const once = stateOf(trainer);
  await trainer.restore(state);
  expect(trainer.step).toBe(0);
  await trainer.run();
  expect(stateOf(trainer)).toBe(once);
  await trainer.restore(state);
  let begun = (): void => {};
  const first = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const running = trainer.run({ onEvent: begun });
  await first;
  await expect(trainer.restore(state)).rejects.toMatchObject({ code: 'ERR_USAGE' });
  await running;
});

test('what is no model, no pictures, no settings is named', () => {
  const make = Trainer as unknown as new (...args: unknown[]) => unknown;
  const data = { classes, samples };
  for (const [args, named] of [
    [[], 'model'],
    [[model, detector, 'VOC2007'], 'dataset'],
    [[model, detector, data, null], 'options'],
    [[model, detector, data, { teacher: 'whole.onnx' }], 'teacher'],
    [[model, detector, data, { ...quick, loss: 'focal' }], 'loss'],
    [[model, detector, data, { ...quick, optimizer: null }], 'optimizer'],
    [[model, detector, data, { ...quick, loss: { overlap: '0.5' } }], 'overlap'],
    [[model, detector, data, { ...quick, optimizer: { rule: 'sgd', momentum: '0.9' } }], 'momentum'],
    [[model, detector, data, { ...quick, batchSize: 1 }], 'batchSize'],
    [[model, detector, data, { ...quick, microBatch: 1 }], 'microBatch'],
    [[model, detector, data, { ...quick, warmUp: 6 }], 'warmUp'],
  ] as const) {
    expect(() => new make(...args)).toThrow(
      expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringContaining(`for ${named} `) }),
    );
  }
});

test('a schedule of one’s own', () => {
  const decay = { kind: 'piecewise', boundaries: [2, 4], factors: [0.5, 0.1] } as const;
  const { recipe } = new Trainer(model, detector, { classes, samples }, { ...quick, decay });
  expect(recipe.schedule).toMatchObject({ decay });
});

test('a teacher of other classes, priors or input is refused, and pictures of other classes', () => {
  const other = buildMobileNetV1Ssd({ classes: 3, width: 0.25, classNames: ['background', 'red', 'green'] });
  const make = (teacher: TrainerOptions['teacher'], names = classes) =>
    new Trainer(model, detector, { classes: names, samples }, { ...quick, ...(teacher && { teacher }) });
  expect(() => make({ model: other, detector: readDetectorSettings(other) })).toThrow(
    expect.objectContaining({ code: 'ERR_BAD_CONFIG' }),
  );
  expect(() => make({ model, detector: { ...detector, input: { ...detector.input, mean: [0, 0, 0] } } })).toThrow(
    expect.objectContaining({ code: 'ERR_BAD_CONFIG' }),
  );
  expect(() => make(undefined, ['background', 'blue', 'red'])).toThrow(
    expect.objectContaining({ code: 'ERR_BAD_DATA', message: expect.stringContaining('class 1 is blue') }),
  );
  expect(() => make({ model })).not.toThrow();
});

describe('without labels', () => {
  const none: TrainerOptions = { ...quick, labels: 'none', rate: 0.003, optimizer: { rule: 'adamw' } };
  const other = buildMobileNetV1Ssd({ classes: 3, width: 0.25, classNames: classes, seed: 5 });

  test('there is nothing to learn from but a teacher', () => {
    expect(() => new Trainer(model, detector, { classes, samples }, none)).toThrow(
      expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringContaining('--teacher') }),
    );
  });

  test('its scores and boxes are learnt, and whatever is annotated changes no bit', async () => {
    const losses: LossReport[] = [];
    const make = (of: readonly Sample[]) => {
      const options = { ...none, epochs: 4, augment: 'none' as const, teacher: { model: other } };
      return new Trainer(model, detector, { classes, samples: of }, options);
    };
    const bare = { boxes: new Float32Array(0), labels: new Int32Array(0) };
    const unlabelled = make(samples.map((sample) => ({ ...sample, ...bare })));
    await unlabelled.run({ maxSteps: 3 });
    const trainer = make(samples);
    const onEvent = (event: TrainEvent) => event.event === 'step' && losses.push(event.loss);
    await trainer.run({ maxSteps: 3, onEvent });
    expect(stateOf(trainer)).toBe(stateOf(unlabelled));
    await trainer.run({ onEvent });
    expect(losses).toHaveLength(24);
    for (const { classes: own, boxes } of losses) expect([own, boxes]).toEqual([0, 0]);
    const mean = (of: LossReport[]) => of.reduce((sum, { total }) => sum + total, 0) / of.length;
    expect(mean(losses.slice(-6))).toBeLessThan(0.5 * mean(losses.slice(0, 6)));
  });
});

test('passes follow each other without end, and can be taken up anywhere', async () => {
  const options = { batchSize: 5, seed: 1, augment: noAugmentation };
  const take = async (count: number, from?: { pass: number; index: number }) => {
    const found: { samples: readonly number[]; next: { pass: number; index: number } }[] = [];
    for await (const { batch, next } of endlessBatches(samples, detector.input, options, from)) {
      found.push({ samples: batch.samples, next });
      batch.release();
      if (found.length === count) break;
    }
    return found;
  };
  const all = await take(9);
  expect(all.map(({ next }) => next)).toEqual([
    ...[1, 2, 3, 4].map((index) => ({ pass: 0, index })),
    ...[1, 2, 3, 4].map((index) => ({ pass: 1, index })),
    { pass: 2, index: 1 },
  ]);
  expect(all[4]!.samples).not.toEqual(all[0]!.samples);
  expect(await take(4, all[2]!.next)).toEqual(all.slice(3, 7));
  expect(await take(1, all[3]!.next)).toEqual(all.slice(4, 5));
});

describe('recalibration', () => {
  const network = readNetwork(model, detector);
  const { plan } = network;
  const { offsets } = parameterOffsets(plan);
  const ranges = statisticRanges(plan.graph, offsets);
  async function measured(pictures: number, count: number, passes: number) {
    const { batches, inputs } = await batchesOf(pictures, count);
    const weights = network.weights.slice();
    await recalibrate(await nativeTrainer(pictures / count / passes), ranges, weights, batches, { count, passes });
    return { weights, inputs };
  }

  async function nativeTrainer(microBatch: number) {
    const trained = { ...network, weights: network.weights };
    const { makeNativeTrainer } = dist('train/native-trainer') as typeof import('../../lib/train/native-trainer');
    const { completeRecipe } = dist('train/recipe') as typeof import('../../lib/train/recipe');
    const facts = { pictures: 24, normalises: true, sigmoidHeads: false, sigmoidScores: false, comparable: false };
    const recipe = completeRecipe({ batchSize: microBatch }, facts);
    return makeNativeTrainer(trained, undefined, recipe, detector, { placed: [], groups: [], statistics: ranges });
  }

  /** The first pictures in so many batches, and all of them together. */
  async function batchesOf(pictures: number, count: number) {
    const layout = { kind: 'nhwc', pitch: 3 } as const;
    const options = { batchSize: pictures, seed: 1, augment: noAugmentation, layout };
    const endless = endlessBatches(samples, detector.input, options);
    const { value } = await endless.next();
    await endless.return(undefined as never);
    const whole = value.batch as TrainingBatch;
    const part = whole.inputs.length / count;
    async function* parts() {
      for (let i = 0; i < count; i++) {
        const inputs = whole.inputs.subarray(i * part, (i + 1) * part);
        yield { batch: { ...whole, inputs, release() {} } };
      }
    }
    return { batches: parts(), inputs: whole.inputs };
  }

  test('of one batch: with the running statistics the network says what it says with the batch’s', async () => {
    const { weights, inputs } = await measured(4, 1, 1);
    const engine = new (addon().Engine)(plan.graph, 4, 'fp32');
    const output = async (values: Float32Array, batchStatistics: boolean) => {
      engine.setWeights(values);
      engine.setPictures(inputs);
      await engine.forward(batchStatistics);
      const { boxes, width } = plan.outputs[network.heads.scores]!;
      const scores = new Float32Array(4 * boxes * width);
      engine.output(network.heads.scores, scores);
      return scores;
    };
    const expected = await output(network.weights, true);
    const found = await output(weights, false);
    const before = await output(network.weights, false);
    const far = (a: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - expected[i]!)));
    // Rounding of 35 layers; scores go up to 7.
    expect(far(found)).toBeLessThan(0.015);
    expect(far(before)).toBeGreaterThan(1);
  });

  test('of several batches and passes: the first layer’s are those of all pictures together', async () => {
    const { weights: parted } = await measured(8, 2, 2);
    const { weights: whole } = await measured(8, 1, 1);
    const first = ranges.slice(0, 2);
    expect(first.map(({ kind }) => kind)).toEqual(['mean', 'variance']);
    for (const { begin, end } of first) {
      for (let i = begin; i < end; i++) {
        expect(Math.abs(parted[i]! - whole[i]!)).toBeLessThan(1e-4 * Math.max(1, Math.abs(whole[i]!)));
      }
    }
  });
});
