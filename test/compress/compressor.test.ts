import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type { CompressionEvent } from '../../lib/compress/events';
import type { CompressionContext, Strategy } from '../../lib/compress/strategy';
import type { RunConfig } from '../../lib/config/config';
import { temporary } from '../data/folders';
import { pattern, scenesFolder, scenesRun } from './scenes-run';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { CheckpointFolder } = dist(
  'compress/checkpoint-folder',
) as typeof import('../../lib/compress/checkpoint-folder');
const { Compressor } = dist('compress/compressor') as typeof import('../../lib/compress/compressor');
const { pruneFile } = dist('prune/prune-file') as typeof import('../../lib/prune/prune-file');
const { readModel } = dist('model/read') as typeof import('../../lib/model/read');
const { readDetectorSettings } = dist('model/detector') as typeof import('../../lib/model/detector');
const { listParameters } = dist('model/parameters') as typeof import('../../lib/model/parameters');

jest.setTimeout(300_000);

let data: string;
beforeAll(async () => {
  data = await scenesFolder();
});

const bytesOf = (config: RunConfig): Buffer => readFileSync(config.output.model);
const checkpointsOf = (config: RunConfig): string[] =>
  readdirSync(config.compressor.checkpoints.folder).filter((name) => !name.startsWith('.'));

let unbroken: { config: RunConfig; model: Buffer; map: number | null };
const events: CompressionEvent[] = [];

test('cuts at the begin and in the middle, trains, evaluates each epoch, and writes model and shapes', async () => {
  const config = scenesRun(data);
  const report = await new Compressor(config, { onEvent: (event) => events.push(event) }).run();
  unbroken = { config, model: bytesOf(config), map: report.map };
  expect(report.metrics.map(({ stage, epoch }) => `${stage} ${epoch}`)).toEqual([
    ...['start 0', 'cut 0', 'epoch 1', 'cut 1', 'epoch 2', 'epoch 3'],
  ]);
  // 32 pictures in batches of 4; each network is judged as it is cut, and behind each of its epochs.
  expect(report.steps).toBe(24);
  expect(report.heldBack.map(({ epoch }) => epoch)).toEqual([0, 1, 1, 2, 3]);
  expect(report.cuts.map(({ strategy, epoch, step }) => [strategy, epoch, step])).toEqual([
    ['first', 0, 0],
    ['second', 1, 8],
  ]);
  const [first, second] = report.cuts.map((cut) => cut.report);
  // The first cut is that of `prune` on the file; the second one is of what the first left.
  const alone = await pruneFile(config.model.file, undefined, {
    ...{ prunedParams: pattern, targetRatio: 0.2, tolerance: 0.05 },
  });
  expect(first!.layers.map(({ kept }) => kept)).toEqual(alone.layers.map(({ kept }) => kept));
  expect(second!.macs.before).toBe(first!.macs.after);
  expect(report.macs).toEqual({
    before: first!.macs.before,
    after: second!.macs.after,
    cut: 1 - second!.macs.after / first!.macs.before,
  });
  const written = listParameters(await readModel(config.output.model));
  expect(report.shapes.map(({ name, after }) => ({ name, shape: after }))).toEqual(
    written.map(({ name, shape }) => ({ name, shape })),
  );
  // The last two, and that of the best weights of the network as it is now.
  const best = report.heldBack.slice(2).reduce((a, b) => (b.map > a.map ? b : a));
  expect(report).toMatchObject({ kept: 'best', keptAt: best });
  const kept = checkpointsOf(config).map((name) => Number(name.split('-').at(-1)));
  expect(new Set(kept)).toEqual(new Set([16, 24, ...(best.epoch > 1 ? [best.step] : [])]));
  expect(events.filter(({ event }) => event === 'checkpoint')).toHaveLength(5);
});

/** Ends runs at a step, as an interruption would, and goes on, until one is through. */
async function runInParts(config: RunConfig, steps: readonly number[]): Promise<CompressionEvent[]> {
  const seen: CompressionEvent[] = [];
  for (const stop of [...steps, Number.POSITIVE_INFINITY]) {
    const controller = new AbortController();
    const run = new Compressor(config, {
      resume: true,
      signal: controller.signal,
      onEvent: (event) => {
        seen.push(event);
        if (event.event === 'step' && event.step === stop) controller.abort(new Error('enough'));
      },
    }).run();
    if (stop === Number.POSITIVE_INFINITY) await run;
    else await expect(run).rejects.toMatchObject({ code: 'ERR_ABORTED', message: expect.stringContaining('--resume') });
  }
  return seen;
}

