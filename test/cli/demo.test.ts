import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { decodePicture } from '../../lib/data/images';
import type { DemoReport } from '../../lib/demo/demo';
import { command, copyPackage, events, failure, interrupted, main, root, temporary } from './command';

jest.setTimeout(300_000);

const small = ['--train-scenes', '64', '--val-scenes', '40', '--epochs', '1'];

/** What `npx ssd-prune` is where this package is installed: a folder for the path. */
function npxFolder(): string {
  const folder = temporary();
  const script = `#!/bin/sh\n[ "$1" = ssd-prune ] || exit 99\nshift\nexec '${process.execPath}' '${main}' "$@"\n`;
  writeFileSync(path.join(folder, 'npx'), script, { mode: 0o755 });
  return folder;
}

test('shows the whole job, and leaves its files in the folder', async () => {
  // A name that a shell takes apart unless it is quoted.
  const folder = path.join(temporary(), "what the demo's made");
  const result = command(['demo', '-o', folder, ...small, '--json']);
  expect([result.status, events(result).filter(({ event }) => event === 'warning')]).toEqual([0, []]);
  const report = JSON.parse(result.stdout) as DemoReport;
  expect(report).toMatchObject({
    schema: 'ssd-prune.demo/1',
    folder,
    targetRatio: 0.5,
    scenes: { train: 64, val: 40 },
  });
  expect(report.layers.map(({ name }) => name)).toEqual(Array.from({ length: 12 }, (_, i) => `conv2d_${i + 1}.w_0`));

  const [original, cut, calibrated, tuned] = report.models as [never, never, never, never] as DemoReport['models'];
  expect(report.models.map(({ name }) => name)).toEqual(['original', 'cut', 'calibrated', 'fine-tuned']);
  // What the cut promises, and what it costs: weights alone don't tell which channels matter.
  for (const smaller of [cut!, calibrated!, tuned!]) {
    expect(smaller.macs / original!.macs).toBeGreaterThan(0.49);
    expect(smaller.macs / original!.macs).toBeLessThanOrEqual(0.5);
    expect(smaller.bytes).toBeLessThan(original!.bytes);
  }
  expect(cut!.map).toBeLessThan(original!.map - 0.3);
  expect(calibrated!.map).toBeGreaterThan(cut!.map);
  for (const { latency } of report.models) {
    expect(latency.map(({ threads }) => threads)).toEqual([1, 2]);
    for (const { minMilliseconds, medianMilliseconds } of latency) {
      expect(minMilliseconds).toBeGreaterThan(0);
      expect(medianMilliseconds).toBeGreaterThanOrEqual(minMilliseconds);
    }
  }
  // The three pictures show the same scene, with other boxes on it.
  const drawn = await Promise.all(report.pictures.map((file) => decodePicture(file)));
  expect(new Set(drawn.map(({ width, height }) => `${width}x${height}`)).size).toBe(1);
  expect(new Set(drawn.map(({ data }) => Buffer.from(data).toString('base64'))).size).toBeGreaterThan(1);
  for (const { file } of report.models) expect(existsSync(file)).toBe(true);

  // What it says one could type can be typed as it stands, and makes the very same models.
  const files = report.models.map(({ file }) => file);
  const made = files.map((file) => readFileSync(file));
  for (const file of files) writeFileSync(file, '');
  const env = { ...process.env, PATH: `${npxFolder()}${path.delimiter}${process.env.PATH}` };
  const typed = report.commands.map((line) => {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', line], { env, encoding: 'utf8' });
    expect([line, status, status === 0 ? '' : stderr]).toEqual([line, 0, '']);
    return { line, stdout };
  });
  const names = typed
    .map(({ line }) => /^npx ssd-prune (\w+)|^\w+/.exec(line))
    .map((found) => found?.[1] ?? found?.[0]);
  const once = ['scenes', 'scenes', 'cp', 'params', 'prune', 'prune', 'finetune'];
  expect(names).toEqual([...once, 'eval', 'eval', 'eval', 'eval', 'bench']);
  for (const [i, file] of files.entries()) expect([file, readFileSync(file).equals(made[i]!)]).toEqual([file, true]);
  const evaluations = typed.filter(({ line }) => line.includes(' eval '));
  for (const [i, { stdout }] of evaluations.entries()) expect(stdout).toContain(report.models[i]!.map.toFixed(4));

  // A second one doesn't destroy the first.
  const before = readFileSync(tuned!.file);
  expect(failure(command(['demo', '-o', folder, ...small, '--json']))).toEqual({
    ...{ status: 2, code: 'ERR_OUTPUT_EXISTS', stdout: '' },
  });
  expect(readFileSync(tuned!.file).equals(before)).toBe(true);
});

test('interrupted while it trains, it ends with 130 and leaves no temporary folder', async () => {
  const folder = temporary();
  mkdirSync(path.join(folder, 'tmp'));
  // Steps of fine-tuning are the fifth stage's progress.
  const ended = await interrupted(
    ['demo', '--train-scenes', '64', '--val-scenes', '8', '--json'],
    /"label":"stage 5"/,
    { TMPDIR: path.join(folder, 'tmp') },
  );
  expect(failure(ended)).toEqual({ status: 130, code: 'ERR_ABORTED', stdout: '' });
  // ONNX Runtime leaves files of its own there.
  expect(readdirSync(path.join(folder, 'tmp')).filter((name) => name.startsWith('ssd-prune'))).toEqual([]);
});

test('without the addon, or without ONNX Runtime, it ends before anything is written', () => {
  const copy = copyPackage();
  mkdirSync(path.join(copy.folder, 'lib'));
  cpSync(path.join(root, 'lib', 'embedded'), path.join(copy.folder, 'lib', 'embedded'), { recursive: true });
  const folder = path.join(temporary(), 'demo');
  const args = ['demo', '-o', folder, ...small, '--json'];
  const [noAddon, noRuntime] = [
    command(args, { env: copy.env }, copy.main),
    command(args, { env: { ...process.env, SSD_PRUNE_RUNTIME: path.join(temporary(), 'none') } }),
  ];
  expect(failure(noAddon)).toEqual({ status: 4, code: 'ERR_ADDON_MISSING', stdout: '' });
  expect(failure(noRuntime)).toEqual({ status: 4, code: 'ERR_NO_RUNTIME', stdout: '' });
  expect([noAddon, noRuntime].flatMap(events).filter(({ event }) => event === 'note')).toEqual([]);
  expect(existsSync(folder)).toBe(false);
});

test('what is there stays, pictures too, unless --force says otherwise', () => {
  const folder = temporary();
  for (const name of ['scene.png', 'cut.png', 'calibrated.onnx']) {
    const file = path.join(folder, name);
    writeFileSync(file, 'mine');
    const refused = command(['demo', '-o', folder, ...small, '--json']);
    expect([name, failure(refused)]).toEqual([name, { status: 2, code: 'ERR_OUTPUT_EXISTS', stdout: '' }]);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    rmSync(file);
  }
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  ['no scenes', ['--train-scenes', '0']],
  ['a ratio that is no share', ['--target-ratio', '1.5']],
])('refuses %s', (_, args) => {
  const folder = path.join(temporary(), 'demo');
  const result = command(['demo', '-o', folder, ...small.slice(2), ...args, '--json']);
  expect(failure(result)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
  if (args[0] === '--target-ratio') expect(existsSync(folder)).toBe(false);
});
