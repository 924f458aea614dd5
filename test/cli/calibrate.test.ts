import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { noisePictures } from '../calibrate/noise-pictures';

const root = path.resolve(__dirname, '..', '..');
const main = path.join(root, 'dist', 'lib', 'cli', 'main.js');
const model = path.join(root, 'test', 'graphs', 'dynamic-batch-legacy-11.onnx');
let folder: string;
let detector: string;

beforeAll(async () => {
  ({ folder, detector } = await noisePictures(12, 64));
});

/** Options as pairs; those given replace the usual ones. */
const prune = (out: string, ...more: string[]) => {
  const usual = ['--calibrate', folder, '--detector', detector];
  const kept = usual.filter((_, i) => !more.includes(usual[i - (i % 2)]!));
  const args = [
    '--pruned-params',
    '.*',
    '--skip-locked',
    '--target-ratio',
    '0.3',
    '--align',
    '1',
    '--json',
    ...kept,
    ...more,
  ];
  return spawnSync(process.execPath, [main, 'prune', model, '-o', out, ...args], { encoding: 'utf8' });
};

test('prune --calibrate: the report says how, the same seed gives the same file, another draw another', () => {
  const outs = ['a', 'b', 'c'].map((name) => path.join(folder, `${name}.onnx`));
  const runs = [['0'], ['0'], ['1']].map(([seed], i) =>
    prune(outs[i]!, '--calibration-images', '6', '--calibration-seed', seed!),
  );
  for (const { status, stderr } of runs) expect([status, stderr.includes('"error"')]).toEqual([0, false]);
  const report = JSON.parse(runs[0]!.stdout);
  expect(report).toMatchObject({
    schema: 'ssd-prune.prune/1',
    criterion: 'obs',
    allocation: 'error',
    verified: { vacuous: false },
    calibration: { pictures: folder, split: null, images: 6, seed: 0, repair: 'full', device: 'cpu' },
  });
  expect(JSON.parse(runs[2]!.stdout).calibration).toEqual({ ...report.calibration, seed: 1 });
  expect(report.macs.cut).toBeGreaterThanOrEqual(0.3);
  expect(report.macs.cut).toBeLessThanOrEqual(0.31);
  for (const { criterion, errorKept, readers } of report.repair.slice(0, 3)) {
    expect(criterion).toBe('obs');
    expect(readers.length).toBeGreaterThan(0);
    expect(errorKept).toBeGreaterThan(0);
    expect(errorKept).toBeLessThan(1);
  }
  expect(report.repair.map(({ pictures }: { pictures: number }) => pictures)).toEqual(report.repair.map(() => 6));
  const [a, b, c] = outs.map((out) => readFileSync(out));
  expect(a!.equals(b!)).toBe(true);
  expect(a!.equals(c!)).toBe(false);
});

test('uniform widths reach the target, too', () => {
  const { status, stdout } = prune(
    path.join(folder, 'd.onnx'),
    '--calibration-images',
    '4',
    '--allocation',
    'uniform',
    '--repair',
    'least_squares',
  );
  expect(status).toBe(0);
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ allocation: 'uniform', verified: { vacuous: false } });
  expect(report.calibration).toEqual({
    ...{ pictures: folder, split: null, images: 4, seed: 0 },
    ...{ repair: 'least_squares', device: 'cpu' },
  });
  expect(report.macs.cut).toBeGreaterThanOrEqual(0.3);
  expect(report.macs.cut).toBeLessThanOrEqual(0.31);
  const { renderPruneReport } =
    require('../../dist/lib/prune/prune-table') as typeof import('../../lib/prune/prune-table');
  const worst = [...report.repair].sort((a, b) => b.errorKept - a.errorKept)[0];
  const text = renderPruneReport(report);
  expect(text).toContain(`calibrated on 4 pictures from ${folder}, seed 0, on cpu; repair: least_squares`);
  report.calibration.split = 'train';
  expect(renderPruneReport(report)).toContain(`from ${folder} (train), seed 0`);
  expect(text).not.toContain('of the pictures: activations');
  report.calibration.images = 9;
  expect(renderPruneReport(report)).toContain("no layer took more than 4 of the pictures: activations of more can't");
  expect(text).toMatch(/masked original with the repaired weights/);
  expect(text).toMatch(
    new RegExp(`most is lost behind[^]*${worst.layer}[^]*obs[^]*${(100 * worst.errorKept).toFixed(2)} %`),
  );
});

