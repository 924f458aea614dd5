import { spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(__dirname, '..', '..');
const main = path.join(root, 'dist', 'lib', 'cli', 'main.js');
/** Its layers `onnx::Conv_130`, `_136` and `_142` meet in Adds; `_133`, `_139` and `_145` stand alone. */
const model = path.join(root, 'test', 'graphs', 'residual-resnet-legacy-17.onnx');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-refusals-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function prune(...args: string[]): { status: number | null; stdout: string; code: string; message: string } {
  const run = spawnSync(process.execPath, [main, 'prune', ...args, '--json'], { encoding: 'utf8', cwd: folder });
  const { error } = JSON.parse(run.stderr.trim().split('\n').pop()!);
  return { status: run.status, stdout: run.stdout, ...error };
}

const alone = 'onnx::Conv_133|onnx::Conv_139|onnx::Conv_145';
const wish = ['--pruned-params', alone, '--align', '1', '--target-ratio', '0.1'];

describe('what is refused before anything is written: exit 3, the reason, no file', () => {
  test.each<[string, string, string[], RegExp]>([
    [
      'nothing selected',
      'ERR_NO_MATCH',
      ['--pruned-params', 'Conv_133', '--target-ratio', '0.1'],
      /An unanchored search would have taken 1 \(onnx::Conv_133\), but a name must match in full/,
    ],
    [
      'a target out of reach',
      'ERR_TARGET_UNREACHABLE',
      ['--pruned-params', alone, '--align', '1', '--target-ratio', '0.9'],
      /90\.00 % is out of reach: the selected layers can lose \d+\.\d\d % at most/,
    ],
    [
      'a layer that would be emptied',
      'ERR_LAYER_EMPTIED',
      ['--pruned-params', alone, '--ratios', 'onnx::Conv_139=1'],
      /onnx::Conv_139 would lose all of its 6 channels/,
    ],
    [
      'a tied layer that is not selected',
      'ERR_TIED_CHANNELS',
      ['--pruned-params', 'onnx::Conv_130', '--target-ratio', '0.05'],
      /onnx::Conv_130: shares channels with onnx::Conv_136, onnx::Conv_142, not selected/,
    ],
    [
      'a locked layer',
      'ERR_LOCKED_CHANNELS',
      ['--pruned-params', `${alone}|loc.0.weight`, '--target-ratio', '0.05'],
      /loc\.0\.weight: Reshape node "\/Reshape"/,
    ],
    [
      'a criterion that the layers lack',
      'ERR_UNSUPPORTED_CRITERION',
      [...wish, '--criterion', 'bn_scale'],
      /bn_scale needs a BatchNormalization behind Conv node/,
    ],
    [
      'an order that names no layer to cut',
      'ERR_NO_MATCH',
      [...wish, '--ranking', 'sequential', '--order', 'onnx::Conv_130'],
      /--order names "onnx::Conv_130"/,
    ],
    [
      'ratios for a layer that is not selected',
      'ERR_NO_MATCH',
      ['--pruned-params', alone, '--ratios', 'onnx::Conv_130=0.5'],
      /--ratios names "onnx::Conv_130"/,
    ],
  ])('%s', (_, code, args, message) => {
    const result = prune(model, '-o', 'out.onnx', ...args);
    expect([result.status, result.code, result.stdout]).toEqual([3, code, '']);
    expect(result.message).toMatch(message);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('the largest reachable cut that is named can be reached', () => {
    const { message } = prune(
      model,
      '-o',
      'out.onnx',
      '--pruned-params',
      alone,
      '--align',
      '1',
      '--target-ratio',
      '0.9',
    );
    const largest = Number(/can lose (\d+\.\d+) %/.exec(message)![1]) / 100 - 1e-4;
    const { status, stdout } = spawnSync(
      process.execPath,
      [
        main,
        'prune',
        model,
        '--dry-run',
        '--pruned-params',
        alone,
        '--align',
        '1',
        '--target-ratio',
        `${largest}`,
        '--json',
      ],
      { encoding: 'utf8' },
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout).macs.cut).toBeGreaterThanOrEqual(largest);
  });
});

describe('outputs that cannot be', () => {
  test('the input, without --force; with it the input is replaced', () => {
    const copy = path.join(folder, 'model.onnx');
    writeFileSync(copy, readFileSync(model));
    const refused = prune('model.onnx', '-o', './model.onnx', ...wish);
    expect([refused.status, refused.code]).toEqual([2, 'ERR_OUTPUT_EXISTS']);
    expect(readFileSync(copy).equals(readFileSync(model))).toBe(true);
    const forced = spawnSync(process.execPath, [main, 'prune', copy, '-o', copy, '--force', ...wish], { cwd: folder });
    expect(forced.status).toBe(0);
    expect(readFileSync(copy).length).toBeLessThan(readFileSync(model).length);
    expect(readdirSync(folder)).toEqual(['model.onnx']);
  });

  test('any other file that is there, before the work; with --force it is replaced', () => {
    writeFileSync(path.join(folder, 'photo.jpg'), 'a picture');
    // The target is out of reach: had the work begun, that would be the reason.
    const unreachable = ['--pruned-params', alone, '--target-ratio', '0.99'];
    const refused = prune(model, '-o', 'photo.jpg', ...unreachable);
    expect([refused.status, refused.code]).toEqual([2, 'ERR_OUTPUT_EXISTS']);
    expect(refused.message).toContain('photo.jpg exists');
    expect(readFileSync(path.join(folder, 'photo.jpg'), 'utf8')).toBe('a picture');
    const args = [main, 'prune', model, '-o', 'photo.jpg', '--force', ...wish];
    expect(spawnSync(process.execPath, args, { cwd: folder }).status).toBe(0);
    expect(readFileSync(path.join(folder, 'photo.jpg')).length).toBeGreaterThan(1000);
  });

  test.each([
    ['-o over them', ['-o', 'm.onnx.data']],
    ['--report over them', ['-o', 'out.onnx', '--report', 'm.onnx.data']],
    ['--report over a hard link to the model', ['-o', 'out.onnx', '--report', 'hard.onnx']],
    ['--report of a comparison', ['--dry-run', '--target-ratio', '0.05,0.1', '--report', 'm.onnx.data']],
    ['--report over the external data of the output', ['-o', 'out.onnx', '--report', 'out.onnx.data']],
  ])('the weights of a model with external data stay: %s', async (_, args) => {
    const { buildMobileNetV1Ssd } =
      require('../../dist/lib/model/mobilenet-v1-ssd') as typeof import('../../lib/model/mobilenet-v1-ssd');
    const { writeModel } = require('../../dist/lib/model/write') as typeof import('../../lib/model/write');
    const input = path.join(folder, 'm.onnx');
    await writeModel(buildMobileNetV1Ssd({ width: 0.25 }), input, { inlineLimit: 1000 });
    expect(readFileSync(`${input}.data`).length).toBeGreaterThan(100_000);
    linkSync(input, path.join(folder, 'hard.onnx'));
    // As text: the matcher goes over a buffer byte by byte.
    const files = () => readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name), 'base64')]);
    const before = files();
    const target = args.includes('--target-ratio') ? [] : ['--target-ratio', '0.2'];
    const result = prune('m.onnx', ...args, ...target, '--pruned-params', 'conv2d_[1-9].w_0');
    expect([result.status, result.code, result.stdout]).toEqual([2, 'ERR_OUTPUT_EXISTS', '']);
    expect(files()).toEqual(before);
  });

  test.each(['', 'x/', '.', 'x/..'])('-o %j names no file: exit 2', (output) => {
    const result = prune(model, '-o', output, ...wish);
    expect([result.status, result.code]).toEqual([2, 'ERR_USAGE']);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    ['in a folder that is not there', 'none/out.onnx', 'its folder does not exist'],
    ['under a file', 'plain/out.onnx', "Can't write"],
    ['a folder', 'folder', 'it is a folder'],
    ['where nobody may write', '/sys/out.onnx', "Can't write"],
  ])('%s: exit 1, and nothing is left', (_, output, message) => {
    writeFileSync(path.join(folder, 'plain'), '');
    mkdirSync(path.join(folder, 'folder'));
    const result = prune(model, '-o', output, ...wish, '--no-verify');
    expect([result.status, result.code, result.stdout]).toEqual([1, 'ERR_IO', '']);
    expect(result.message).toContain(message);
    expect(readdirSync(folder).sort()).toEqual(['folder', 'plain']);
    expect(readdirSync(path.join(folder, 'folder'))).toEqual([]);
  });

  test.each<[string, string[], number, string]>([
    ['that replaces the cut model', ['--report', './out.onnx'], 2, 'ERR_OUTPUT_EXISTS'],
    ['that replaces the input', ['--report', model], 2, 'ERR_OUTPUT_EXISTS'],
    ['that is a folder', ['--report', '.'], 2, 'ERR_USAGE'],
    ['that is a folder above', ['--report', path.dirname(model)], 1, 'ERR_IO'],
    ['without a name', ['--report', ''], 2, 'ERR_USAGE'],
    ['in a folder that is not there', ['--report', 'none/report.json'], 1, 'ERR_IO'],
  ])('a report %s is refused before the work', (_, args, status, code) => {
    const before = readFileSync(model);
    const result = prune(model, '-o', 'out.onnx', ...wish, ...args);
    expect([result.status, result.code]).toEqual([status, code]);
    expect(existsSync(path.join(folder, 'out.onnx'))).toBe(false);
    expect(readFileSync(model).equals(before)).toBe(true);
  });

  test.each<[string, string[]]>([
    ['no output and no dry run', wish],
    ['an output and a dry run', [...wish, '-o', 'out.onnx', '--dry-run']],
    ['several targets without a dry run', ['--pruned-params', alone, '--target-ratio', '0.1,0.2', '-o', 'out.onnx']],
    ['neither target nor ratios', ['--pruned-params', alone, '-o', 'out.onnx']],
    ['a target and ratios', [...wish, '--ratios', 'onnx::Conv_133=0.5', '-o', 'out.onnx']],
    ['an unknown option', [...wish, '-o', 'out.onnx', '--align-to', '4']],
    ['an alignment of 0', ['--pruned-params', alone, '--target-ratio', '0.1', '--align', '0', '-o', 'out.onnx']],
    ['a proof of a dry run', [...wish, '--dry-run', '--verify']],
    [
      'a ratio given twice',
      ['--pruned-params', alone, '--ratios', 'onnx::Conv_133=0.5,onnx::Conv_133=0.25', '--dry-run'],
    ],
    ['a ratio that is no decimal', ['--pruned-params', alone, '--ratios', 'onnx::Conv_133=0x1', '--dry-run']],
    [
      'Paddle 1.x and a least width',
      ['--pruned-params', alone, '--target-ratio', '0.1', '--paddle1x', '--min-channels', '5', '--dry-run'],
    ],
    [
      'Paddle 1.x and a tolerance',
      ['--pruned-params', alone, '--target-ratio', '0.1', '--paddle1x', '--tolerance', '0.3', '--dry-run'],
    ],
    [
      'Paddle 1.x and a frozen ranking',
      ['--pruned-params', alone, '--target-ratio', '0.1', '--paddle1x', '--ranking', 'frozen', '--dry-run'],
    ],
    ['a shape for no input', [...wish, '--dry-run', '--input-shape', 'nope=1,3,64,64']],
    ['a shape of other channels', [...wish, '--dry-run', '--input-shape', 'image=1,4,64,64']],
    [
      'an order that names a layer twice',
      [...wish, '--ranking', 'sequential', '--order', 'onnx::Conv_133,onnx::Conv_133', '--dry-run'],
    ],
    [
      'ratios and an allocation',
      ['--pruned-params', alone, '--ratios', 'onnx::Conv_139=0.5', '--allocation', 'uniform', '--dry-run'],
    ],
    ['an order for a frozen ranking', [...wish, '--order', 'onnx::Conv_133', '-o', 'out.onnx']],
  ])('wrong usage (%s): exit 2', (_, args) => {
    const result = prune(model, ...args);
    expect([result.status, result.code, result.stdout]).toEqual([2, 'ERR_USAGE', '']);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each<[string, string[], string[]]>([
    ['--calibrate', ['--repair'], ['--repair', 'full']],
    ['--calibrate', ['--split'], ['--split', 'train']],
    ['--calibrate', ['--calibration-images'], ['--calibration-images', '256']],
    ['--calibrate', ['--calibration-seed'], ['--calibration-seed=0']],
    ['--calibrate', ['--device'], ['--device', 'cpu']],
    ['--calibrate', ['--split', '--repair'], ['--repair', 'none', '--split', 'val']],
    ['--target-latency', ['--threads'], ['--threads', '1']],
    ['--criterion random', ['--seed'], ['--seed=0']],
    ['--criterion random', ['--seed'], ['--criterion', 'l2_norm', '--seed', '3']],
  ])('without %s %j would change nothing: exit 2, also where it says the default', (needed, named, args) => {
    const result = prune(model, '-o', 'out.onnx', ...wish, ...args);
    expect([result.status, result.code, result.stdout]).toEqual([2, 'ERR_USAGE', '']);
    expect(result.message).toContain(`nothing without ${needed}`);
    for (const option of named) expect(result.message).toContain(option);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('--seed is what random channels are drawn by', () => {
    const kept = (...args: string[]): number[][] => {
      const given = [...wish, '--criterion', 'random', ...args, '--dry-run', '--json'];
      const { stdout } = spawnSync(process.execPath, [main, 'prune', model, ...given], { encoding: 'utf8' });
      return JSON.parse(stdout).layers.map((layer: { kept: number[] }) => layer.kept);
    };
    expect(kept('--seed', '0')).toEqual(kept());
    expect(kept('--seed', '1')).not.toEqual(kept());
  });

  test('--threads without --target-latency stays refused with pictures; several targets know no latency', () => {
    const both = prune(model, '-o', 'out.onnx', ...wish, '--calibrate', folder, '--threads', '2');
    expect([both.status, both.code]).toEqual([2, 'ERR_USAGE']);
    expect(both.message).toContain('--threads');
    const several = ['--pruned-params', alone, '--target-ratio', '0.05,0.1', '--dry-run'];
    const result = prune(model, ...several, '--target-latency', '0.8');
    expect([result.status, result.code]).toEqual([2, 'ERR_USAGE']);
    expect(result.message).toContain('--target-latency');
  });

  test('the help says the defaults that the library has', () => {
    const { stdout } = spawnSync(process.execPath, [main, 'prune', '--help'], { encoding: 'utf8' });
    const entries = stdout.split(/\n {6}(?=--)/).map((entry) => entry.replace(/\s+/g, ' '));
    for (const [option, value] of [
      ['--threads', '1'],
      ['--calibration-images', '256'],
      ['--calibration-seed', '0'],
      ['--seed', '0'],
      ['--device', '"cpu"'],
      ['--repair', '"full"'],
    ] as const)
      expect(entries.find((entry) => entry.startsWith(`${option} `))).toContain(`[default: ${value}]`);
  });
});
