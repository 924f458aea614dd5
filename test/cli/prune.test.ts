import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(__dirname, '..', '..');
const main = path.join(root, 'dist', 'lib', 'cli', 'main.js');
const graph = (name: string) => path.join(root, 'test', 'graphs', `${name}.onnx`);
const run = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
const errorOf = (stderr: string) => JSON.parse(stderr.trim().split('\n').pop()!).error;
const fresh = () => path.join(mkdtempSync(path.join(tmpdir(), 'ssd-prune-')), 'out.onnx');

describe('prune as users call it', () => {
  test.each([
    'residual-resnet-legacy-17',
    'concat-densenet-legacy-12',
    'grouped-resnext-legacy-13',
    'constant-bn-legacy-11',
  ])('%s loses a quarter of its MACs, proved', (name) => {
    const out = fresh();
    const { status, stdout, stderr } = run(
      'prune',
      graph(name),
      '-o',
      out,
      '--pruned-params',
      '.*',
      '--skip-locked',
      '--target-ratio',
      '0.25',
      '--align',
      '1',
      '--json',
    );
    expect([status, stderr.includes('"error"')]).toEqual([0, false]);
    const report = JSON.parse(stdout);
    expect([report.schema, report.calibration, report.repair]).toEqual(['ssd-prune.prune/1', null, null]);
    expect(report.macs.cut).toBeGreaterThanOrEqual(0.25);
    expect(report.macs.cut).toBeLessThanOrEqual(0.26);
    expect(report.verified).toMatchObject({ images: 3, vacuous: false });
    expect(existsSync(out)).toBe(true);
  });

  test.each([
    ['ERR_NO_MATCH', 3, ['--pruned-params', 'nothing', '--target-ratio', '0.2']],
    ['ERR_TARGET_UNREACHABLE', 3, ['--pruned-params', '.*', '--skip-locked', '--target-ratio', '0.99']],
    ['ERR_LOCKED_CHANNELS', 3, ['--pruned-params', '.*', '--target-ratio', '0.2']],
    ['ERR_BAD_PATTERN', 2, ['--pruned-params', '(', '--target-ratio', '0.2']],
    ['ERR_USAGE', 2, ['--pruned-params', '.*', '--target-ratio', 'many']],
  ])('%s: exit %i, no file', (code, exit, options) => {
    const out = fresh();
    const { status, stdout, stderr } = run(
      'prune',
      graph('residual-resnet-legacy-17'),
      '-o',
      out,
      '--json',
      ...options,
    );
    expect(errorOf(stderr).code).toBe(code);
    expect([status, stdout, existsSync(out)]).toEqual([exit, '', false]);
  });

  test('refuses a file that is no model', () => {
    const { status, stderr } = run('params', path.join(root, 'LICENSE'), '--json');
    expect([status, errorOf(stderr).code]).toEqual([1, 'ERR_BAD_MODEL']);
  });

  test('refuses to replace its input', () => {
    const before = readFileSync(graph('residual-resnet-legacy-17'));
    const { status } = run(
      'prune',
      graph('residual-resnet-legacy-17'),
      '-o',
      graph('residual-resnet-legacy-17'),
      '--pruned-params',
      '.*',
      '--skip-locked',
      '--target-ratio',
      '0.25',
      '--align',
      '1',
      '--no-verify',
    );
    expect(status).toBe(2);
    expect(readFileSync(graph('residual-resnet-legacy-17')).equals(before)).toBe(true);
  });

  test('params lists what the pattern takes, and what looser matching would', () => {
    const { status, stdout } = run('params', graph('residual-resnet-legacy-17'), '--json', '--pruned-params', 'loc');
    expect(status).toBe(0);
    const document = JSON.parse(stdout);
    expect(document.selected).toEqual([]);
    expect(document.prefixOnly.length + document.searchOnly.length).toBeGreaterThan(0);
  });
});