test('a report never replaces what the calibration reads: settings, a list, the pictures that it names', () => {
  const lists = mkdtempSync(path.join(tmpdir(), 'ssd-prune-lists-'));
  const list = path.join(lists, 'list.txt');
  writeFileSync(list, `${path.join(folder, '0.png')}\n${path.join(folder, '1.png')}\n`);
  for (const file of [detector, list, path.join(folder, '1.png')]) {
    const before = readFileSync(file, 'base64');
    const out = path.join(folder, 'never.onnx');
    const { status, stderr } = prune(out, '--calibrate', list, '--report', file);
    expect([file, status, JSON.parse(stderr.trim().split('\n').pop()!).error.code]).toEqual([
      file,
      2,
      'ERR_OUTPUT_EXISTS',
    ]);
    expect([readFileSync(file, 'base64') === before, existsSync(out)]).toEqual([true, false]);
  }
});

test('a list with a line that is wrong is refused before the model runs, whichever pictures are drawn', () => {
  const list = path.join(mkdtempSync(path.join(tmpdir(), 'ssd-prune-lists-')), 'list.txt');
  writeFileSync(list, `# one that is there\n${path.join(folder, '0.png')}\n\nnone.png\n`);
  const out = path.join(folder, 'never.onnx');
  const { status, stderr } = prune(out, '--calibrate', list, '--calibration-images', '1');
  const events = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect([status, events.length, events[0].error.code]).toEqual([1, 1, 'ERR_BAD_DATA']);
  expect(events[0].error.message).toContain(`none.png is not there; ${list}:4 names it`);
  expect(existsSync(out)).toBe(false);
});

test.each([
  ['ERR_BAD_DATA', 1, ['--calibrate', path.join(root, 'nowhere')]],
  ['ERR_BAD_CONFIG', 2, ['--detector', path.join(root, 'package.json')]],
  ['ERR_USAGE', 2, ['--calibration-images', '0']],
  ['ERR_USAGE', 2, ['--paddle1x']],
])('%s: exit %i, no file', (code, exit, options) => {
  const out = path.join(folder, 'never.onnx');
  const { status, stdout, stderr } = prune(out, ...options);
  expect(JSON.parse(stderr.trim().split('\n').pop()!).error.code).toBe(code);
  expect([status, stdout, existsSync(out)]).toEqual([exit, '', false]);
});

test('ranking across layers with obs: the message says what goes with what, and asks for no pictures that are there', () => {
  const { status, stderr } = prune(path.join(folder, 'never.onnx'), '--allocation', 'global');
  const { code, message } = JSON.parse(stderr.trim().split('\n').pop()!).error;
  expect([status, code]).toEqual([2, 'ERR_USAGE']);
  expect(message).toMatch(/allocation global .* criterion obs .* name a criterion of the weights/);
});

test('pictures that would change nothing are refused, those that choose widths are not', () => {
  const byWeights = ['--criterion', 'l1_norm', '--repair', 'none', '--calibration-images', '2'];
  const refused = prune(path.join(folder, 'never.onnx'), ...byWeights);
  const { code, message } = JSON.parse(refused.stderr.trim().split('\n').pop()!).error;
  expect([refused.status, code, refused.stdout]).toEqual([2, 'ERR_USAGE', '']);
  expect(message).toMatch(/chosen by l1_norm .*--repair none.*leave --calibrate/);
  const { status, stdout } = prune(path.join(folder, 'e.onnx'), ...byWeights, '--allocation', 'error');
  expect([status, JSON.parse(stdout).allocation]).toEqual([0, 'error']);
});
