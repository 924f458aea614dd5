import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CompressionEvent } from '../../lib/compress/events';
import type { RunConfig } from '../../lib/config/config';
import { temporary } from '../data/folders';
import { pattern, scenesFolder, scenesRun } from './scenes-run';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { Compressor } = dist('compress/compressor') as typeof import('../../lib/compress/compressor');
const { pruneFile } = dist('prune/prune-file') as typeof import('../../lib/prune/prune-file');

jest.setTimeout(300_000);

let scenes: string;
beforeAll(async () => {
  scenes = await scenesFolder();
});

/** One epoch on a copy of the scenes that may be broken. */
function runOnCopy(): { config: RunConfig; data: string } {
  const data = path.join(temporary(), 'scenes');
  cpSync(scenes, data, { recursive: true });
  const config = scenesRun(data);
  config.compressor.epochs = 1;
  config.compressor.strategies = config.compressor.strategies.slice(0, 1);
  return { config, data };
}

const truncate = (file: string): void => writeFileSync(file, readFileSync(file).subarray(0, 300));
const picture = (data: string, name: string): string => path.join(data, 'JPEGImages', `${name}.jpg`);

describe('skip_bad leaves out what is broken', () => {
  test('of the pictures that mAP is measured on', async () => {
    const { config, data } = runOnCopy();
    truncate(picture(data, 'val_000000'));
    writeFileSync(path.join(data, 'Annotations', 'val_000001.xml'), '<annotation><object>');
    await expect(new Compressor(config).run()).rejects.toMatchObject({ code: 'ERR_BAD_DATA' });
    config.data.skipBad = true;
    const warnings: string[] = [];
    const onEvent = (event: CompressionEvent) => event.event === 'warning' && warnings.push(event.message);
    const report = await new Compressor(config, { onEvent, force: true }).run();
    expect(report.data).toMatchObject({ evaluated: 10, leftOut: 2 });
    expect(warnings).toContainEqual(expect.stringMatching(/val_000000\.jpg: cannot read this picture.*; left out$/s));
  });

  test('of the pictures that cuts are calibrated on; without it they are named before anything is trained', async () => {
    const { config, data } = runOnCopy();
    truncate(picture(data, 'train_000003'));
    config.calibration = { pictures: path.join(data, 'JPEGImages'), images: 52, seed: 0 };
    const { options } = config.compressor.strategies[0]!;
    Object.assign(options, { criterion: 'obs', repair: 'full', allocation: 'uniform' });
    const seen: string[] = [];
    const onEvent = ({ event }: CompressionEvent) => seen.push(event);
    // Trained on others: what is calibrated on alone is broken.
    config.data = { ...config.data, folder: scenes };
    await expect(new Compressor(config, { onEvent }).run()).rejects.toMatchObject({
      ...{
        code: 'ERR_BAD_DATA',
        message: expect.stringMatching(/leave them out by data\.skip_bad: true:.*train_000003/s),
      },
    });
    expect(seen).not.toContain('begin');
    config.data.skipBad = true;
    const report = await new Compressor(config).run();
    expect(report.cuts[0]!.report.calibration!.images).toBe(51);
    expect(report.data.leftOut).toBe(1);
  });
});

describe('nothing that a run reads is replaced, not even by force', () => {
  test.each(['included', 'calibration', 'losses', 'start'])('%s', async (what) => {
    const { config } = runOnCopy();
    const place = path.join(temporary(), 'precious');
    copyFileSync(config.model.file, place);
    const before = readFileSync(place);
    if (what === 'included') config.included = [place];
    if (what === 'calibration') config.calibration = { pictures: place, images: 4, seed: 0 };
    if (what === 'losses') {
      const { options, ...strategy } = config.compressor.strategies[0]!;
      config.compressor.strategies = [
        { ...strategy, class: 'SensitivePruneStrategy', options: { ...options, file: place } },
      ];
    }
    if (what === 'start') {
      config.compressor.initModel = place;
      config.output.model = place;
    } else config.output.report = place;
    await expect(new Compressor(config, { force: true }).run()).rejects.toMatchObject({
      ...{ code: 'ERR_OUTPUT_EXISTS', message: expect.stringContaining(place) },
    });
    expect(readFileSync(place).equals(before)).toBe(true);
  });
});

