import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type { RunReport } from '../../lib/compress/run-report';
import { scenesFolder } from '../compress/scenes-run';
import { paddleYaml } from '../config/folder';
import { command, type Ended, errorOf, events, failure, followed, interrupted, main, root, temporary } from './command';

jest.setTimeout(300_000);

let data: string;
beforeAll(async () => {
  data = await scenesFolder();
});

const detector = path.join(root, 'lib', 'embedded', 'scenes.onnx');

/** PaddleSlim's own configuration of MobileNetV1-SSD, but for fewer epochs; what Python code said stands beside it. */
const paddle = paddleYaml.replace('epoch: 200', 'epoch: 2');

/** A folder of its own with a configuration. */
function configuration(more = ''): { folder: string; file: string } {
  const folder = temporary();
  const file = path.join(folder, 'compress.yaml');
  const sections = `
model: {file: ${detector}}
data: {folder: ${data}}
training: {batch_size: 4, held_back: 0.2}
device: {evaluation: cpu}
output: {model: small.onnx, report: report.json, page: page.html, log: log.jsonl, tensorboard: curves}
`;
  writeFileSync(file, paddle + sections + more);
  return { folder, file };
}

test('PaddleSlim’s configuration with our sections: cut, trained, evaluated, written, reported', () => {
  const { folder, file } = configuration();
  const result = command(['run', file, '--json']);
  expect(result.status).toBe(0);
  const report = JSON.parse(result.stdout) as RunReport;
  const warned = events(result).filter(({ event }) => event === 'warning');
  expect(warned.map(({ message }) => message)).toEqual(report.warnings);
  // Of the 40 pictures; nothing is odd about the file.
  expect(report.warnings[0]).toMatch(/^only 8 pictures are held back: /);
  expect(report.warnings.slice(1).filter((warning) => !warning.startsWith('training made nothing better'))).toEqual([]);
  expect(JSON.parse(readFileSync(path.join(folder, 'report.json'), 'utf8'))).toEqual(report);
  expect(report).toMatchObject({
    schema: 'ssd-prune.run/1',
    configuration: file,
    epochs: 2,
    resumed: null,
    kept: 'best',
  });
  expect(Math.abs(report.macs.cut - 0.2)).toBeLessThan(0.011);
  expect(report.metrics.map(({ stage, epoch }) => [stage, epoch])).toEqual([
    ['start', 0],
    ['cut', 0],
    ['epoch', 1],
    ['epoch', 2],
  ]);
  // The page shows the run, and the logs hold it.
  const page = readFileSync(path.join(folder, 'page.html'), 'utf8');
  expect(page).toContain('uniform_pruning_strategy');
  expect(page.match(/data:image\/jpeg/g)!.length).toBeGreaterThanOrEqual(8);
  const lines = readFileSync(path.join(folder, 'log.jsonl'), 'utf8').trim().split('\n');
  const logged = lines.map((line) => JSON.parse(line).event as string);
  expect(logged.filter((event) => event === 'metric')).toHaveLength(4);
  expect(logged.filter((event) => event === 'checkpoint')).toHaveLength(3);
  expect(readdirSync(path.join(folder, 'curves')).join()).toContain('tfevents');
  // What is written is what was evaluated, and shows the shapes that were printed.
  const output = path.join(folder, 'small.onnx');
  const evaluated = command(['eval', output, '--data', data, '--device', 'cpu', '--json', '--quiet']);
  expect(JSON.parse(evaluated.stdout).map).toBe(report.map);
  const listed = JSON.parse(command(['params', output, '--json']).stdout) as {
    parameters: { name: string; shape: number[] }[];
  };
  expect(report.shapes.map(({ name, after }) => [name, after])).toEqual(
    listed.parameters.map(({ name, shape }) => [name, shape]),
  );
  // Once more: nothing is replaced unasked, and a finished run is found finished.
  const unasked = command(['run', file, '--json']);
  expect(failure(unasked)).toMatchObject({ status: 2, code: 'ERR_OUTPUT_EXISTS' });
  expect(errorOf(unasked).message).toMatch(
    /checkpoints holds checkpoints of a run: go on with --resume, or start over/,
  );
  const before = readFileSync(output);
  const again = command(['run', file, '--resume', '--json', '--quiet']);
  expect(again.status).toBe(0);
  expect(JSON.parse(again.stdout).resumed).toContain('checkpoints');
  expect(readFileSync(output).equals(before)).toBe(true);
});

