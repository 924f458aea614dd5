import path from 'node:path';
import type { Sample } from '../../lib/data/dataset';
import type { OnnxModel } from '../../lib/model/onnx-model';
import type { CutTensor } from '../../lib/prune/cut';
import type { OptimizerSettings } from '../../lib/train/optimizer';
import type { TrainEvent } from '../../lib/train/trainer-events';
import type { TrainerOptions } from '../../lib/train/trainer-options';
import { temporary } from '../data/folders';
import { square } from './squares';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { buildMobileNetV1Ssd } = dist('model/mobilenet-v1-ssd') as typeof import('../../lib/model/mobilenet-v1-ssd');
const { readDetectorSettings } = dist('model/detector') as typeof import('../../lib/model/detector');
const { TensorProto_DataType } = dist('model/onnx_pb') as typeof import('../../lib/model/onnx_pb');
const { tensorBytes } = dist('model/tensor') as typeof import('../../lib/model/tensor');
const { maskOriginal } = dist('prune/masked-original') as typeof import('../../lib/prune/masked-original');
const { pruneModel } = dist('prune/prune-model') as typeof import('../../lib/prune/prune-model');
const { Trainer } = dist('train/trainer') as typeof import('../../lib/train/trainer');

jest.setTimeout(300_000);

const classes = ['background', 'red', 'blue'];
const model = buildMobileNetV1Ssd({ classes: 3, width: 0.25, classNames: classes });
const detector = readDetectorSettings(model);
const cutting = {
  prunedParams: 'conv2d_[2-5].w_0',
  ratios: new Map([
    ['conv2d_2.w_0', 0.25],
    ['conv2d_5.w_0', 0.5],
  ]),
};
let samples: Sample[];
beforeAll(async () => {
  const folder = temporary();
  samples = await Promise.all(Array.from({ length: 24 }, (_, i) => square(folder, i)));
});

const quick: TrainerOptions = { epochs: 2, batchSize: 4, heldBack: 0, recalibrate: 0, rate: 1e-3, augment: 'none' };

function floats(of: OnnxModel, name: string): Float32Array {
  const bytes = tensorBytes(of.constant(name)!).slice();
  return new Float32Array(bytes.buffer, 0, bytes.length / 4);
}

/** What a slice of a whole tensor holds, by the indexes that a cut reports. */
function kept(values: Float32Array, { shapeBefore, kept: places }: CutTensor): number[] {
  const indexes = shapeBefore.map((dim, axis) => Array.from(places[axis] ?? Array(dim).keys()));
  const strides = shapeBefore.map((_, axis) => shapeBefore.slice(axis + 1).reduce((a, b) => a * b, 1));
  let at = [0];
  for (const [axis, own] of indexes.entries()) at = at.flatMap((base) => own.map((i) => base + i * strides[axis]!));
  return at.map((i) => values[i]!);
}

// Not Muon: the sides of a matrix say how far it moves.
const rules: OptimizerSettings[] = [
  { rule: 'sgd', momentum: 0.9 },
  { rule: 'sgd', momentum: 0.9, nesterov: true, average: 0.9 },
  { rule: 'rmsprop', rho: 0.95, epsilon: 1e-3, momentum: 0.5 },
  { rule: 'adamw', average: 0.9, maxNorm: 5 },
];

// Channels of zeros everywhere get no gradients: a network that has them and one they are cut from learn the same.
test.each(rules)('dead channels cut in the middle of training change nothing: %j', async (optimizer) => {
  const { cut } = await pruneModel(model, cutting);
  const options = { ...quick, optimizer };
  const whole = new Trainer(maskOriginal(model.clone(), cut), detector, { classes, samples }, options);
  await whole.run({ maxSteps: 4 });
  const again = await pruneModel(whole.model('last'), { ...cutting, verify: false });
  expect(again.cut.tensors.map((tensor) => tensor.kept)).toEqual(cut.tensors.map((tensor) => tensor.kept));
  const small = whole.withCut(again.cut);
  expect(small.step).toBe(4);
  const before = whole.optimizerState().parameters[0]!.steps;
  expect(small.optimizerState().parameters[0]!.steps).toBe(before);
  if (optimizer.average === undefined) {
    await whole.run({ maxSteps: 3 });
  } else {
    // The average begins anew at the cut: so it does where the whole network is cut of nothing.
    const same = whole.withCut({ model: whole.model('last'), tensors: [] });
    await same.run({ maxSteps: 3 });
    return compare(same.model('last'), small, again.cut.tensors, await steps(small));
  }
  compare(whole.model('last'), small, again.cut.tensors, await steps(small));
});

