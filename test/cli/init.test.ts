import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const main = path.resolve(__dirname, '..', '..', 'dist', 'lib', 'cli', 'main.js');
const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-init-'));
const run = (...args: string[]) =>
  spawnSync(process.execPath, [main, 'init', ...args], { encoding: 'utf8', cwd: folder });
const codeOf = (stderr: string) => JSON.parse(stderr.trim().split('\n').pop()!).error.code;

test('writes the network once, and again with --force', () => {
  const first = run('ssd.onnx', '--json');
  expect([first.status, first.stderr]).toEqual([0, '']);
  expect(JSON.parse(first.stdout)).toEqual({
    schema: 'ssd-prune.init/1',
    output: 'ssd.onnx',
    classes: 21,
    width: 1,
    inputSize: 300,
    seed: 0,
    parameters: 5_821_433,
  });
  const second = run('ssd.onnx', '--json');
  expect([second.status, codeOf(second.stderr), second.stdout]).toEqual([2, 'ERR_OUTPUT_EXISTS', '']);
  expect(run('ssd.onnx', '--force', '--width', '0.25').stdout).toContain('width 0.25');
});

test('takes class names, with or without background', () => {
  for (const lines of ['cat\ndog\n', 'background\r\ncat\r\n\r\ndog']) {
    writeFileSync(path.join(folder, 'names.txt'), lines);
    const { stdout } = run('named.onnx', '--force', '--class-names', 'names.txt', '--width', '0.1', '--json');
    expect(JSON.parse(stdout).classes).toBe(3);
  }
});

test.each<[string, string[], string]>([
  ['a word for a number', ['--width', 'wide'], 'ERR_USAGE'],
  ['an empty number', ['--seed', ''], 'ERR_USAGE'],
  ['an input too small for its maps', ['--input-size', '32'], 'ERR_USAGE'],
  ['no class', ['--classes', '1'], 'ERR_USAGE'],
  ['names that do not fit the number', ['--classes', '5', '--class-names', 'names.txt'], 'ERR_USAGE'],
  ['a missing list of names', ['--class-names', 'none.txt'], 'ERR_IO'],
  ['an option that is none', ['--clases', '3'], 'ERR_USAGE'],
])('refuses %s, and writes nothing', (_, args, code) => {
  writeFileSync(path.join(folder, 'names.txt'), 'cat\ndog\n');
  const { stdout, stderr } = run('bad.onnx', ...args, '--json');
  expect([codeOf(stderr), stdout, existsSync(path.join(folder, 'bad.onnx'))]).toEqual([code, '', false]);
});
