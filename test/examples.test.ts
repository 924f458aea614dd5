import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(__dirname, '..');
const main = path.join(root, 'dist', 'lib', 'cli', 'main.js');
const examples = path.join(root, 'scripts', 'examples');
const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-examples-'));
const output = path.join(folder, 'small.onnx');
const pattern = 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0';

const run = (file: string, ...args: string[]) =>
  spawnSync(file, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, SSD_PRUNE: `'${process.execPath}' '${main}'` },
  });

beforeAll(() => {
  const { status } = run(process.execPath, main, 'init', 'ssd.onnx', '--width', '0.25');
  expect(status).toBe(0);
});
beforeEach(() => rmSync(output, { force: true }));

/** The share in "20.3 % …" or "20.3% …". */
const shareIn = (stdout: string): number => Number(/([\d.]+) ?%/.exec(stdout)?.[1]) / 100;

describe('the Node example', () => {
  const example = path.join(examples, 'prune.mjs');

  test('prunes and times', () => {
    const { status, stdout, stderr } = run(process.execPath, example, 'ssd.onnx', 'small.onnx', pattern, '0.3');
    expect([status, stderr]).toEqual([0, 'read …\nplan …\ncut …\nverify …\nwrite …\n']);
    expect(shareIn(stdout)).toBeGreaterThanOrEqual(0.3);
    expect(shareIn(stdout)).toBeLessThan(0.32);
    expect(stdout).toMatch(/│ ssd\.onnx +│[\s\S]*│ small\.onnx +│/);
    expect(existsSync(output)).toBe(true);
  });

  test('reports a failure by its code', () => {
    const { status, stderr } = run(process.execPath, example, 'ssd.onnx', 'small.onnx', 'no such name');
    expect([status, existsSync(output)]).toEqual([3, false]);
    expect(stderr).toContain('ERR_NO_MATCH: ');
  });
});

const hasPython = run('python3', '--version').status === 0;
(hasPython ? describe : describe.skip)('the Python example (skipped without python3)', () => {
  const example = path.join(examples, 'prune.py');
  const prune = (...args: string[]) => run('python3', example, 'ssd.onnx', 'small.onnx', ...args);

  test('takes the first target in reach, shows progress, and times', () => {
    const { status, stdout, stderr } = prune('--pruned-params', pattern, '--targets', '0.99', '0.3', '--runs', '6');
    expect([status, stderr]).toEqual([0, '']);
    const [first, ...rest] = stdout.trim().split('\n');
    expect(first).toBe('target 0.99 is out of reach');
    expect(shareIn(rest.find((line) => line.endsWith('are gone'))!)).toBeGreaterThanOrEqual(0.3);
    // Two models, six runs each, at one batch size.
    expect(rest).toContain('runs: 12 of 12');
    expect(rest.at(-1)).toMatch(/^\d+\.\d\d ms before, \d+\.\d\d ms after$/);
    expect(existsSync(output)).toBe(true);
  });

  test('ends with the code and exit code of a failure', () => {
    const { status, stderr } = prune('--pruned-params', '(');
    expect([status, existsSync(output)]).toEqual([2, false]);
    expect(stderr).toMatch(/^ERR_BAD_PATTERN: /);
  });

  test('a result longer than a pipe holds comes whole, with what is said after it', () => {
    const stand = `console.log(JSON.stringify({ long: 'x'.repeat(300000) })); console.error(JSON.stringify({ event: 'note', message: 'late' }));`;
    const script =
      "import sys; sys.path.insert(0, sys.argv[1]); from prune import ssd_prune, show; print(len(ssd_prune(on_event=show)['long']))";
    const { status, stdout } = spawnSync('python3', ['-B', '-c', script, examples], {
      encoding: 'utf8',
      timeout: 60_000,
      // The options of the command go to the script behind `--`.
      env: { ...process.env, SSD_PRUNE: `'${process.execPath}' -e "${stand.replaceAll('"', '\\"')}" --` },
    });
    expect([status, stdout]).toEqual([0, 'note: late\n300000\n']);
  });
});
