import { isDeepStrictEqual } from 'node:util';
import type { Sample } from '../../lib/data/dataset';
import type { OnnxModel } from '../../lib/model/onnx-model';
import type { TrainerOptions } from '../../lib/train/trainer-options';
import { temporary } from '../data/folders';
import { square } from './squares';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { buildMobileNetV1Ssd } = dist('model/mobilenet-v1-ssd') as typeof import('../../lib/model/mobilenet-v1-ssd');
const { readDetectorSettings } = dist('model/detector') as typeof import('../../lib/model/detector');
const { keptKey, readKept } = dist('model/kept-channels') as typeof import('../../lib/model/kept-channels');
const { pruneModel } = dist('prune/prune-model') as typeof import('../../lib/prune/prune-model');
const { pairFeatures } = dist('train/feature-pairs') as typeof import('../../lib/train/feature-pairs');
const { readNetwork } = dist('train/network') as typeof import('../../lib/train/network');
const { NodeKind } = dist('train/plan-graph') as typeof import('../../lib/train/plan-graph');
const { Trainer } = dist('train/trainer') as typeof import('../../lib/train/trainer');

jest.setTimeout(300_000);

const classes = ['background', 'red', 'blue'];
const teacher = buildMobileNetV1Ssd({ classes: 3, width: 0.25, classNames: classes });
const detector = readDetectorSettings(teacher);
const cutting = { prunedParams: 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0', targetRatio: 0.3, align: 1, verify: false };
let student: OnnxModel;
let samples: Sample[];
beforeAll(async () => {
  student = (await pruneModel(teacher, cutting)).cut.model;
  const folder = temporary();
  samples = await Promise.all(Array.from({ length: 8 }, (_, i) => square(folder, i)));
});

const network = (model: OnnxModel) => readNetwork(model, detector);

test('maps of 38 places and less are paired behind their activation, by filters and the channels that a cut left', () => {
  const [own, theirs] = [network(student), network(teacher)];
  const pairs = pairFeatures(own, theirs);
  expect(pairs.teacher).toHaveLength(pairs.student.length);
  // conv2d_4 to conv2d_13, and the eight layers behind; conv2d_0 to conv2d_3 have 75 places and more.
  expect(pairs.student).toHaveLength(18);
  const kept = readKept(student);
  const filtersOf = ({ plan }: typeof own, value: number) => {
    for (let node = plan.graph.nodes[value - 1]!; ; node = plan.graph.nodes[node.inputs[0]! - 1]!) {
      if (node.kind === NodeKind.convolution) return plan.parameters[node.weight]!.name;
    }
  };
  let cut = 0;
  pairs.student.forEach(({ value, channels }, i) => {
    const other = pairs.teacher[i]!;
    const name = filtersOf(own, value);
    expect(filtersOf(theirs, other.value)).toBe(name);
    expect(own.plan.graph.nodes[value - 1]!.kind).toBe(NodeKind.clip);
    expect(own.plan.graph.nodes[value - 1]).toMatchObject({ channels: channels.length });
    expect(other.channels).toEqual(kept.get(name)?.kept ?? channels);
    if (kept.has(name)) cut++;
  });
  expect(cut).toBe(9);
});

const quick: TrainerOptions = { epochs: 1, batchSize: 4, heldBack: 0, recalibrate: 0, rate: 1e-3, augment: 'none' };
const train = async (model: OnnxModel, more: TrainerOptions = {}) => {
  const loss = { teacher: { featureWeight: 10 } };
  const given = { teacher: { model: teacher, detector }, ...quick, loss, ...more };
  const trainer = new Trainer(model, detector, { classes, samples }, given);
  const found: number[] = [];
  await trainer.run({ onEvent: (event) => event.event === 'step' && found.push(event.loss.teacherFeatures) });
  return { trainer, found };
};

test('a network is no distance away from itself, and a cut one some that becomes less', async () => {
  expect((await train(teacher, { batchStatistics: false })).found[0]).toBeLessThan(1e-9);
  const alone = { classWeight: 0, boxWeight: 0, teacher: { classWeight: 0, boxWeight: 0, featureWeight: 10 } };
  const { found } = await train(student, { epochs: 8, batchStatistics: false, loss: alone });
  expect(found).toHaveLength(16);
  expect(found[0]).toBeGreaterThan(0.1);
  expect(found.at(-1)).toBeLessThan(0.7 * found[0]!);
  const off = await train(student, { loss: { teacher: { featureWeight: 0 } } });
  expect(off.found).toEqual([0, 0]);
  // By default they count where the network was cut, and nowhere else.
  const weight = async (model: OnnxModel) =>
    (await train(model, { loss: {} })).trainer.recipe.loss.teacher?.featureWeight;
  expect([await weight(student), await weight(teacher)]).toEqual([200, 0]);
});

// One layer cut, nothing lost before it: its own map is the teacher's in the channels that stayed, and in no others.
test('the channels compared are those that stayed', async () => {
  const first = (
    await pruneModel(teacher, { prunedParams: 'conv2d_4.w_0', targetRatio: 0.01, align: 1, verify: false })
  ).cut;
  expect([...readKept(first.model).keys()]).toEqual(['conv2d_4.w_0']);
  const { found } = await train(first.model, { batchStatistics: false });
  // Seventeen later maps may differ; conv2d_4's does not.
  const wrong = first.model.clone();
  const { of, kept } = readKept(first.model).get('conv2d_4.w_0')!;
  wrong.setMetadata(keptKey, JSON.stringify({ 'conv2d_4.w_0': { of, kept: [...kept].reverse() } }));
  const mixed = await train(wrong, { batchStatistics: false });
  expect(mixed.found[0]).toBeGreaterThan(found[0]! + 0.1);
});

test('resumed it ends in the same bits', async () => {
  const straight = await train(student);
  const loss = { teacher: { featureWeight: 10 } };
  const parted = new Trainer(
    student,
    detector,
    { classes, samples },
    { teacher: { model: teacher, detector }, ...quick, loss },
  );
  await parted.run({ maxSteps: 1 });
  await parted.run();
  const bytes = (trainer: typeof parted) =>
    trainer.model().graph.initializer.map(({ rawData }) => Buffer.from(rawData));
  expect(Buffer.concat(bytes(parted)).equals(Buffer.concat(bytes(straight.trainer)))).toBe(true);
});

test('a teacher that was cut, too, is compared in the channels that both have', async () => {
  const cut = async (targetRatio: number) =>
    (await pruneModel(teacher, { ...cutting, targetRatio, criterion: targetRatio > 0.2 ? 'l1_norm' : 'random' })).cut
      .model;
  const [own, other] = [await cut(0.4), await cut(0.15)];
  const pairs = pairFeatures(network(own), network(other));
  expect(pairs.student).toHaveLength(18);
  const notes = [readKept(own), readKept(other)].map((kept) => kept.get('conv2d_9.w_0')!.kept);
  const common = notes[0]!.filter((channel) => notes[1]!.includes(channel));
  expect(common.length).toBeLessThan(Math.min(notes[0]!.length, notes[1]!.length));
  const at = pairs.student.findIndex(
    ({ value, channels }, i) =>
      channels.length === common.length &&
      isDeepStrictEqual(
        channels.map((place) => notes[0]![place]),
        common,
      ) &&
      isDeepStrictEqual(
        pairs.teacher[i]!.channels.map((place) => notes[1]![place]),
        common,
      ) &&
      value > 0,
  );
  expect(at).toBeGreaterThanOrEqual(0);
  // The other way round, a whole student learns from a cut teacher in the channels that this has.
  const back = pairFeatures(network(teacher), network(other));
  expect(back.teacher.map(({ channels }) => channels.length)).toEqual(
    pairFeatures(network(other), network(teacher)).student.map(({ channels }) => channels.length),
  );
});

test('filters that two layers share stand for no map', () => {
  const shared = teacher.clone();
  // Two blocks of one shape read the same filters, so that these have two maps.
  const convolutions = shared.graph.node.filter(({ opType }) => opType === 'Conv');
  const of = (name: string) => convolutions.find(({ input }) => shared.source(input[1]!) === name)!;
  of('conv2d_8.w_0').input[1] = of('conv2d_7.w_0').input[1]!;
  shared.invalidate();
  const [all, some] = [teacher, shared].map((model) => pairFeatures(network(model), network(teacher)).student.length);
  expect(some).toBe(all! - 2);
});

test('a weight for the maps of no teacher is refused', () => {
  const loss = { teacher: { featureWeight: 1 } };
  expect(() => new Trainer(student, detector, { classes, samples }, { ...quick, loss })).toThrow(
    expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringContaining('needs a teacher') }),
  );
});

test('a teacher that it was not cut from, and notes that don’t fit, are refused', () => {
  const other = network(buildMobileNetV1Ssd({ classes: 3, width: 0.5, classNames: classes }));
  const bare = student.clone();
  bare.proto.metadataProps = bare.proto.metadataProps.filter(({ key }) => key !== keptKey);
  expect(() => pairFeatures(network(bare), other)).toThrow(
    expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringContaining('no layer whose maps') }),
  );
  const wrong = student.clone();
  wrong.setMetadata(keptKey, '{"conv2d_5.w_0":{"of":32,"kept":[0,1]}}');
  expect(() => pairFeatures(network(wrong), network(teacher))).toThrow(
    expect.objectContaining({ code: 'ERR_BAD_MODEL', message: expect.stringContaining('conv2d_5.w_0') }),
  );
});
