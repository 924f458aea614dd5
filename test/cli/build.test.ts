import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { command, copyPackage, events, failure, messageOf, root } from './command';

/**
 * What a whole compilation does is the tarball's test. Here scripts/build.js is one that notes its arguments and copies
 * the addon that is compiled already, so that the folders and messages of `build` are tested in no time.
 */
const stub = `
const { copyFileSync, mkdirSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const args = process.argv.slice(2);
const option = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
console.log('args ' + args.join(' '));
console.error('compiling');
const release = path.join(option('--build-dir') ?? path.join(__dirname, '..', 'build'), 'Release');
for (const folder of [release, option('--out')].filter(Boolean)) {
  mkdirSync(folder, { recursive: true });
  copyFileSync(process.env.TEST_ADDON, path.join(folder, 'ssd_prune.node'));
}
`;
const compiled = path.join(root, 'build', 'Release', 'ssd_prune.node');

function stubbed(script = stub) {
  const copy = copyPackage();
  writeFileSync(path.join(copy.folder, 'scripts', 'build.js'), script);
  const run = (args: string[], options: SpawnSyncOptions = {}) =>
    command(args, { env: { ...copy.env, TEST_ADDON: compiled }, ...options }, copy.main);
  return { ...copy, run };
}

/**
 * Takes the right to write from the package. Root has it all the same, so for root the command runs as nobody, who may
 * write to the cache only; where nobody can't reach the modules either, it is told that it has no right.
 */
function makeReadOnly({ folder, cache, env }: ReturnType<typeof copyPackage>): SpawnSyncOptions {
  mkdirSync(cache, { recursive: true });
  for (let above = cache; above.includes('ssd-prune-cli-'); above = path.dirname(above)) chmodSync(above, 0o755);
  chmodSync(cache, 0o777);
  chmodSync(folder, 0o555);
  if (process.getuid?.() !== 0) return {};
  const nobody = { uid: 65534, gid: 65534 };
  const reach = ['-e', 'require(process.argv[1])', path.join(root, 'node_modules', 'yargs', 'package.json')];
  if (spawnSync(process.execPath, reach, nobody).status === 0) return nobody;
  const preload = path.join(cache, 'preload.js');
  writeFileSync(
    preload,
    `const fs = require('node:fs'); const { accessSync } = fs;
    fs.accessSync = (file, mode) => {
      if (file.startsWith(${JSON.stringify(folder)})) throw new Error('EROFS');
      return accessSync(file, mode);
    };`,
  );
  return { env: { ...env, TEST_ADDON: compiled, NODE_OPTIONS: `-r ${preload}` } };
}

test('builds into the package where that can be written, and commands then work', () => {
  const { folder, run } = stubbed();
  const params = ['params', path.join(root, 'test', 'graphs', 'residual-resnet-legacy-17.onnx'), '--json'];
  expect(run(['doctor', '--json']).status).toBe(4);
  const result = run(['build', '--json']);
  expect(result.status).toBe(0);
  expect(JSON.parse(result.stdout)).toMatchObject({
    schema: 'ssd-prune.build/1',
    addon: path.join(folder, 'build', 'Release', 'ssd_prune.node'),
    cached: false,
    instructionSets: require(compiled).instructionSets(),
  });
  expect(
    events(result)
      .map(({ message }) => message)
      .sort(),
  ).toEqual(['args ', 'compiling']);
  expect(run(params).status).toBe(0);
  expect(run(['doctor', '--json']).status).toBe(0);
});

test('builds in the cache where the package is read-only, and writes nothing into the package', () => {
  const copy = stubbed();
  const options = makeReadOnly(copy);
  const before = readdirSync(copy.folder, { recursive: true }).sort();
  const result = copy.run(['build', '--json'], options);
  expect([result.status, failure(result).code]).toEqual([0, undefined]);
  const { version } = require(path.join(root, 'package.json'));
  const folder = path.join(copy.cache, 'ssd-prune', `${version}-${process.platform}-${process.arch}`);
  expect(JSON.parse(result.stdout)).toMatchObject({ addon: path.join(folder, 'ssd_prune.node'), cached: true });
  const asked = events(result).map(({ message }) => message);
  expect(asked).toContain(`args --build-dir ${path.join(folder, 'build')} --out ${folder}`);
  // The compiled file stays, what it was made of doesn't.
  expect(readdirSync(folder)).toEqual(['ssd_prune.node']);
  expect(readdirSync(copy.folder, { recursive: true }).sort()).toEqual(before);
  const { checks } = JSON.parse(copy.run(['doctor', '--json'], options).stdout);
  expect(checks.find(({ name }: { name: string }) => name === 'addon').details.file).toBe(
    path.join(folder, 'ssd_prune.node'),
  );
});

test('says which folder it cannot write', () => {
  const copy = stubbed();
  const options = makeReadOnly(copy);
  // A file where the cache folder should be.
  const taken = path.join(copy.cache, 'taken');
  writeFileSync(taken, '');
  const env = { ...copy.env, ...options.env, XDG_CACHE_HOME: taken };
  const result = copy.run(['build', '--json'], { ...options, env });
  expect(failure(result)).toEqual({ status: 1, code: 'ERR_IO', stdout: '' });
  expect(messageOf(result)).toContain(taken);
});

test('exit 4 and the names of missing tools', () => {
  const copy = copyPackage();
  const result = command(['build', '--json'], { env: { ...copy.env, PATH: copy.cache } }, copy.main);
  expect(failure(result)).toEqual({ status: 4, code: 'ERR_ADDON_MISSING', stdout: '' });
  expect(messageOf(result)).toMatch(/CMake[\s\S]*make[\s\S]*C\+\+20 compiler/);
  expect(existsSync(path.join(copy.folder, 'build', 'Release', 'ssd_prune.node'))).toBe(false);
});

test('shows the end of what the compiler said where it fails', () => {
  const { run } = stubbed(`for (let i = 0; i < 50; i++) console.error('line ' + i); process.exit(1);`);
  const result = run(['build', '--json', '--quiet']);
  expect(failure(result)).toEqual({ status: 1, code: 'ERR_INTERNAL', stdout: '' });
  expect(messageOf(result)).toMatch(/^Compiling the addon failed:\nline 30\n[\s\S]*line 49$/);
  expect(events(result)).toHaveLength(1);
});

test('a file that compiles but does not load is no success', () => {
  const { run } = stubbed(
    stub
      .replace('copyFileSync(process.env.TEST_ADDON,', 'writeFileSync(')
      .replace("'ssd_prune.node'));", "'ssd_prune.node'), 'junk');"),
  );
  expect(failure(run(['build', '--json']))).toEqual({ status: 4, code: 'ERR_ADDON_MISSING', stdout: '' });
});