test('of Muon, whose next steps hang on the sides of its matrices, what stays is what it remembered', async () => {
  const { cut } = await pruneModel(model, cutting);
  const optimizer: OptimizerSettings = { rule: 'muon', average: 0.9 };
  const whole = new Trainer(model, detector, { classes, samples }, { ...quick, optimizer });
  await whole.run({ maxSteps: 3 });
  const before = new Map(whole.optimizerState().parameters.map((parameter) => [parameter.name, parameter]));
  const small = whole.withCut(cut);
  const cuts = new Map(cut.tensors.map((tensor) => [tensor.name, tensor]));
  let sliced = 0;
  for (const { name, steps: taken, planes } of small.optimizerState().parameters) {
    const own = before.get(name)!;
    const tensor = cuts.get(name);
    expect([name, taken]).toEqual([name, own.steps]);
    planes.forEach((plane, i) => {
      const expected = tensor ? Float32Array.from(kept(own.planes[i]!, tensor)) : own.planes[i]!;
      expect([name, i, Buffer.compare(bytesOf(plane), bytesOf(expected))]).toEqual([name, i, 0]);
    });
    if (tensor && planes.some((plane) => plane.some((value) => value !== 0))) sliced++;
  }
  expect(sliced).toBeGreaterThan(10);
  expect((await small.run({ maxSteps: 2 })).step).toBe(5);
});

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);

async function steps(trainer: InstanceType<typeof Trainer>): Promise<number> {
  return (await trainer.run({ maxSteps: 3 })).step;
}

function compare(whole: OnnxModel, small: InstanceType<typeof Trainer>, tensors: readonly CutTensor[], step: number) {
  expect(step).toBe(7);
  const trained = small.model('last');
  const cutNames = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  let worst = 0;
  for (const { name, dataType } of trained.graph.initializer) {
    if (dataType !== TensorProto_DataType.FLOAT) continue;
    const expected = floats(whole, name);
    const found = floats(trained, name);
    const tensor = cutNames.get(name);
    const own = tensor ? kept(expected, tensor) : [...expected];
    expect(found).toHaveLength(own.length);
    const scale = Math.max(1e-3, ...own.map(Math.abs));
    for (const [i, value] of own.entries()) worst = Math.max(worst, Math.abs(value - found[i]!) / scale);
  }
  // Sums of other lengths are rounded elsewhere; three steps at 1e-3 move weights a thousand times as far.
  expect(worst).toBeLessThan(2e-4);
}

test('closed, a trainer gives its memory back and says what it is', async () => {
  const trainer = new Trainer(model, detector, { classes, samples }, quick);
  const running = trainer.run({ maxSteps: 1 });
  expect(() => trainer.close()).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
  await running;
  trainer.close();
  trainer.close();
  const closed = expect.objectContaining({
    name: 'SsdPruneError',
    code: 'ERR_USAGE',
    message: expect.stringContaining('closed'),
  });
  await expect(trainer.run()).rejects.toEqual(closed);
  await expect(trainer.save(path.join(temporary(), 'state'))).rejects.toEqual(closed);
  for (const use of [() => trainer.model('last'), () => trainer.optimizerState(), () => trainer.bytes]) {
    expect(use).toThrow(closed);
  }
});

test('a cut network is judged anew, and its running statistics are measured anew', async () => {
  const options = { ...quick, heldBack: 0.25, recalibrate: 2, epochs: 3 };
  const trainer = new Trainer(model, detector, { classes, samples }, options);
  await trainer.run({ maxSteps: trainer.recipe.stepsPerEpoch });
  expect(trainer.result.evaluations).toHaveLength(2);
  const { cut } = await pruneModel(trainer.model('last'), cutting);
  const small = trainer.withCut(cut);
  const events: TrainEvent[] = [];
  const result = await small.run({ onEvent: (event) => events.push(event) });
  expect(events.map(({ event }) => event)).toContain('recalibration');
  expect(result.evaluations.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
  expect(result.finished).toBe(true);
});

test('the best weights of a cut network are ones that were judged, its statistics measured anew', async () => {
  const options = { ...quick, heldBack: 0.25, recalibrate: 2, epochs: 3, rate: 1e-9 };
  const trainer = new Trainer(model, detector, { classes, samples }, options);
  await trainer.run({ maxSteps: 1 });
  const { cut } = await pruneModel(trainer.model('last'), cutting);
  const small = trainer.withCut(cut);
  let judged: OnnxModel | undefined;
  await small.run({
    maxSteps: 1,
    onEvent: ({ event }) => {
      if (event === 'evaluation') judged ??= small.model('last');
    },
  });
  expect(small.result.evaluations.map(({ step }) => step)).toEqual([1]);
  const best = small.model('best');
  const names = small.result.best && cut.model.graph.node.find(({ opType }) => opType === 'BatchNormalization')!.input;
  for (const name of names!.slice(1, 5)) expect([name, floats(best, name)]).toEqual([name, floats(judged!, name)]);
  expect(floats(best, names![3]!)).not.toEqual(floats(cut.model, names![3]!));
});

test('the state of a run that was cut goes on to the same bits in another process', async () => {
  const folder = temporary();
  const trainer = new Trainer(model, detector, { classes, samples }, quick);
  await trainer.run({ maxSteps: 3 });
  const { cut } = await pruneModel(trainer.model('last'), cutting);
  const small = trainer.withCut(cut);
  await small.run({ maxSteps: 2, afterStep: () => small.save(path.join(folder, 'state')) });
  await small.run();
  const resumed = new Trainer(cut.model, detector, { classes, samples }, quick);
  await resumed.restore(path.join(folder, 'state'));
  expect(resumed.step).toBe(5);
  await resumed.run();
  for (const { name, rawData } of small.model('last').graph.initializer) {
    expect(Buffer.from(resumed.model('last').constant(name)!.rawData!).equals(rawData)).toBe(true);
  }
});