test('called off in mid-epoch before and behind a cut, it goes on to the same bits', async () => {
  const config = scenesRun(data);
  const seen = await runInParts(config, [3, 8, 11, 24]);
  expect(bytesOf(config).equals(unbroken.model)).toBe(true);
  expect(seen.filter(({ event }) => event === 'cut')).toHaveLength(2);
  const resumed = seen.flatMap((event) => (event.event === 'begin' ? [event.resumed !== null] : []));
  expect(resumed).toEqual([false, true, true, true, true]);
});

test('a checkpoint after every step changes no bit either', async () => {
  const config = scenesRun(data);
  config.compressor.checkpoints.minutes = 0;
  await new Compressor(config).run();
  expect(bytesOf(config).equals(unbroken.model)).toBe(true);
});

test('a damaged checkpoint is told and passed over; where none is whole the run ends', async () => {
  const config = scenesRun(data);
  await runInParts(config, []);
  const [older, newest] = checkpointsOf(config).sort().slice(-2);
  const file = (name: string, part: string) => path.join(config.compressor.checkpoints.folder, name, part);
  // What can't be read at all is damaged, too.
  const network = readFileSync(file(newest!, 'network.onnx'));
  rmSync(file(newest!, 'network.onnx'));
  mkdirSync(file(newest!, 'network.onnx'));
  const last = await CheckpointFolder.open(config.compressor.checkpoints.folder, { keep: 2 });
  const told: string[] = [];
  expect((await last.latest((message) => void told.push(message)))?.place).toContain(older);
  await last.close();
  expect(told).toEqual([expect.stringContaining(`${newest}/network.onnx`)]);
  rmdirSync(file(newest!, 'network.onnx'));
  writeFileSync(file(newest!, 'network.onnx'), network);
  truncateSync(file(newest!, 'training'), 1000);
  const warnings: string[] = [];
  const resume = () =>
    new Compressor(config, {
      resume: true,
      onEvent: (event) => event.event === 'warning' && warnings.push(event.message),
    }).run();
  const report = await resume();
  // Of what training was worth, too, behind it.
  const [damage, ...rest] = warnings;
  expect(damage).toContain(`${newest}/training is cut short or was changed`);
  expect(rest).toEqual(report.warnings.filter((warning) => warning.startsWith('training made nothing better')));
  expect(report.resumed).toBe(path.join(config.compressor.checkpoints.folder, older!));
  expect(bytesOf(config).equals(unbroken.model)).toBe(true);
  // What a document says is checked by a digest, too: a step that was changed, and an end that is missing.
  const document = file(older!, 'checkpoint.json');
  const text = readFileSync(document, 'utf8');
  for (const name of checkpointsOf(config)) if (name !== older) truncateSync(file(name, 'network.onnx'), 10);
  for (const damaged of [text.replace(/"step":\d+/, '"step":1'), text.slice(0, -2)]) {
    writeFileSync(document, damaged);
    await expect(resume()).rejects.toMatchObject({
      code: 'ERR_BAD_DATA',
      message: expect.stringContaining(`${older}/checkpoint.json is cut short, changed`),
    });
  }
  for (const name of checkpointsOf(config)) writeFileSync(file(name, 'checkpoint.json'), '{');
  await expect(resume()).rejects.toMatchObject({
    code: 'ERR_BAD_DATA',
    message: expect.stringMatching(/No checkpoint in .* is whole: .*--force/s),
  });
});

test('a damaged checkpoint takes the place of none of the last whole ones that are kept', async () => {
  const config = scenesRun(data);
  const folder = config.compressor.checkpoints.folder;
  const steps = () =>
    checkpointsOf(config)
      .sort()
      .map((name) => Number(name.split('-').at(-1)));
  const stop = async (step: number) => {
    const controller = new AbortController();
    const onEvent = (event: CompressionEvent) => event.event === 'step' && event.step === step && controller.abort();
    const options = { resume: true, onEvent, signal: controller.signal };
    await expect(new Compressor(config, options).run()).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  };
  config.compressor.checkpoints.keep = 3;
  await stop(3);
  await stop(5);
  expect(steps()).toEqual([0, 3, 5]);
  const damaged = checkpointsOf(config).sort().at(-1)!;
  const file = path.join(folder, damaged, 'checkpoint.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"step":5', '"step":6'));
  await stop(6);
  // Three whole ones, and the damaged one between them.
  expect(steps()).toEqual([0, 3, 5, 6]);
  await stop(7);
  expect(steps()).toEqual([3, 5, 6, 7]);
});

