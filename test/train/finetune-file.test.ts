import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { FinetuneOptions } from '../../lib/train/finetune-file';
import type { TrainEvent } from '../../lib/train/trainer-events';
import { temporary, vocFolder } from '../data/folders';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { buildMobileNetV1Ssd } = dist('model/mobilenet-v1-ssd') as typeof import('../../lib/model/mobilenet-v1-ssd');
const { readModel } = dist('model/read') as typeof import('../../lib/model/read');
const { writeModel } = dist('model/write') as typeof import('../../lib/model/write');
const { readDetectorSettings } = dist('model/detector') as typeof import('../../lib/model/detector');
const { finetuneFile } = dist('train/finetune-file') as typeof import('../../lib/train/finetune-file');

jest.setTimeout(300_000);

/** A VOC folder whose split val has eight pictures with a car each. */
function eightCars(): Promise<string> {
  const picture = () => ({ width: 64, height: 48, objects: [{ name: 'car', box: [3, 3, 40, 40] }] });
  return vocFolder(Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`p${i}`, picture()])) as never);
}

let folder: string;
let model: string;
let data: string;
beforeAll(async () => {
  folder = temporary();
  model = path.join(folder, 'model.onnx');
  const classNames = ['background', 'car', 'cat'];
  await writeModel(buildMobileNetV1Ssd({ classes: 3, width: 0.25, classNames }), model);
  data = await eightCars();
});

const quick = (): FinetuneOptions => ({
  ...{ data, split: 'val', epochs: 2, batchSize: 2, heldBack: 0, recalibrate: 0, augment: 'none', rate: 1e-4 },
});
const atStep = (step: number, act: () => void) => ({
  onEvent: (event: TrainEvent) => {
    if (event.event === 'step' && event.step === step) act();
  },
});

test('a model that can’t be written loses no step: the state is there, and resumed it is only written', async () => {
  const out = path.join(folder, 'in-the-way.onnx');
  const done = finetuneFile(model, out, { ...quick(), ...atStep(7, () => writeFileSync(out, 'somebody’s')) });
  await expect(done).rejects.toMatchObject({
    code: 'ERR_OUTPUT_EXISTS',
    message: expect.stringMatching(/The state after step 8 is in .*in-the-way\.onnx\.state: go on with --resume\.$/),
  });
  expect(readFileSync(out, 'utf8')).toBe('somebody’s');
  rmSync(out);
  let steps = 0;
  const resumed = await finetuneFile(model, out, { ...quick(), resume: true, afterStep: () => void steps++ });
  expect(resumed).toMatchObject({ finished: true, step: 8 });
  expect(steps).toBe(0);
  const straight = path.join(folder, 'straight.onnx');
  await finetuneFile(model, straight, { ...quick(), afterStep: () => void steps++ });
  expect(steps).toBe(8);
  expect(readFileSync(out).equals(readFileSync(straight))).toBe(true);
  expect(existsSync(`${out}.state`)).toBe(false);
});

test('what ends a run in its middle leaves the state after its last step', async () => {
  const out = path.join(folder, 'thrown.onnx');
  const broken = new Error('not ours');
  // What a caller throws is its own; what the package throws says where the state is.
  const afterStep = () => {
    throw broken;
  };
  await expect(finetuneFile(model, out, { ...quick(), afterStep })).rejects.toBe(broken);
  expect(await finetuneFile(model, out, { ...quick(), resume: true, maxSteps: 1 })).toMatchObject({ step: 2 });
  const files = await eightCars();
  const remove = () => {
    for (let i = 0; i < 8; i++) rmSync(path.join(files, 'JPEGImages', `p${i}.jpg`), { force: true });
  };
  const gone = finetuneFile(model, out, { ...quick(), data: files, epochs: 20, force: true, ...atStep(2, remove) });
  await expect(gone).rejects.toMatchObject({
    message: expect.stringMatching(/The state after step \d+ is in .*thrown\.onnx\.state: go on with --resume\.$/),
  });
  expect(existsSync(`${out}.state`)).toBe(true);
});

test('a state goes on with nothing but its own detector settings', async () => {
  const out = path.join(folder, 'other-settings.onnx');
  await finetuneFile(model, out, { ...quick(), maxSteps: 1 });
  const text = (await readModel(model)).metadata('ssd-prune.detector')!;
  const settings = JSON.parse(text) as { input: { std: unknown } };
  settings.input.std = [64, 64, 64];
  const detector = path.join(folder, 'others.json');
  writeFileSync(detector, JSON.stringify(settings));
  await expect(finetuneFile(model, out, { ...quick(), detector, resume: true })).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('the detector settings'),
  });
  expect(await finetuneFile(model, out, { ...quick(), resume: true })).toMatchObject({ finished: true });
});

