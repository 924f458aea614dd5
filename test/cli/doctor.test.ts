import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { command, copyPackage, failure, main, root, temporary } from './command';

type Check = {
  name: string;
  ok: boolean;
  essential: boolean;
  found: string;
  repair: string | null;
  details: Record<string, unknown>;
};
const check = (stdout: string, name: string): Check =>
  JSON.parse(stdout).checks.find((one: Check) => one.name === name);

test('finds what is here', () => {
  const { status, stdout } = command(['doctor', '--json']);
  expect(status).toBe(0);
  const { version } = require(path.join(root, 'package.json'));
  expect(JSON.parse(stdout)).toMatchObject({ schema: 'ssd-prune.doctor/1', version, folder: root, ok: true });
  const addon = check(stdout, 'addon');
  expect(addon.details).toMatchObject({
    file: path.join(root, 'build', 'Release', 'ssd_prune.node'),
    threads: availableParallelism(),
  });
  const { instructionSets, hasBfloat16 } = require(addon.details.file as string);
  expect(addon.details).toMatchObject({ instructionSets: instructionSets(), bfloat16: hasBfloat16() });
  expect(check(stdout, 'runtime')).toMatchObject({ ok: true, found: require('onnxruntime-node/package.json').version });
  expect(check(stdout, 'pictures').details.sharp).toBe(require('sharp').versions.sharp);
  expect(check(stdout, 'node')).toMatchObject({ ok: true, found: process.versions.node });
  const cuda = check(stdout, 'cuda');
  expect(cuda.essential).toBe(false);
  expect(cuda.ok || cuda.repair !== null).toBe(true);
  const text = command(['doctor']).stdout;
  expect(text).toContain('✓ ONNX Runtime');
  expect(text).toContain(addon.details.file as string);
});

test('without the addon: exit 4, and the report says what was tried', () => {
  const copy = copyPackage();
  const result = command(['doctor', '--json'], { env: copy.env }, copy.main);
  expect(failure(result)).toMatchObject({ status: 4, code: 'ERR_ADDON_MISSING' });
  const addon = check(result.stdout, 'addon');
  expect(addon).toMatchObject({ ok: false, essential: true, repair: expect.stringContaining('ssd-prune build') });
  const { version } = require(path.join(root, 'package.json'));
  expect(addon.details.tried).toEqual([
    `${path.join(copy.folder, 'build', 'Release', 'ssd_prune.node')}: not there`,
    `${path.join(copy.cache, 'ssd-prune', `${version}-${process.platform}-${process.arch}`, 'ssd_prune.node')}: not there`,
  ]);
  expect(check(result.stdout, 'runtime').ok).toBe(true);
});

test('without ONNX Runtime: exit 4, and how to get it', () => {
  const env = { ...process.env, SSD_PRUNE_RUNTIME: path.join(temporary(), 'none') };
  const result = command(['doctor', '--json'], { env });
  expect(failure(result)).toMatchObject({ status: 4, code: 'ERR_NO_RUNTIME' });
  expect(check(result.stdout, 'runtime')).toMatchObject({
    ok: false,
    found: expect.stringContaining('Cannot find module'),
    repair: expect.stringContaining('npm install onnxruntime-node'),
  });
  expect(check(result.stdout, 'cuda')).toMatchObject({ ok: false, found: expect.stringContaining('not tried') });
});

test('libraries that fail or kill their process are reported, not obeyed', () => {
  const folder = temporary();
  const broken = path.join(folder, 'broken.node');
  writeFileSync(broken, 'no library');
  const deadly = path.join(folder, 'deadly.js');
  writeFileSync(deadly, 'process.kill(process.pid, "SIGILL"); for (;;);');
  const env = { ...process.env, SSD_PRUNE_ADDON: broken, SSD_PRUNE_RUNTIME: deadly };
  const { status, stdout } = command(['doctor', '--json'], { env });
  expect(status).toBe(4);
  // The next candidate works, as it does for every command.
  expect(check(stdout, 'addon')).toMatchObject({ ok: true, details: { file: expect.stringContaining('Release') } });
  expect(check(stdout, 'runtime')).toMatchObject({ ok: false, found: expect.stringContaining('SIGILL') });
});

test('names the tools that build lacks', () => {
  const { status, stdout } = command(['doctor', '--json'], { env: { ...process.env, PATH: temporary() } }, main);
  expect(status).toBe(0);
  const compiler = check(stdout, 'compiler');
  expect(compiler).toMatchObject({ ok: false, essential: false });
  expect(compiler.repair).toMatch(/CMake[\s\S]*make[\s\S]*C\+\+20 compiler/);
});