test('checkpoints of another run are refused with what differs, and are not overwritten unasked', async () => {
  const { config } = unbroken;
  const change = (edit: (copy: RunConfig) => void): RunConfig => {
    const copy = structuredClone(config);
    edit(copy);
    return copy;
  };
  await expect(new Compressor(config).run()).rejects.toMatchObject({ code: 'ERR_OUTPUT_EXISTS' });
  const other = change((copy) => {
    copy.output.model = path.join(temporary(), 'other.onnx');
  });
  await expect(new Compressor(other).run()).rejects.toMatchObject({
    code: 'ERR_OUTPUT_EXISTS',
    message: expect.stringContaining('--resume'),
  });
  const target = change((copy) => {
    copy.training.rate = 2e-3;
    copy.compressor.epochs = 5;
    copy.compressor.checkpoints.keep = 7;
  });
  await expect(new Compressor(target, { resume: true }).run()).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringMatching(
      /compressor\.epoch was 3, now it is 5; training\.rate was 0.001, now it is 0.002\. /,
    ),
  });
  // Their settings are numbered, and would be taken for others'.
  const fewer = change(({ compressor }) => {
    compressor.strategies = compressor.strategies.slice(1);
  });
  await expect(new Compressor(fewer, { resume: true }).run()).rejects.toMatchObject({
    message: expect.stringMatching(/another run: the strategies were first, second, now they are second\. Resume/),
  });
  // Before pictures are opened, which may take long and be in disorder.
  const elsewhere = change((copy) => {
    copy.training.rate = 2e-3;
    copy.data.folder = path.join(temporary(), 'nowhere');
  });
  await expect(new Compressor(elsewhere, { resume: true }).run()).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('training.rate was 0.001, now it is 0.002. '),
  });
  expect(checkpointsOf(config).length).toBeGreaterThanOrEqual(2);
});

test('a run that can’t begin takes nothing from the one before it, however much it is forced', async () => {
  const { config } = unbroken;
  const folder = temporary();
  const log = path.join(folder, 'log.jsonl');
  writeFileSync(log, 'of the run before\n');
  const before = checkpointsOf(config);
  const wrong: [what: string, edit: (copy: RunConfig) => void, code: string, message: RegExp][] = [
    [
      'pattern',
      ({ compressor }) => Object.assign(compressor.strategies[0]!.options, { prunedParams: 'no' }),
      'ERR_NO_MATCH',
      /^first: /,
    ],
    [
      'batch',
      ({ training }) => Object.assign(training, { batchSize: 1e6 }),
      'ERR_USAGE',
      / for training\.batch_size but /,
    ],
    ['warm-up', ({ training }) => Object.assign(training, { warmUp: 1e6 }), 'ERR_USAGE', / for training\.warm_up but /],
    [
      'split',
      ({ data }) => Object.assign(data, { evaluation: 'bare' }),
      'ERR_BAD_DATA',
      /no picture of bare has an object/,
    ],
  ];
  const bare = path.join(data, 'Annotations', 'bare.xml');
  const [one] = readdirSync(path.join(data, 'JPEGImages'));
  copyFileSync(path.join(data, 'JPEGImages', one!), path.join(data, 'JPEGImages', 'bare.jpg'));
  const whole = readFileSync(path.join(data, 'Annotations', one!.replace('.jpg', '.xml')), 'utf8');
  writeFileSync(bare, whole.replaceAll(/<object>[\s\S]*<\/object>/g, '').replaceAll(one!.replace('.jpg', ''), 'bare'));
  writeFileSync(path.join(data, 'ImageSets', 'Main', 'bare.txt'), 'bare\n');
  for (const [what, edit, code, message] of wrong) {
    const copy = structuredClone(config);
    copy.output.log = log;
    edit(copy);
    const seen: string[] = [];
    const onEvent = ({ event }: CompressionEvent) => seen.push(event);
    const error = await new Compressor(copy, { force: true, onEvent }).run().catch((reason) => reason);
    expect([what, error.code]).toEqual([what, code]);
    expect(error.message).toMatch(message);
    expect(seen).not.toContain('begin');
    expect(checkpointsOf(config)).toEqual(before);
    expect(readFileSync(log, 'utf8')).toBe('of the run before\n');
  }
});

