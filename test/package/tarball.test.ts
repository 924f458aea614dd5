import { cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { Place, root } from './packed';

/**
 * What a user gets from the registry: the packed tarball, installed into empty folders with npm. Needs npm's registry
 * (or its cache), which is why `npm test` leaves it out: `npm run test:package`.
 */
jest.setTimeout(600_000);

const place = new Place();
const installed = (consumer: string, ...parts: string[]) => place.at(consumer, 'node_modules', 'ssd-prune', ...parts);
const install = (consumer: string, ...flags: string[]) =>
  place.must(consumer, 'npm', ['install', tarball, '--prefer-offline', '--no-audit', '--no-fund', ...flags]);
/** The command as npm links it. */
const cli = (consumer: string, ...args: string[]) =>
  place.run(consumer, path.join('node_modules', '.bin', 'ssd-prune'), args);

interface Packed {
  filename: string;
  size: number;
  unpackedSize: number;
  files: { path: string }[];
}
let packed: Packed;
let tarball = '';

const pattern = 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0';
const prune = ['prune', 'm.onnx', '-o', 'small.onnx', '--pruned-params', pattern, '--target-ratio', '0.2', '--json'];
const evaluate = ['eval', 'm.onnx', '--data', 'voc', '--split', 'val', '--json'];

/** One grey picture with one person, as Pascal VOC. */
async function writeVoc(folder: string): Promise<void> {
  for (const name of ['Annotations', 'JPEGImages', path.join('ImageSets', 'Main')]) {
    mkdirSync(path.join(folder, name), { recursive: true });
  }
  writeFileSync(path.join(folder, 'ImageSets', 'Main', 'val.txt'), 'grey\n');
  writeFileSync(
    path.join(folder, 'Annotations', 'grey.xml'),
    `<annotation><filename>grey.jpg</filename><size><width>64</width><height>48</height><depth>3</depth></size>
     <object><name>person</name><difficult>0</difficult>
     <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>32</xmax><ymax>32</ymax></bndbox></object></annotation>`,
  );
  const grey = { width: 64, height: 48, channels: 3 as const, background: '#808080' };
  await sharp({ create: grey })
    .jpeg()
    .toFile(path.join(folder, 'JPEGImages', 'grey.jpg'));
}

/** A copy to pack: packing builds `dist` anew, which other tests read meanwhile. It has a stale build, as any may. */
function copyRepository(): string {
  const copy = place.at('repository');
  const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const files = place.must('.', 'git', ['-C', root, ...listed]).split('\0');
  for (const file of files)
    if (file && existsSync(path.join(root, file))) cpSync(path.join(root, file), path.join(copy, file));
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  mkdirSync(path.join(copy, 'dist', 'lib'), { recursive: true });
  writeFileSync(path.join(copy, 'dist', 'lib', 'stale.js'), '');
  return copy;
}

beforeAll(async () => {
  const report = place.must('.', 'npm', ['pack', copyRepository(), '--json', '--pack-destination', place.folder]);
  // prepack's own output comes first.
  [packed] = JSON.parse(report.slice(report.indexOf('[\n'))) as [Packed];
  tarball = place.at(packed.filename);
  install('user', '--ignore-scripts');
  await writeVoc(place.at('user', 'voc'));
  place.must('user', path.join('node_modules', '.bin', 'ssd-prune'), ['init', 'm.onnx', '--width', '0.25']);
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1000)} kB`;
  process.stderr.write(
    `tarball: ${kilobytes(packed.size)}, ${kilobytes(packed.unpackedSize)} unpacked, ${packed.files.length} files\n`,
  );
});

afterAll(() => rmSync(place.folder, { recursive: true, force: true }));

test('the tarball holds the library, the native sources and what compiles them, and nothing else', () => {
  const files = packed.files.map((file) => file.path);
  const model = 'lib/embedded/scenes.onnx';
  const configuration = ['lib/config/REFERENCE.md', 'lib/config/run.schema.json'];
  const single = ['CHANGELOG.md', 'LICENSE', 'README.md', 'binding.gyp', 'package.json', 'dist/index.mjs', model];
  const examples = ['compress.mjs', 'compress.py', 'compress.yaml', 'prune.mjs', 'prune.py'].map(
    (name) => `scripts/examples/${name}`,
  );
  const scripts = ['scripts/build.js', 'scripts/sources.js', 'scripts/toolchain.js', ...examples];
  expect(files).toEqual(expect.arrayContaining([...single, ...configuration, ...scripts, 'native/CMakeLists.txt']));
  const named = [...single, ...configuration, ...scripts, 'dist/index.d.mts'];
  const rest = files.filter((file) => !named.includes(file));
  const isNative = (file: string) => /^native\/(?!test\/)([a-z]+\/[\w-]+\.(cc|h)|\w+\.(txt|json|md))$/.test(file);
  // No stale build either: every compiled file has its source.
  const isLibrary = (file: string) =>
    /^dist\/lib\/.*(\.js|\.d\.ts)$/.test(file) &&
    existsSync(path.join(root, file.replace(/^dist\//, '').replace(/(\.js|\.d\.ts)$/, '.ts')));
  expect(rest.filter((file) => !isNative(file) && !isLibrary(file))).toEqual([]);
  expect(packed.unpackedSize).toBeLessThan(5e6);
});

describe('installed with --ignore-scripts', () => {
  test.each<[string, string[]]>([
    ['prune', prune],
    ['eval', evaluate],
    ['score', ['score', 'none.json', '--data', 'voc', '--split', 'val', '--json']],
  ])('%s names the command that compiles the addon', (_, args) => {
    writeFileSync(place.at('user', 'none.json'), '[]');
    const { status, stdout, stderr } = cli('user', ...args);
    const { error } = JSON.parse(stderr.trim().split('\n').pop()!);
    expect([status, stdout, error.code]).toEqual([4, '', 'ERR_ADDON_MISSING']);
    expect(error.message).toContain('ssd-prune build');
  });

  test('what needs no addon works', () => {
    expect(cli('user', '--version').stdout).toMatch(/^\d+\.\d+\.\d+/);
    expect(cli('user', '--help').status).toBe(0);
    expect(JSON.parse(cli('user', 'params', 'm.onnx', '--json').stdout).parameters).toHaveLength(199);
  });

  test('require, import and types', () => {
    writeFileSync(
      place.at('user', 'check.cjs'),
      "const { SsdPruneError } = require('ssd-prune'); console.log(new SsdPruneError('ERR_IO', 'x').exitCode);",
    );
    expect(place.must('user', 'node', ['check.cjs'])).toBe('1\n');
    writeFileSync(
      place.at('user', 'check.mjs'),
      `import * as named from 'ssd-prune'; import { createRequire } from 'node:module';
       const required = createRequire(import.meta.url)('ssd-prune');
       const names = Object.keys(required).sort();
       const imported = Object.keys(named).filter((name) => name !== 'default').sort();
       console.log(names.length > 0 && names.join() === imported.join());
       console.log(names.every((name) => typeof named[name] === typeof required[name]));
       console.log(named.SsdPruneError === required.SsdPruneError);`,
    );
    expect(place.must('user', 'node', ['check.mjs'])).toBe('true\ntrue\ntrue\n');
    const use = `import { type ErrorCode, SsdPruneError } from 'ssd-prune';
      export const code: ErrorCode = new SsdPruneError('ERR_IO', 'x').code;
      // @ts-expect-error: an unknown code
      export const wrong = new SsdPruneError('ERR_NONSENSE', 'x');\n`;
    for (const name of ['use.mts', 'use.cts', 'use.ts']) writeFileSync(place.at('user', name), use);
    const tsc = path.join(root, 'node_modules', '.bin', 'tsc');
    const types = ['--typeRoots', path.join(root, 'node_modules', '@types'), '--types', 'node'];
    const strict = ['--noEmit', '--strict', '--target', 'es2022', ...types, '--ignoreConfig'];
    place.must('user', tsc, [...strict, '--module', 'node16', 'use.mts', 'use.cts']);
    place.must('user', tsc, [...strict, '--module', 'esnext', '--moduleResolution', 'bundler', 'use.ts']);
  });
});

test('as an install script, the build warns a user without compiler and fails in a source tree', () => {
  const bin = place.at('bin');
  mkdirSync(bin);
  symlinkSync(process.execPath, path.join(bin, 'node'));
  const flags = ['--if-needed', '--install', '--build-dir', place.at('nowhere')];
  const user = place.run('user', 'node', [installed('user', 'scripts', 'build.js'), ...flags], { PATH: bin });
  expect([user.status, user.stdout]).toEqual([0, '']);
  const developer = place.run('user', 'node', [path.join(root, 'scripts', 'build.js'), ...flags], { PATH: bin });
  expect([developer.status, developer.stdout]).toEqual([4, '']);
  for (const { stderr } of [user, developer]) {
    expect(stderr).toMatch(/CMake 3\.\d+ or later\n.*install/);
    expect(stderr).toMatch(/make \(or ninja\)\n.*install/);
    expect(stderr).toMatch(/C\+\+20 compiler.*\n.*install/);
  }
  expect(user.stderr).toContain('`npx ssd-prune build`');
});

// In this order: the addon is compiled, then used.
describe('after ssd-prune build', () => {
  test('which prints only its result to stdout', () => {
    const { status, stdout, stderr } = cli('user', 'build', '--json');
    expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
    expect(existsSync(JSON.parse(stdout).addon)).toBe(true);
  });

  test('prune proves its cut, and eval runs', () => {
    const { status, stdout, stderr } = cli('user', ...prune);
    expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
    const report = JSON.parse(stdout);
    expect(report.macs.cut).toBeGreaterThanOrEqual(0.2);
    expect(report.verified.vacuous).toBe(false);
    const evaluated = cli('user', ...evaluate);
    expect([evaluated.status, evaluated.status === 0 ? '' : evaluated.stderr]).toEqual([0, '']);
    expect(JSON.parse(evaluated.stdout).images).toBe(1);
  });

  test('without onnxruntime-node, prune works unproven and eval says how to repair', () => {
    const runtime = place.at('user', 'node_modules', 'onnxruntime-node');
    renameSync(runtime, place.at('onnxruntime-node'));
    try {
      const unproven = cli('user', ...prune, '--force', '--no-verify');
      expect([unproven.status, unproven.status === 0 ? '' : unproven.stderr]).toEqual([0, '']);
      expect(JSON.parse(unproven.stdout).verified).toBeNull();
      const { status, stdout, stderr } = cli('user', ...evaluate);
      const { error } = JSON.parse(stderr.trim().split('\n').pop()!);
      expect([status, stdout, error.code]).toEqual([4, '', 'ERR_NO_RUNTIME']);
      expect(error.message).toContain('npm install onnxruntime-node');
    } finally {
      renameSync(place.at('onnxruntime-node'), runtime);
    }
  });
});

test('npm compiles by itself where it runs install scripts, and nothing optional is needed for that', () => {
  // The flag is for npm 12, which runs no install script unasked.
  install('plain', '--omit=optional', '--dangerously-allow-all-scripts');
  expect(existsSync(installed('plain', 'build', 'Release', 'ssd_prune.node'))).toBe(true);
  expect(existsSync(place.at('plain', 'node_modules', 'onnxruntime-node'))).toBe(false);
  place.must('plain', path.join('node_modules', '.bin', 'ssd-prune'), ['init', 'm.onnx', '--width', '0.25']);
  const { status, stdout, stderr } = cli('plain', ...prune, '--no-verify');
  expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout).verified).toBeNull();
});
