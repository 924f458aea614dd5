import { availableParallelism } from 'node:os';
import path from 'node:path';
import { command, events, failure, graph, messageOf, root } from './command';

const dynamic = graph('dynamic-batch-legacy-11');
const fixed = graph('residual-resnet-legacy-17');

test('two models, threads and batch sizes, as JSON', () => {
  const args = [
    '--batch-sizes',
    '1,4',
    '--threads',
    '1,2',
    '--runs',
    '7',
    '--warmup',
    '1',
    '--device',
    'cpu',
    '--json',
  ];
  const result = command(['bench', dynamic, fixed, ...args]);
  expect(result.status).toBe(0);
  const report = JSON.parse(result.stdout);
  expect(report).toMatchObject({ schema: 'ssd-prune.bench/1', device: 'cpu', runs: 7, warmup: 1 });
  const { version } = require('onnxruntime-node/package.json');
  expect(report.runtime).toBe(version);
  expect(report.machine).toMatchObject({ cores: availableParallelism(), node: process.versions.node, gpu: null });
  expect(report.machine.cpu).not.toBe('');
  expect(report.models.map(({ model, fixedBatch }: never) => [model, fixedBatch])).toEqual([
    [dynamic, null],
    [fixed, 1],
  ]);
  expect(report.models[1].inputs).toEqual([{ name: 'image', type: 'float32', dims: [1, 3, 64, 64] }]);

  const rows = report.results.map(({ model, threads, batchSize }: never) => [model, threads, batchSize]);
  expect(rows).toEqual([
    [dynamic, 1, 1],
    [fixed, 1, 1],
    [dynamic, 1, 4],
    [dynamic, 2, 1],
    [fixed, 2, 1],
    [dynamic, 2, 4],
  ]);
  for (const [i, row] of report.results.entries()) {
    expect(row.minMilliseconds).toBeGreaterThan(0);
    expect(row.medianMilliseconds).toBeGreaterThanOrEqual(row.minMilliseconds);
    expect(row.imagesPerSecond).toBeCloseTo((row.batchSize * 1000) / row.medianMilliseconds, 6);
    const first = report.results[i % 3 === 1 ? i - 1 : i];
    expect(row.ratio.min).toBeCloseTo(row.minMilliseconds / first.minMilliseconds, 9);
    expect(row.ratio.median).toBeCloseTo(row.medianMilliseconds / first.medianMilliseconds, 9);
  }
  const notes = events(result).filter(({ event }) => event === 'note');
  expect(notes).toEqual([{ event: 'note', message: `${fixed}: its batch size is fixed at 1; not measured at 4` }]);
  const last = events(result).findLast(({ event }) => event === 'progress');
  expect(last).toMatchObject({ label: 'runs', done: 42, total: 42 });
});

test('a table for people, and not a word beside it with --quiet', () => {
  const { status, stdout, stderr } = command(['bench', dynamic, '--runs', '2', '--batch-sizes', '2', '--quiet']);
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('median ms');
  expect(stdout).toMatch(new RegExp(`${path.basename(dynamic)} *│ *1 │ *2 │`));
  expect(stdout).toContain(`ONNX Runtime ${require('onnxruntime-node/package.json').version}`);
});

test('an open size is asked for, and taken', () => {
  const open = graph('dynamic-all-dynamo-21');
  const refused = command(['bench', open, '--json']);
  expect(failure(refused)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
  expect(messageOf(refused)).toContain('--input-shape image=1,3,300,300');
  const taken = command([
    'bench',
    open,
    '--input-shape',
    'image=1,3,64,64',
    '--runs',
    '1',
    '--batch-sizes',
    '1',
    '--json',
  ]);
  expect(JSON.parse(taken.stdout).models[0].inputs[0].dims).toEqual([1, 3, 64, 64]);
});

test.each<[string, string[], number, string]>([
  ['a file that is not there', ['none.onnx'], 1, 'ERR_IO'],
  ['a file that is no model', [path.join(root, 'LICENSE')], 1, 'ERR_BAD_MODEL'],
  ['no file', [], 2, 'ERR_USAGE'],
  ['a batch size in words', [dynamic, '--batch-sizes', 'one'], 2, 'ERR_USAGE'],
  ['runs in words', [dynamic, '--runs', 'some'], 2, 'ERR_USAGE'],
  ['a device that is none', [dynamic, '--device', 'tpu'], 2, 'ERR_USAGE'],
  ['a shape without a name', [dynamic, '--input-shape', '1,3,64,64'], 2, 'ERR_USAGE'],
])('refuses %s', (_, args, status, code) => {
  expect(failure(command(['bench', ...args, '--json']))).toEqual({ status, code, stdout: '' });
});