test('who resumes is told what the run was until then', async () => {
  const seen: CompressionEvent[] = [];
  await new Compressor(unbroken.config, { resume: true, onEvent: (event) => seen.push(event) }).run();
  const [begin] = seen;
  expect(begin).toMatchObject({
    ...{ event: 'begin', epochs: 3 },
    soFar: { step: 24, epoch: 3, warnings: expect.any(Array) },
  });
  if (begin?.event !== 'begin') throw new Error('no beginning');
  expect(begin.soFar!.cuts.map(({ strategy }) => strategy)).toEqual(['first', 'second']);
  expect(begin.soFar!.metrics.map(({ stage }) => stage)).toEqual(['start', 'cut', 'epoch', 'cut', 'epoch', 'epoch']);
  expect(begin.soFar!.metrics[0]!.map).toBeGreaterThan(0.5);
  // Of the network behind the last cut, too: 24 steps in 3 epochs.
  expect(begin.soFar!.heldBack.map(({ step }) => step)).toEqual([0, 8, 8, 16, 24]);
});

test('one compressor is one run, of a configuration and strategies', async () => {
  const compressor = new Compressor(scenesRun(data));
  const controller = new AbortController();
  controller.abort();
  await expect(new Compressor(scenesRun(data), { signal: controller.signal }).run()).rejects.toMatchObject({
    code: 'ERR_ABORTED',
  });
  const running = compressor.run();
  await expect(compressor.run()).rejects.toMatchObject({ code: 'ERR_USAGE' });
  await running;
  const make = Compressor as unknown as new (...args: unknown[]) => unknown;
  for (const args of [
    [],
    ['run.yaml'],
    [scenesRun(data), null],
    [scenesRun(data), { strategies: ['mine'] }],
    [scenesRun(data), { strategies: {} }],
    [{ compressor: scenesRun(data).compressor }],
    [{ ...scenesRun(data), device: null }],
    [scenesRun(data), { onEvent: 'x' }],
    [scenesRun(data), { signal: 'x' }],
  ]) {
    expect(() => new make(...args)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
  }
});

test('other detector settings, evaluation pictures or strategies of one’s own make it another run, too', async () => {
  const { config } = unbroken;
  const folder = temporary();
  const refusal = (copy: RunConfig, strategies: Strategy[] = []) =>
    new Compressor(copy, { resume: true, strategies }).run().then(
      () => 'none',
      ({ code, message }) => `${code}: ${message}`,
    );
  const { priors, ...settings } = readDetectorSettings(await readModel(config.model.file));
  const boxes = Array.from({ length: priors.length / 4 }, (_, i) => [...priors.subarray(4 * i, 4 * i + 4)]);
  const write = (name: string, variances: readonly number[]): RunConfig => {
    const detector = path.join(folder, name);
    writeFileSync(detector, JSON.stringify({ ...settings, variances, priors: boxes }));
    return { ...config, model: { ...config.model, detector } };
  };
  // Where they are from makes no difference.
  expect(await refusal(write('same.json', settings.variances))).toBe('none');
  expect(await refusal(write('other.json', [0.3, 0.1, 0.2, 0.2]))).toMatch(/^ERR_USAGE: .*the detector settings are/);
  const scenes = path.join(folder, 'scenes');
  cpSync(data, scenes, { recursive: true });
  const list = path.join(scenes, 'ImageSets', 'Main', 'val.txt');
  writeFileSync(list, readFileSync(list, 'utf8').split('\n').slice(1).join('\n'));
  const fewer = { ...config, data: { ...config.data, folder: scenes } };
  expect(await refusal(fewer)).toMatch(/^ERR_USAGE: .*the evaluation pictures or their annotations are others/);
  expect(await refusal(config, [{ name: 'own' }])).toMatch(
    /^ERR_USAGE: .*the strategies were first, second, now they are first, second, own/,
  );
});

test('other pictures to calibrate on make it another run, where cuts go by any', async () => {
  const pictures = path.join(temporary(), 'scenes');
  cpSync(data, pictures, { recursive: true });
  const config = scenesRun(data);
  const [first] = config.compressor.strategies;
  const bySome = { ...first!, options: { ...first!.options, criterion: 'obs', repair: 'full', allocation: 'error' } };
  config.compressor.strategies = [bySome];
  config.compressor.epochs = 1;
  config.calibration = { pictures, split: 'train', images: 4, seed: 0 };
  await new Compressor(config).run();
  const resumed = () =>
    new Compressor(config, { resume: true }).run().then(
      () => 'none',
      ({ code, message }) => `${code}: ${message}`,
    );
  const folder = path.join(pictures, 'JPEGImages');
  const names = readdirSync(folder).sort();
  // Times of files say nothing.
  for (const name of names) utimesSync(path.join(folder, name), 1, 1);
  expect(await resumed()).toBe('none');
  for (const name of names) copyFileSync(path.join(folder, names[0]!), path.join(folder, name));
  expect(await resumed()).toMatch(/^ERR_USAGE: .* belongs to another run: the calibration pictures are others\. /);
});

test('called off before a cut in the middle, it says which checkpoint there is', async () => {
  const config = scenesRun(data);
  const controller = new AbortController();
  const onEvent = (event: CompressionEvent) => event.event === 'epoch' && event.epoch === 1 && controller.abort();
  await expect(new Compressor(config, { onEvent, signal: controller.signal }).run()).rejects.toMatchObject({
    code: 'ERR_ABORTED',
    message: expect.stringMatching(/The state after step 8 is in .*checkpoints: go on with --resume\.$/),
  });
});

describe('what ends a run at the end of an epoch', () => {
  /** Fails once, as the last of two, when an epoch ends. */
  class Failing implements Strategy {
    readonly name = 'failing';
    constructor(private fails: boolean) {}
    onEpochEnd({ epoch }: CompressionContext): void {
      if (this.fails && epoch === 1) throw new Error('of the caller');
    }
  }
  class Counting implements Strategy {
    readonly name = 'counting';
    count = 0;
    onEpochEnd = (): void => void this.count++;
    save = (): unknown => this.count;
    restore(saved: unknown): void {
      this.count = saved as number;
    }
  }

  test('a strategy: nothing of the epoch is lost, and none has its word twice', async () => {
    const config = scenesRun(data);
    const first = [new Counting(), new Failing(true)];
    await expect(new Compressor(config, { strategies: first }).run()).rejects.toThrow('of the caller');
    expect(checkpointsOf(config).at(-1)).toMatch(/-epoch-1-step-16$/);
    const [counting, failing] = [new Counting(), new Failing(false)];
    const seen: CompressionEvent[] = [];
    const onEvent = (event: CompressionEvent) => seen.push(event);
    const report = await new Compressor(config, { strategies: [counting, failing], resume: true, onEvent }).run();
    expect(counting.count).toBe(3);
    expect(seen.filter(({ event }) => event === 'step')).toHaveLength(8);
    expect(report.metrics.map(({ stage, epoch }) => `${stage} ${epoch}`)).toEqual([
      ...['start 0', 'cut 0', 'epoch 1', 'cut 1', 'epoch 2', 'epoch 3'],
    ]);
    expect(bytesOf(config).equals(unbroken.model)).toBe(true);
  });

  test('a listener: what it was told of is measured again, and stands in the report once', async () => {
    const config = scenesRun(data);
    const onEvent = (event: CompressionEvent) => {
      if (event.event === 'metric' && event.stage === 'epoch') throw new Error('of the caller');
    };
    await expect(new Compressor(config, { onEvent }).run()).rejects.toThrow('of the caller');
    const report = await new Compressor(config, { resume: true }).run();
    expect(report.metrics.map(({ stage, epoch }) => `${stage} ${epoch}`)).toEqual([
      ...['start 0', 'cut 0', 'epoch 1', 'cut 1', 'epoch 2', 'epoch 3'],
    ]);
    expect(bytesOf(config).equals(unbroken.model)).toBe(true);
  });
});

test('without its teacher, or with another one, it is another run', async () => {
  const copy = structuredClone(unbroken.config);
  copy.model.teacher = null;
  await expect(new Compressor(copy, { resume: true }).run()).rejects.toMatchObject({
    ...{ code: 'ERR_USAGE', message: expect.stringContaining('model.teacher was "given", now it is "none"') },
  });
});