test('for people: every parameter with its shapes, mAP by epoch, totals', () => {
  const { file } = configuration();
  const { status, stdout, stderr } = command(['run', file, '--set', 'compressor.epoch=1']);
  expect(status).toBe(0);
  expect(stdout).toMatch(/conv2d_2\.w_0 .*\(32, 16, 1, 1\) │ +\(24, 16, 1, 1\)/);
  expect(stdout).toMatch(/cut by uniform_pruning_strategy at step 0 .*\n.*epoch 1 /s);
  expect(stdout).toMatch(
    /small\.onnx holds the weights .* \(best on the pictures held back: 0\.\d{4}\); mAP 0\.\d{4} on val; \d+ s/,
  );
  expect(stderr).toMatch(/^1 epoch$/m);
  expect(stderr).toMatch(/uniform_pruning_strategy: \d+\.\d\d % of the MACs and \d+\.\d\d % of the parameters are cut/);
});

test('help says what --check prints: the configuration with --json alone', () => {
  const help = command(['run', '--help']).stdout.replaceAll(/\s+/g, ' ');
  expect(help).toContain('Only check it: opens the model, tries the cuts; with --json prints it with all defaults');
  const { file } = configuration();
  expect(command(['run', file, '--check']).stdout).toBe(`${file} is in order.\n`);
});

test('--check opens no data, and says what is wrong with its line', () => {
  const { folder, file } = configuration();
  const checked = command(['run', file, '--check', '--json']);
  expect(checked.status).toBe(0);
  expect(JSON.parse(checked.stdout)).toMatchObject({
    schema: 'ssd-prune.config/1',
    compressor: { epochs: 2, strategies: [{ class: 'UniformPruneStrategy', options: { targetRatio: 0.2 } }] },
  });
  expect(existsSync(path.join(folder, 'checkpoints'))).toBe(false);
  writeFileSync(file, readFileSync(file, 'utf8').replace('target_ratio', 'traget_ratio'));
  const wrong = command(['run', file, '--check', '--json']);
  expect(failure(wrong)).toEqual({ status: 2, code: 'ERR_BAD_CONFIG', stdout: '' });
  expect(errorOf(wrong).message).toMatch(/compress\.yaml:15:9: .*traget_ratio.*target_ratio/);
});

test.each([['--check'], []])(
  'bfloat16 where the instruction set has none is refused before any work: run %s',
  (...more) => {
    const { folder, file } = configuration();
    const env = { ...process.env, SSD_PRUNE_ISA: 'portable' };
    const ended = command(['run', file, '--set', 'training.precision=bf16', '--json', ...more], { env });
    expect(failure(ended)).toEqual({ status: 4, code: 'ERR_NO_BF16', stdout: '' });
    expect(existsSync(path.join(folder, 'checkpoints'))).toBe(false);
  },
);

