import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Terminal } from '@xterm/headless';
import { scenesFolder } from '../compress/scenes-run';
import { command, main, root, temporary } from './command';

jest.setTimeout(300_000);

let data: string;
beforeAll(async () => {
  data = await scenesFolder();
});

const detector = path.join(root, 'lib', 'embedded', 'scenes.onnx');
const columns = 100;

/** What a person sees of stderr in the end, line by line, that of the bars' last frames too. */
async function seen(args: string[], folder: string): Promise<string[]> {
  const preload = path.join(folder, 'terminal.js');
  writeFileSync(preload, `Object.assign(process.stderr, { isTTY: true, columns: ${columns} });`);
  const { status, stderr } = spawnSync(process.execPath, ['--require', preload, main, ...args], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, expect.any(String)]);
  // A terminal's driver gives each new line its return.
  const terminal = new Terminal({
    cols: columns,
    rows: 24,
    scrollback: 1000,
    convertEol: true,
    allowProposedApi: true,
  });
  await new Promise<void>((resolve) => terminal.write(stderr, resolve));
  const { active } = terminal.buffer;
  const lines: string[] = [];
  let blank = 0;
  for (let i = 0; i < active.length; i++) {
    const line = active.getLine(i)!;
    const text = line.translateToString(true);
    if (line.isWrapped) lines.push(lines.pop()! + text);
    else {
      if (text !== '') expect([lines.at(-1), blank]).toEqual([lines.at(-1), 0]);
      if (text === '') blank++;
      else lines.push(text);
    }
  }
  return lines;
}

const bar = /^(steps|checking pictures) [█░]+ /;

test('what is said while a bar runs stands above it, whole', async () => {
  const folder = temporary();
  const file = path.join(folder, 'run.yaml');
  writeFileSync(
    file,
    `
version: 1.0
model: {file: ${detector}}
data: {folder: ${data}, skip_bad: true}
training: {batch_size: 4, held_back: 0.2, rate: 0.001}
device: {evaluation: cpu}
output: {model: small.onnx, report: report.json}
strategies: {cut: {class: UniformPruneStrategy, target_ratio: 0.2, tolerance: 0.05, pruned_params: 'conv2d_[1-9].w_0'}}
compressor: {epoch: 2, checkpoint_path: checkpoints, strategies: [cut]}
`,
  );
  const lines = await seen(['run', file], folder);
  expect(
    lines.filter((line) => /^epoch \d, loss \d+\.\d+: mAP 0\.\d{4} held back(, best so far)?$/.test(line)),
  ).toEqual([expect.stringMatching(/^epoch 1, /), expect.stringMatching(/^epoch 2, /)]);
  // Longer than a line of the terminal.
  expect(lines).toContainEqual(
    expect.stringMatching(/^warning: only 8 pictures are held back: .* training\.held_back$/),
  );
  expect(lines.filter((line) => /^epoch \d of 2$/.test(line))).toHaveLength(2);
  // What was done of an epoch's steps stays, and one bar for each set of pictures.
  expect(
    lines.flatMap((line) => /^(steps|checking pictures) █.* (\d+\/\d+)/.exec(line)?.slice(1, 3).join(' ') ?? []),
  ).toEqual(['checking pictures 40/40', 'checking pictures 12/12', 'steps 8/16', 'steps 16/16']);
  // Only what is done stays of a bar, and nothing stands behind or over it.
  for (const line of lines.filter((one) => /[█░]/.test(one))) expect(line).toMatch(bar);
  for (const line of lines.filter((one) => /held back|^warning/.test(one))) expect(line).not.toMatch(/[█░]|images\/s/);
});

test('so it is where a bar ends in a warning', async () => {
  const folder = temporary();
  const output = path.join(folder, 'tuned.onnx');
  const options = ['--data', data, '--epochs', '1', '--batch-size', '4', '--held-back', '0.1', '--rate', '1e-9'];
  const lines = await seen(['finetune', detector, '-o', output, ...options, '--recalibrate', '0'], folder);
  expect(lines).toContainEqual(expect.stringMatching(/^warning: only 4 pictures are held back: .* --held-back$/));
  expect(lines.at(-1)).toMatch(/^warning: training made nothing better than what it began with/);
  expect(lines.filter((line) => /^epoch 1, loss/.test(line))).toHaveLength(1);
  for (const line of lines.filter((one) => /[█░]/.test(one))) expect(line).toMatch(bar);
  expect(command(['params', output, '--quiet']).status).toBe(0);
});
