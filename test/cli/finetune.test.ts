import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporary, type VocPicture, vocFolder } from '../data/folders';
import { command, type Ended, events, failure, interrupted, messageOf, run } from './command';
import { detectorModel } from './detector-model';

const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');

jest.setTimeout(300_000);

let model: string;
let data: string;

beforeAll(async () => {
  model = detectorModel();
  const pictures: Record<string, VocPicture> = {};
  for (let i = 0; i < 10; i++) {
    const [left, top] = [3 + 2 * i, 5 + i];
    pictures[`p${i}`] = {
      ...{ width: 64, height: 48 },
      objects: [{ name: i % 2 ? 'car' : 'dog', box: [left, top, left + 30, top + 25] }],
    };
  }
  data = await vocFolder(pictures);
});

/**
 * Eight steps: two of the ten pictures are held back, two a step, two epochs. `more` may replace these. Pictures are of two
 * colours: without Paddle's augmentation a batch of two hardly varies, and normalising by it makes anything large.
 */
const finetune = (out: string, ...more: string[]): string[] => {
  const usual = {
    ...{ epochs: '2', 'batch-size': '2', 'held-back': '0.2', rate: '0.003', recalibrate: '2', augment: 'paddle' },
  };
  const left = Object.entries(usual).filter(([name]) => !more.includes(`--${name}`));
  const base = ['finetune', model, '-o', out, '--data', data, '--split', 'val', '--json'];
  return [...base, ...left.flatMap(([name, value]) => [`--${name}`, value]), ...more];
};
const reportOf = ({ stdout }: Ended) => JSON.parse(stdout) as Record<string, unknown>;
const output = (): string => path.join(temporary(), 'tuned.onnx');

test('trains, says how it goes, and writes the model with other weights and nothing else changed', async () => {
  const out = output();
  const done = await run(finetune(out, '--keep', 'last', '--teacher', model));
  expect([done.status, done.stderr.includes('"error"')]).toEqual([0, false]);
  const report = reportOf(done);
  expect(report).toMatchObject({
    ...{ schema: 'ssd-prune.finetune/1', model, output: out, teacher: model, finished: true, step: 8, kept: 'last' },
    ...{ data: { folder: data, split: 'val', trained: 8, heldBack: 2, leftOut: 0 }, state: null },
    recipe: { steps: 8, batchSize: 2, microBatch: 2, recalibrate: 2, loss: { classes: 'softmax' } },
  });
  expect((report.evaluations as { step: number }[]).map(({ step }) => step)).toEqual([0, 4, 8]);

  const lines = events(done);
  const steps = lines.filter(({ event, label }) => event === 'progress' && label === 'steps');
  expect(steps.at(-1)).toMatchObject({ done: 8, total: 8, epoch: 2, rate: expect.any(Number), secondsLeft: 0 });
  const { loss } = steps.at(-1) as { loss: Record<string, number> };
  expect(loss.classes! + loss.boxes! + loss.teacherClasses! + loss.teacherBoxes!).toBeCloseTo(loss.total!, 6);
  expect(loss.teacherClasses).toBeGreaterThan(0);
  expect(lines.filter(({ event }) => event === 'evaluation')).toHaveLength(3);
  expect(lines).toContainEqual({ event: 'recalibration', batches: 2 });

  const [before, after] = [await readModel(model), await readModel(out)];
  const weights = (of: typeof before) => of.graph.initializer.splice(0);
  const [old, own] = [weights(before), weights(after)];
  expect(after.proto).toEqual(before.proto);
  expect(own.map(({ name, dims, dataType }) => [name, dims, dataType])).toEqual(
    old.map(({ name, dims, dataType }) => [name, dims, dataType]),
  );
  const same = own.filter(({ rawData }, i) => Buffer.compare(rawData, old[i]!.rawData) === 0);
  // What isn't trained: shapes, and numbers that the heads are reshaped by.
  for (const { dataType } of same) expect(dataType).not.toBe(1);
  expect(own.length - same.length).toBeGreaterThan(100);
  expect(existsSync(`${out}.state`)).toBe(false);
});

test('pictures are augmented, and priors matched, as asked for', async () => {
  // Once through without steps that matter: what counts is the recipe.
  const recipeOf = async (...more: string[]) => {
    const done = await run(finetune(output(), '--held-back', '0', '--recalibrate', '0', '--max-steps', '1', ...more));
    return reportOf(done).recipe as { augment: Record<string, unknown>; loss: { overlap: number } };
  };
  const [usual, light, none] = await Promise.all([
    recipeOf('--augment', 'paddle'),
    recipeOf('--augment', 'light', '--overlap', '0.35'),
    recipeOf('--augment', 'none'),
  ]);
  expect(usual).toMatchObject({ augment: { expand: { probability: 0.5, maxRatio: 4 } }, loss: { overlap: 0.5 } });
  expect(light).toMatchObject({
    ...{ augment: { hue: { probability: 0 }, expand: { probability: 0 }, mirror: 0.5 }, loss: { overlap: 0.35 } },
  });
  expect(none.augment).toMatchObject({ hue: { probability: 0 }, expand: { probability: 0 }, samplers: [], mirror: 0 });
});