test('a network in a checkpoint of the same folder is not begun with: the checkpoint would be removed', async () => {
  const { config } = runOnCopy();
  const { folder } = config.compressor.checkpoints;
  const checkpoint = path.join(folder, '000003-epoch-1-step-9');
  mkdirSync(checkpoint, { recursive: true });
  const network = path.join(checkpoint, 'network.onnx');
  copyFileSync(config.model.file, network);
  const linked = path.join(temporary(), 'best.onnx');
  symlinkSync(network, linked);
  for (const named of [network, linked]) {
    config.compressor.initModel = named;
    await expect(new Compressor(config, { force: true }).run()).rejects.toMatchObject({
      ...{ code: 'ERR_USAGE', message: expect.stringContaining(`${named} lies in a checkpoint of ${folder}`) },
    });
  }
  expect(existsSync(network)).toBe(true);
  const copy = path.join(folder, 'begin.onnx');
  copyFileSync(network, copy);
  config.compressor.initModel = copy;
  const report = await new Compressor(config, { force: true }).run();
  expect(report.model).toBe(copy);
  expect(existsSync(copy)).toBe(true);
});

test('a report or page of somebody else’s is replaced by force alone', async () => {
  const { config } = runOnCopy();
  config.output.report = path.join(temporary(), 'report.json');
  writeFileSync(config.output.report, 'mine');
  await expect(new Compressor(config).run()).rejects.toMatchObject({ code: 'ERR_OUTPUT_EXISTS' });
  expect(readFileSync(config.output.report, 'utf8')).toBe('mine');
  await new Compressor(config, { force: true }).run();
  // Its own it replaces as it goes on.
  await new Compressor(config, { resume: true }).run();
  expect(JSON.parse(readFileSync(config.output.report, 'utf8')).schema).toBe('ssd-prune.run/1');
});

test('outputs among the checkpoints are there again when the run goes on', async () => {
  const { config } = runOnCopy();
  const { folder } = config.compressor.checkpoints;
  const place = (name: string) => path.join(folder, name);
  Object.assign(config.output, { model: place('small.onnx'), report: place('report.json'), log: place('log.jsonl') });
  const controller = new AbortController();
  const onEvent = ({ event }: CompressionEvent) => event === 'step' && controller.abort();
  await expect(new Compressor(config, { signal: controller.signal, onEvent }).run()).rejects.toMatchObject({
    code: 'ERR_ABORTED',
  });
  await new Compressor(config, { resume: true }).run();
  for (const name of ['small.onnx', 'report.json', 'log.jsonl']) expect(existsSync(place(name))).toBe(true);
});

test('what is wrong with a place of unlabelled pictures is said by the keys that name it', async () => {
  const { config, data } = runOnCopy();
  const list = path.join(temporary(), 'list.txt');
  writeFileSync(list, `${picture(data, 'train_000000')}\n`);
  config.training = { ...config.training, labels: 'none' };
  config.data = { folder: list, train: 'x', evaluation: null, skipBad: false };
  await expect(new Compressor(config).run()).rejects.toMatchObject({
    ...{ code: 'ERR_USAGE', message: expect.stringMatching(/which alone has splits: leave data\.train off\.$/) },
  });
  const coco = temporary();
  mkdirSync(path.join(coco, 'annotations'));
  config.data = { ...config.data, folder: coco, train: null };
  await expect(new Compressor(config).run()).rejects.toMatchObject({
    ...{ code: 'ERR_USAGE', message: expect.stringMatching(/to come from \(data\.train: train2017\)$/) },
  });
});

test('so little that is left to train on is the fault of what is held back', async () => {
  const { config } = runOnCopy();
  config.training.heldBack = 0.9999;
  const message = expect.stringMatching(
    /^Expected a share that leaves .*, of 40, for training\.held_back but .* 0\.9999/,
  );
  await expect(new Compressor(config).run()).rejects.toMatchObject({ code: 'ERR_USAGE', message });
});

test('begun with other weights, the report is of those', async () => {
  const { config } = runOnCopy();
  const start = path.join(temporary(), 'start.onnx');
  const { macs } = await pruneFile(config.model.file, start, {
    prunedParams: pattern,
    targetRatio: 0.2,
    tolerance: 0.05,
  });
  config.compressor.initModel = start;
  const report = await new Compressor(config).run();
  expect(report.model).toBe(start);
  expect(report.macs.before).toBe(macs.after);
});