test('a teacher’s own settings count, whatever file the student’s are from', async () => {
  const other = await readModel(model);
  const own = JSON.parse(other.metadata('ssd-prune.detector')!) as { variances: number[]; input: unknown };
  const detector = path.join(folder, 'own.json');
  writeFileSync(detector, JSON.stringify(own));
  other.setMetadata('ssd-prune.detector', JSON.stringify({ ...own, variances: [0.2, 0.2, 0.4, 0.4] }));
  const teacher = path.join(folder, 'teacher.onnx');
  await writeModel(other, teacher);
  expect(readDetectorSettings(other).variances).toEqual([0.2, 0.2, 0.4, 0.4]);
  const done = finetuneFile(model, path.join(folder, 'taught.onnx'), { ...quick(), detector, teacher });
  await expect(done).rejects.toMatchObject({
    code: 'ERR_BAD_CONFIG',
    message: expect.stringMatching(/^The teacher .*variances/),
  });
});

test('not even --force lets the output take the place of what a run reads, but for the model itself', async () => {
  const teacher = path.join(folder, 'whole.onnx');
  writeFileSync(teacher, readFileSync(model));
  for (const output of [teacher, path.join(data, 'JPEGImages', 'p0.jpg')]) {
    const before = readFileSync(output);
    const done = finetuneFile(model, output, { ...quick(), teacher, force: true, state: path.join(folder, 's') });
    await expect(done).rejects.toMatchObject({ code: 'ERR_OUTPUT_EXISTS' });
    expect(readFileSync(output).equals(before)).toBe(true);
  }
  const own = path.join(folder, 'own.onnx');
  writeFileSync(own, readFileSync(model));
  expect(await finetuneFile(own, own, { ...quick(), epochs: 1, force: true })).toMatchObject({ finished: true });
  expect(readFileSync(own).equals(readFileSync(model))).toBe(false);
});

test('pictures without labels: all that are not there are named, and left out where they may be', async () => {
  const list = path.join(folder, 'list.txt');
  const there = Array.from({ length: 4 }, (_, i) => path.join(data, 'JPEGImages', `p${i}.jpg`));
  writeFileSync(list, ['nowhere.jpg', ...there, 'neither.jpg'].join('\n'));
  const { split: _, ...rest } = quick();
  const options = { ...rest, data: list, labels: 'none' as const, teacher: model, epochs: 1 };
  const out = path.join(folder, 'listed.onnx');
  await expect(finetuneFile(model, out, options)).rejects.toMatchObject({
    code: 'ERR_BAD_DATA',
    message: expect.stringMatching(/2 problems[\s\S]*neither\.jpg is not there; .*list\.txt:6[\s\S]*nowhere\.jpg/),
  });
  expect(await finetuneFile(model, out, { ...options, skipBad: true })).toMatchObject({
    data: { trained: 4, leftOut: 2 },
  });
});

test('diverged, with nothing that judges, it keeps the last whole epoch', async () => {
  const wild: FinetuneOptions = {
    ...{ ...quick(), epochs: 3, rate: 1e-4, optimizer: { rule: 'sgd' }, warmUp: 0, explosion: null },
    // From the sixth step on, in the second epoch.
    decay: { kind: 'piecewise', boundaries: [5], factors: [1e30] },
  };
  const [out, calm] = ['wild.onnx', 'calm.onnx'].map((name) => path.join(folder, name));
  await expect(finetuneFile(model, out!, wild)).rejects.toMatchObject({
    code: 'ERR_DIVERGED',
    message: expect.stringMatching(
      /^Step 7: .*wild\.onnx holds the weights of step 4, which nothing judged\. The state after step 4 is in/,
    ),
  });
  const epoch = { ...wild, epochs: 1, decay: 'constant' as const };
  await finetuneFile(model, calm!, epoch);
  expect(readFileSync(out!).equals(readFileSync(calm!))).toBe(true);
});

test.each([
  ['epochs', { epochs: 1.5 }],
  ['maxSteps', { maxSteps: '3' }],
  ['keep', { keep: 'first' }],
  ['batchSize', { batchSize: '8' }],
  ['heldBack', { heldBack: '0.1' }],
  ['augment', { augment: 5 }],
  ['overlap', { loss: { overlap: 2 } }],
  ['rule', { optimizer: { rule: 'adam' } }],
  ['backboneRate', { groups: { backboneRate: -1 } }],
  ['augment.mirror', { augment: { mirror: 0.5 } }],
])('a wrong %s is refused before any picture is looked at', async (name, wrong) => {
  const options = { ...quick(), data: path.join(folder, 'nowhere'), ...(wrong as object) };
  await expect(finetuneFile(model, path.join(folder, 'no.onnx'), options)).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining(name.split('.')[0]!),
  });
});