test('stopped after any step and resumed, with other threads too, it ends in the same bytes', async () => {
  const straight = output();
  expect((await run(finetune(straight, '--keep', 'last', '--threads', '2'))).status).toBe(0);
  const parts = output();
  const part = (...more: string[]) => run(finetune(parts, '--keep', 'last', ...more));
  const first = await part('--max-steps', '1', '--threads', '1');
  expect(reportOf(first)).toMatchObject({ finished: false, step: 1, output: null, state: `${parts}.state` });
  expect(existsSync(parts)).toBe(false);
  // A run without --resume doesn't throw the state away.
  expect(failure(await part())).toEqual({ status: 2, code: 'ERR_OUTPUT_EXISTS', stdout: '' });
  // Two steps to the end of the epoch and one beyond.
  expect(reportOf(await part('--resume', '--max-steps', '4', '--threads', '2'))).toMatchObject({ step: 5 });
  expect(reportOf(await part('--resume', '--threads', '1'))).toMatchObject({ step: 8, finished: true });
  expect(readFileSync(parts).equals(readFileSync(straight))).toBe(true);
});

describe('without labels', () => {
  const { embeddedDetector } =
    require('../../dist/lib/embedded/detector') as typeof import('../../lib/embedded/detector');
  /** What has no options of the other runs: other pictures, another model. */
  const plain = (out: string, pictures: string, ...more: string[]): string[] => [
    ...['finetune', embeddedDetector, '-o', out, '--data', pictures, '--labels', 'none', '--json'],
    ...['--epochs', '1', '--batch-size', '4', '--recalibrate', '0', ...more],
  ];

  test('any folder of pictures will do, and the teacher’s own detections judge', async () => {
    const scenes = temporary();
    expect((await run(['scenes', scenes, '--count', '20', '--json'])).status).toBe(0);
    const out = output();
    const teacher = ['--teacher', embeddedDetector, '--held-back', '0.2', '--rate', '1e-3'];
    const done = await run(plain(out, path.join(scenes, 'JPEGImages'), ...teacher));
    const report = reportOf(done);
    expect(report).toMatchObject({
      ...{ step: 4, data: { split: null, trained: 16, heldBack: 4, leftOut: 0 }, recipe: { labels: 'none' } },
    });
    // It begins as its teacher, which agrees with itself.
    expect((report.evaluations as { map: number }[])[0]!.map).toBe(1);
    const [step] = events(done).filter(({ label, done: at }) => label === 'steps' && at === 4);
    expect(step).toMatchObject({ loss: { classes: 0, boxes: 0, teacherClasses: expect.any(Number) } });
    expect(existsSync(out)).toBe(true);
  });

  test('refused without a teacher, before a picture is looked for', async () => {
    const ended = await run(plain(output(), path.join(temporary(), 'none')));
    expect(failure(ended)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
    expect(messageOf(ended)).toContain('--teacher');
  });
});

test('interrupted, it saves its state, exits with 130, and goes on to the same bytes', async () => {
  const straight = output();
  const more = ['--keep', 'last', '--optimizer', 'adamw', '--batch-size', '4', '--micro-batch', '2', '--epochs', '4'];
  expect((await run(finetune(straight, ...more))).status).toBe(0);
  const out = output();
  const ended = await interrupted(finetune(out, ...more), /"label":"steps","done":[2-9]/);
  expect(failure(ended)).toEqual({ status: 130, code: 'ERR_ABORTED', stdout: '' });
  expect(messageOf(ended)).toMatch(/^Interrupted \(SIGINT\)\. The state after step \d is in .*--resume/);
  expect(existsSync(out)).toBe(false);
  const resumed = await run(finetune(out, ...more, '--resume'));
  expect(reportOf(resumed)).toMatchObject({ finished: true, step: 8 });
  expect(readFileSync(out).equals(readFileSync(straight))).toBe(true);
});

test('a run that makes nothing better keeps what it began with, and says so', async () => {
  const out = output();
  const done = await run(
    finetune(out, '--epochs', '1', '--rate', '1e-9', '--recalibrate', '0', '--no-batch-statistics'),
  );
  expect(reportOf(done)).toMatchObject({ belowStart: true, kept: 'start' });
  expect(events(done)).toContainEqual({
    event: 'warning',
    message: expect.stringContaining(
      'made nothing better than what it began with, by the pictures held back (mAP 0.0000 at the start',
    ),
  });
  // Of the ten pictures.
  const few = expect.stringMatching(/^only 2 pictures are held back: .* with a greater --held-back$/);
  expect(events(done)).toContainEqual({ event: 'warning', message: few });
  const weights = async (file: string) => (await readModel(file)).graph.initializer.map(({ rawData }) => rawData);
  expect(await weights(out)).toEqual(await weights(model));
});

test('a loss that explodes ends the run with its step, and the weights before it stay', async () => {
  const out = output();
  const done = await run(finetune(out, '--rate', '1e12', '--max-norm', '0', '--warm-up', '0', '--held-back', '0'));
  expect(failure(done)).toEqual({ status: 1, code: 'ERR_DIVERGED', stdout: '' });
  expect(messageOf(done)).toMatch(
    /^Step [2-8]: .* is NaN or infinite.*tuned\.onnx holds the weights of step \d, which nothing judged\. The state after step \d is in .*\.state/,
  );
  // What it still had: numbers, if no good ones.
  expect(command(['params', out, '--json']).status).toBe(0);
});

describe('refused before anything is trained', () => {
  const refused = (args: string[]) => failure(command([...args]));

  test('options that make no sense, by their names', () => {
    for (const [option, value] of [
      ['--epochs', '0'],
      ['--batch-size', '99'],
      ['--micro-batch', '3'],
      ['--rate', '-1'],
      ['--held-back', '1'],
      ['--average', '1'],
      ['--temperature', '0'],
      ['--teacher-features', '-1'],
      ['--heads-first', '3'],
      ['--threads', '1000'],
      ['--overlap', '1.5'],
    ] as const) {
      const ended = command(finetune(output(), option, value));
      expect([option, failure(ended)]).toEqual([option, { status: 2, code: 'ERR_USAGE', stdout: '' }]);
      expect(messageOf(ended)).toContain(option);
    }
  });

  test('bfloat16 where the instruction set has none', () => {
    const ended = command(finetune(output(), '--precision', 'bf16'), {
      env: { ...process.env, SSD_PRUNE_ISA: 'portable' },
    });
    expect(failure(ended)).toEqual({ status: 4, code: 'ERR_NO_BF16', stdout: '' });
    expect(messageOf(ended)).toContain('SSD_PRUNE_ISA=portable');
  });

  test('an instruction set that there is none', () => {
    const ended = command(finetune(output()), { env: { ...process.env, SSD_PRUNE_ISA: 'mmx' } });
    expect(failure(ended)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
    expect(messageOf(ended)).toContain('SSD_PRUNE_ISA=mmx');
  });

  test('a weight for the inner maps of no teacher', () => {
    const ended = command(finetune(output(), '--teacher-features', '5'));
    expect(failure(ended)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
    expect(messageOf(ended)).toContain('--teacher-features');
  });

  test('a state that is not there, or another run’s', async () => {
    const out = output();
    expect(refused(finetune(out, '--resume'))).toMatchObject({ status: 1, code: 'ERR_IO' });
    expect((await run(finetune(out, '--max-steps', '1'))).status).toBe(0);
    const other = await run(finetune(out, '--resume', '--seed', '7'));
    expect(failure(other)).toMatchObject({ status: 2, code: 'ERR_USAGE' });
    expect(messageOf(other)).toContain('seed was 0, now it is 7');
    writeFileSync(`${out}.state`, readFileSync(`${out}.state`).subarray(0, 5000));
    expect(refused(finetune(out, '--resume'))).toMatchObject({ status: 1, code: 'ERR_BAD_DATA' });
  });

  test('pictures that are broken are named, and left out by --skip-bad', async () => {
    const broken = await vocFolder({
      good: { width: 64, height: 48, objects: [{ name: 'car', box: [3, 3, 40, 40] }] },
      bad: { width: 64, height: 48, objects: [{ name: 'car', box: [3, 3, 40, 40] }] },
    });
    writeFileSync(path.join(broken, 'JPEGImages', 'bad.jpg'), 'not a picture');
    const args = ['finetune', model, '--data', broken, '--split', 'val', '--json', '--epochs', '1'];
    const small = ['--batch-size', '1', '--held-back', '0', '--recalibrate', '1', '--no-batch-statistics'];
    const out = output();
    const ended = await run([...args, ...small, '-o', out]);
    expect(failure(ended)).toMatchObject({ status: 1, code: 'ERR_BAD_DATA' });
    expect(messageOf(ended)).toContain('bad.jpg');
    const skipped = await run([...args, ...small, '-o', out, '--skip-bad']);
    expect(reportOf(skipped)).toMatchObject({ data: { trained: 1, leftOut: 1 }, kept: 'last', evaluations: [] });
  });
});