test('--check only checks: what it never comes to is refused beside it', () => {
  const { file } = configuration();
  const run = command(['run', file, '--check', '--resume', '--ui', '--json']);
  expect(failure(run)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
  expect(errorOf(run).message).toContain('leave it or --ui, --resume off');
});

test('--check finds a cut that those before it leave too little for', () => {
  const { file } = configuration();
  const second = `
    second: {class: UniformPruneStrategy, start_epoch: 1, target_ratio: 0.78, pruned_params: 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0'}
compressor:`;
  const both = paddle.replace('\ncompressor:', second).replace(/- uniform_pruning_strategy$/m, '$&\n        - second');
  writeFileSync(file, readFileSync(file, 'utf8').replace(paddle, both));
  const alone = command(['run', file, '--check', '--set', 'compressor.strategies=[second]', '--json']);
  expect(alone.status).toBe(0);
  const together = command(['run', file, '--check', '--json']);
  expect(failure(together)).toEqual({ status: 3, code: 'ERR_TARGET_UNREACHABLE', stdout: '' });
  expect(errorOf(together).message).toMatch(/^second: .* epoch 1 \(.*compress\.yaml:17:5\) can't be made: 78\.00 % of/);
});

test('--ui shows the run on a page on this machine while it goes', async () => {
  const { file } = configuration();
  let page = '';
  const ended = await watched(['run', file, '--ui', '--json'], async (url) => {
    const deadline = Date.now() + 60_000;
    while (!/conv2d_2\.w_0[\s\S]*Made by/.test(page) && Date.now() < deadline) {
      const text = await fetch(url).then(
        (response) => response.text(),
        () => '',
      );
      if (text !== '') page = text;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  expect(ended.status).toBe(0);
  expect(page).toMatch(/epoch \d.* of 2[\s\S]*conv2d_2\.w_0[\s\S]*while the run goes on/);
  expect(page).toMatch(/<th[^>]*>Strategy \w+<[\s\S]*UniformPruneStrategy, [\s\S]*optimizer\.rule/);
  expect(failure(command(['run', file, '--port', '80', '--json']))).toMatchObject({ status: 2, code: 'ERR_USAGE' });
});

test('its page has curves without a log, all of them behind a stop, and whole pictures alone', async () => {
  const { folder, file } = configuration();
  const scenes = path.join(folder, 'scenes');
  cpSync(data, scenes, { recursive: true });
  // 12 in all; those of the page are 1, 4, 7 and 10.
  for (const name of ['val_000001', 'val_000002', 'val_000010']) {
    writeFileSync(path.join(scenes, 'JPEGImages', `${name}.jpg`), '');
  }
  const own = readFileSync(file, 'utf8').replace(/^data: .*$/m, `data: {folder: ${scenes}, skip_bad: true}`);
  writeFileSync(
    file,
    own.replace(/^output: .*$/m, 'output: {model: small.onnx, report: checkpoints/report.json, page: page.html}'),
  );
  const ended = await interrupted(['run', file, '--json'], /"event":"step"|"label":"steps","done":[5-9]/);
  expect(failure(ended).code).toBe('ERR_ABORTED');
  const resumed = command(['run', file, '--resume', '--json']);
  expect(resumed.status).toBe(0);
  const page = readFileSync(path.join(folder, 'page.html'), 'utf8');
  expect(page).toMatch(/<h2[^>]*>Training<[\s\S]*aria-label="Loss\. /);
  const history = readFileSync(path.join(folder, 'checkpoints', 'history.jsonl'), 'utf8')
    .trim()
    .split('\n');
  const steps = history.map((line) => JSON.parse(line)).filter(({ event }) => event === 'step');
  expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
  expect([...page.matchAll(/<figcaption>(val_\d+)<\/figcaption>/g)].map(([, name]) => name)).toEqual([
    ...['val_000003', 'val_000004', 'val_000007', 'val_000011'],
  ]);
});

test('somebody else’s file is not taken for what the page is drawn from', () => {
  const { folder, file } = configuration();
  const own = readFileSync(file, 'utf8').replace(/ log: log\.jsonl,/, '');
  writeFileSync(file, own);
  const place = path.join(folder, 'checkpoints', 'history.jsonl');
  mkdirSync(path.dirname(place));
  writeFileSync(place, 'mine\n');
  const once = ['--set', 'compressor.epoch=1'];
  for (const more of [[], ['--force']]) {
    const run = command(['run', file, '--json', ...once, ...more]);
    expect(failure(run)).toEqual({ status: 2, code: 'ERR_OUTPUT_EXISTS', stdout: '' });
    expect(errorOf(run).message).toContain(`${place} is no run's log`);
  }
  // A run without a page has no business with it.
  expect(command(['run', file, '--quiet', ...once, '--set', 'output.page=null']).status).toBe(0);
  expect(readFileSync(place, 'utf8')).toBe('mine\n');
});

test('links to the folder of checkpoints, and TensorBoard beside the pictures of calibration, are in order', () => {
  const { folder, file } = configuration();
  mkdirSync(path.join(folder, 'real'));
  symlinkSync('real', path.join(folder, 'linked'));
  const set = ['compressor.checkpoint_path=linked/ck', 'output.report=real/ck/report.json'].map((one) =>
    one.replace('=', `=${folder}/`),
  );
  set.push(`calibration.pictures=${data}`, `output.tensorboard=${data}`);
  const args = set.flatMap((one) => ['--set', one]);
  expect(command(['run', file, '--check', '--json', ...args])).toMatchObject({ status: 0 });
  writeFileSync(file, readFileSync(file, 'utf8').replace(/, tensorboard: curves/, ''));
  expect(command(['run', file, '--quiet', '--set', 'compressor.epoch=1', ...args.slice(0, 4)])).toMatchObject({
    status: 0,
  });
  expect(existsSync(path.join(folder, 'real', 'ck', 'report.json'))).toBe(true);
});

test('a network in a checkpoint of the same run is refused by --check, too', () => {
  const { folder, file } = configuration();
  const place = path.join(folder, 'checkpoints', '000001-epoch-1-step-8');
  mkdirSync(place, { recursive: true });
  copyFileSync(detector, path.join(place, 'network.onnx'));
  const run = command(['run', file, '--check', '--json', '--set', `compressor.init_model=${place}/network.onnx`]);
  expect(failure(run)).toEqual({ status: 2, code: 'ERR_BAD_CONFIG', stdout: '' });
  expect(errorOf(run).message).toContain('compressor.init_model lies in a checkpoint of compressor.checkpoint_path');
});

test('what ends a run behind its last epoch says how to go on', async () => {
  const { folder, file } = configuration();
  const output = path.join(folder, 'small.onnx');
  // In the place of the model when it is to be written.
  const block = (child: string): void => {
    if (!existsSync(output) && child.includes('"stage":"epoch","epoch":2'))
      mkdirSync(path.join(output, 'x'), { recursive: true });
  };
  const ended = await followed(['run', file, '--json'], block);
  expect(failure(ended)).toEqual({ status: 1, code: 'ERR_IO', stdout: '' });
  expect(errorOf(ended).message).toMatch(
    /small\.onnx.*The state after step 16 is in .*checkpoints: go on with --resume\.$/,
  );
});

test('a page that nobody could find is refused', () => {
  const { file } = configuration();
  const run = command(['run', file, '--ui', '--quiet', '--json']);
  expect(failure(run)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
  expect(errorOf(run).message).toContain('give its --port');
});

test('--check takes losses beside the checkpoints for possible, as the run does', () => {
  const { file } = configuration();
  const text = readFileSync(file, 'utf8').replace('UniformPruneStrategy', 'SensitivePruneStrategy');
  writeFileSync(
    file,
    text.replace(/target_ratio/, 'sensitivities_file: checkpoints/losses.json\n        target_ratio'),
  );
  expect(command(['run', file, '--check', '--json'])).toMatchObject({ status: 0 });
});

/** Runs a command, and does something with the address of its page once it is said. */
async function watched(args: string[], look: (url: string) => Promise<void>): Promise<Ended> {
  let looking: Promise<void> | undefined;
  const ended = await followed(args, (stderr) => {
    const url = /"event":"page","url":"([^"]+)"/.exec(stderr)?.[1];
    if (url !== undefined) looking ??= look(url);
  });
  await looking;
  return ended;
}

test('interrupted, it leaves a checkpoint and says how to go on', async () => {
  const { file } = configuration();
  const longer = ['--set', 'compressor.epoch=6', '--json'];
  const ended = await interrupted(['run', file, ...longer], /"label":"steps","done":\d/);
  expect(failure(ended)).toEqual({ status: 130, code: 'ERR_ABORTED', stdout: '' });
  expect(errorOf(ended).message).toMatch(/The state after step \d+ is in .*checkpoints.*--resume/);
  const resumed = command(['run', file, '--resume', ...longer]);
  expect(resumed.status).toBe(0);
  expect(JSON.parse(resumed.stdout).steps).toBe(48);
});

const limited = process.platform === 'win32' ? test.skip : test;
limited(
  'where a checkpoint can’t be written whole, the run ends, and what was there before goes on to the same bytes',
  () => {
    const { folder, file } = configuration();
    const output = path.join(folder, 'small.onnx');
    expect(command(['run', file, '--quiet']).status).toBe(0);
    const expected = readFileSync(output);
    expect(command(['run', file, '--quiet', '--force', '--set', 'compressor.checkpoint_minutes=1000']).status).toBe(0);
    expect(readFileSync(output).equals(expected)).toBe(true);
    // No file may be larger than this: the network fits, the training's state doesn't, as on a disk that is full.
    const script = 'trap "" XFSZ; ulimit -f "$1"; shift; exec "$@"';
    const small = configuration();
    const args = [process.execPath, main, 'run', small.file, '--json'];
    const full = spawnSync('bash', ['-c', script, 'bash', '2048', ...args], { encoding: 'utf8' });
    expect(failure(full)).toEqual({ status: 1, code: 'ERR_IO', stdout: '' });
    expect(errorOf(full).message).toMatch(/^Can't write .*checkpoints.*training: /);
    expect(readdirSync(path.join(small.folder, 'checkpoints'))).toEqual([]);
    expect(command(['run', small.file, '--resume', '--quiet']).status).toBe(0);
    expect(readFileSync(path.join(small.folder, 'small.onnx')).equals(expected)).toBe(true);
  },
);

test('checkpoints in a place that can’t be written, or that another run writes into, are refused', () => {
  const { folder, file } = configuration();
  writeFileSync(path.join(folder, 'checkpoints'), '');
  const inTheWay = command(['run', file, '--json']);
  expect(failure(inTheWay)).toEqual({ status: 2, code: 'ERR_BAD_CONFIG', stdout: '' });
  expect(errorOf(inTheWay).message).toMatch(/compress\.yaml:\d+:\d+: compressor\.checkpoint_path: .* is no folder/);
  if (process.platform === 'linux') {
    const nowhere = command(['run', file, '--json', '--set', 'compressor.checkpoint_path=/proc/x/y']);
    expect(failure(nowhere)).toEqual({ status: 1, code: 'ERR_IO', stdout: '' });
    expect(errorOf(nowhere).message).toContain("Can't make the folder /proc/x: /proc takes none");
  }
  const other = configuration();
  const place = path.join(other.folder, 'checkpoints');
  mkdirSync(place);
  const holder = { pid: process.ppid, host: require('node:os').hostname(), begun: null };
  writeFileSync(path.join(place, '.lock'), JSON.stringify(holder));
  const locked = command(['run', other.file, '--json']);
  expect(failure(locked)).toMatchObject({ status: 2, code: 'ERR_USAGE' });
  expect(errorOf(locked).message).toContain(String(process.ppid));
  // A process that is no more holds nothing.
  writeFileSync(path.join(place, '.lock'), JSON.stringify({ ...holder, pid: 2 ** 22 + 1 }));
  expect(command(['run', other.file, '--set', 'compressor.epoch=1', '--json']).status).toBe(0);
});

test('neither output nor report takes the place of what the run reads or writes, resumed or not, by whatever link', () => {
  const { folder, file } = configuration();
  const copy = path.join(folder, 'copy.onnx');
  copyFileSync(detector, copy);
  const run = (...args: string[]) =>
    failure(command(['run', file, '--json', '--set', 'compressor.epoch=1', '--set', `model.file=${copy}`, ...args]));
  const refused = { status: 2, code: 'ERR_BAD_CONFIG', stdout: '' };
  const place = (name: string) => path.join(folder, name);
  expect(run('--set', `output.report=${place('checkpoints')}`)).toEqual({ ...refused, code: 'ERR_OUTPUT_EXISTS' });
  expect(existsSync(place('checkpoints'))).toBe(false);
  const set = ['--set', 'compressor.epoch=1', '--set', `model.file=${copy}`];
  expect(command(['run', file, '--quiet', ...set]).status).toBe(0);
  symlinkSync('small.onnx', place('link.json'));
  expect(run('--force', '--set', `output.report=${place('link.json')}`)).toEqual(refused);
  symlinkSync('copy.onnx', place('link.onnx'));
  for (const output of ['link.onnx', 'compress.yaml']) {
    expect(run('--resume', '--set', `output.model=${place(output)}`)).toEqual(refused);
  }
  expect(readFileSync(copy).equals(readFileSync(detector))).toBe(true);
});
