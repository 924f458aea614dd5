import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { scenesFolder } from './compress/scenes-run';

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

/** The example's configuration with the embedded detector and drawn scenes, shortened to an epoch. */
function shortened(data: string): string {
  const text = readFileSync(path.join(examples, 'compress.yaml'), 'utf8')
    .replace('epoch: 6', 'epoch: 1')
    .replace('file: ssd.onnx', `file: ${path.join(root, 'lib', 'embedded', 'scenes.onnx')}`)
    .replace('folder: VOC2007', `folder: ${data}`);
  const place = mkdtempSync(path.join(folder, 'run-'));
  writeFileSync(
    path.join(place, 'compress.yaml'),
    `${text}training: {batch_size: 4, held_back: 0.2}\ndevice: {evaluation: cpu}\n`,
  );
  return path.join(place, 'compress.yaml');
}

describe('a whole run of a configuration', () => {
  let data: string;
  beforeAll(async () => {
    data = await scenesFolder();
  });

  test('the configuration is in order as it stands', () => {
    const place = path.join(folder, 'as-it-stands');
    mkdirSync(path.join(place, 'VOC2007'), { recursive: true });
    // Its cuts are tried, too.
    copyFileSync(path.join(root, 'lib', 'embedded', 'scenes.onnx'), path.join(place, 'ssd.onnx'));
    const file = path.join(place, 'compress.yaml');
    copyFileSync(path.join(examples, 'compress.yaml'), file);
    const { status, stdout } = run(process.execPath, main, 'run', file, '--check');
    expect([status, stdout]).toEqual([0, `${file} is in order.\n`]);
  });

  test('in Node, with a strategy of its own', () => {
    const { status, stdout, stderr } = run(process.execPath, path.join(examples, 'compress.mjs'), shortened(data));
    expect([status, stderr]).toEqual([0, expect.stringMatching(/^uniform_pruning_strategy: (19|20|21)\.\d % cut\n$/)]);
    expect(stdout).toMatch(/^epoch 1: mAP 0\.\d{4}\n.*small\.onnx: (19|20|21)\.\d % less work, mAP 0\.\d{4}\n$/);
  });

  (hasPython ? test : test.skip)('in Python, gone on with where it was (skipped without python3)', () => {
    const file = shortened(data);
    const first = run('python3', '-B', path.join(examples, 'compress.py'), file);
    expect([first.status, first.stderr]).toEqual([0, '']);
    expect(first.stdout).toMatch(/^start 0: mAP 0\.\d{4}\ncut 0: mAP 0\.\d{4}\n[\s\S]*\nepoch 1: mAP 0\.\d{4}\n/);
    expect(first.stdout).toMatch(/\nconv2d_2\.w_0 \[32, 16, 1, 1\] \[24, 16, 1, 1\]\n/);
    const again = run('python3', '-B', path.join(examples, 'compress.py'), file);
    expect(again.stdout).toMatch(/^\d\d\.\d% of the multiplications are gone, mAP 0\.\d{4}\n/);
  });
});

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

  test('what the caller raises ends the command, and is raised', () => {
    const endless = `setInterval(() => console.error(JSON.stringify({ event: 'note', message: 'x'.repeat(9999) })), 1);`;
    const script =
      "import sys; sys.path.insert(0, sys.argv[1]); from prune import ssd_prune; ssd_prune(on_event=lambda event: event['nothing'])";
    const { status, stderr, signal } = spawnSync('python3', ['-B', '-c', script, examples], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, SSD_PRUNE: `'${process.execPath}' -e "${endless.replaceAll('"', '\\"')}"` },
    });
    expect([status, signal]).toEqual([1, null]);
    expect(stderr).toContain("KeyError: 'nothing'");
  });

  test('a result longer than a pipe holds comes whole, with what is said after it', () => {
    const stand = `console.error('123'); console.log(JSON.stringify({ long: 'x'.repeat(300000) })); console.error(JSON.stringify({ event: 'note', message: 'late' }));`;
    const script =
      "import sys; sys.path.insert(0, sys.argv[1]); from prune import ssd_prune, show; print(len(ssd_prune(on_event=show)['long']))";
    const { status, stdout } = spawnSync('python3', ['-B', '-c', script, examples], {
      encoding: 'utf8',
      timeout: 60_000,
      // The options of the command go to the script behind `--`.
      env: { ...process.env, SSD_PRUNE: `'${process.execPath}' -e "${stand.replaceAll('"', '\\"')}" --` },
    });
    // What is no event is something that Node or npx says.
    expect([status, stdout]).toEqual([0, 'note: 123\nnote: late\n300000\n']);
  });
});
