import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(__dirname, '..');
const model = path.join(__dirname, 'graphs', 'residual-resnet-legacy-17.onnx');

/** A project that depends on this package, as npm would lay it out. */
const project = mkdtempSync(path.join(tmpdir(), 'ssd-prune-user-'));
mkdirSync(path.join(project, 'node_modules'));
symlinkSync(root, path.join(project, 'node_modules', 'ssd-prune'));

/** What a script of that project prints as JSON. */
function evaluate(file: string, source: string) {
  writeFileSync(path.join(project, file), source);
  const { stdout, stderr, status } = spawnSync(process.execPath, [file], { cwd: project, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

const loaded = `Object.keys(require.cache).map((file) => /node_modules.(@[^/\\\\]+.)?([^/\\\\]+)/.exec(file)?.[0]).filter(Boolean)`;

/** Names that scripts of users may count on; whoever takes one away breaks them. */
const names = [
  'Compressor',
  'DetectorSession',
  'ExitCode',
  'JsonLog',
  'OnnxModel',
  'PageServer',
  'Pruner',
  'SsdPruneError',
  'TensorBoardLog',
  'benchModels',
  'buildAddon',
  'buildMobileNetV1Ssd',
  'buildReport',
  'compareReports',
  'decodeModel',
  'describeParameters',
  'detectDataset',
  'detectFiles',
  'detectPictures',
  'drawCurves',
  'drawDataset',
  'drawDetections',
  'drawScene',
  'embeddedDetector',
  'encodeModel',
  'encodePaddleCurves',
  'errorCodes',
  'evalReport',
  'evaluateDetections',
  'evaluateModel',
  'examineMachine',
  'limitDataset',
  'listParameters',
  'lossCurves',
  'measureLatency',
  'openDataset',
  'openPruner',
  'pruneCriteria',
  'pruneFile',
  'pruneModel',
  'readClassNames',
  'readConfig',
  'readDetections',
  'readDetectorSettings',
  'readLossCurves',
  'readModel',
  'registerStrategy',
  'readPageDocument',
  'readRunLog',
  'renderBenchReport',
  'renderCompareReport',
  'renderDemoReport',
  'renderDoctorReport',
  'renderEvalReport',
  'renderMapSensitivity',
  'renderPage',
  'renderPruneReport',
  'renderRunReport',
  'renderSensitivityReport',
  'resultsFile',
  'reportPage',
  'runDemo',
  'sceneClasses',
  'sensitivityByMap',
  'sensitivityByPictures',
  'sensitivityFile',
  'sensitivityMapFile',
  'verifyCut',
  'vocClasses',
  'writeDetections',
  'writeModel',
  'writeScenes',
];

test('require and import give the same names', () => {
  expect(evaluate('names.cjs', `console.log(JSON.stringify(Object.keys(require('ssd-prune'))));`)).toEqual(
    expect.arrayContaining(names),
  );
  const source = `import * as api from 'ssd-prune'; import whole from 'ssd-prune'; import { createRequire } from 'node:module';
    const required = createRequire(import.meta.url)('ssd-prune');
    console.log(JSON.stringify([Object.keys(api).sort(), Object.keys(required).sort(), whole === required, api.SsdPruneError === required.SsdPruneError]));`;
  const [imported, required, same, sameError] = evaluate('names.mjs', source);
  expect(imported).toEqual([...required, 'default'].sort());
  expect([same, sameError]).toEqual([true, true]);
});

test('loads what is used, when it is used', () => {
  const before = evaluate('lazy.cjs', `require('ssd-prune'); console.log(JSON.stringify(${loaded}));`);
  expect(before).toEqual([]);
  const after = evaluate(
    'lazy2.cjs',
    `require('ssd-prune').readModel(${JSON.stringify(model)}).then(() => console.log(JSON.stringify([...new Set(${loaded})])));`,
  );
  expect(after.map((name: string) => name.replace(/^node_modules./, ''))).toEqual(['@bufbuild/protobuf']);
  const heavy = `import 'ssd-prune'; import { createRequire } from 'node:module';
    const require = createRequire(import.meta.url); console.log(JSON.stringify(${loaded}));`;
  expect(evaluate('lazy.mjs', heavy).join()).not.toMatch(/sharp|zod|onnxruntime|fast-xml|yargs|cli-/);
});

test('types hold in both module systems, options and results included', () => {
  const use = `
    const signal: AbortSignal = AbortSignal.timeout(1000);
    export async function pipeline(): Promise<[number, string, number | null]> {
      const stages: string[] = [];
      const report = await pruneFile('a.onnx', 'b.onnx', { prunedParams: 'x', targetRatio: 0.2, signal, onStage: (stage) => stages.push(stage) });
      const bench: BenchReport = await benchModels(['a.onnx', 'b.onnx'], { batchSizes: [1], threads: [1], signal });
      const model: OnnxModel = await readModel('a.onnx');
      const dataset = await openDataset('VOC2007', { split: 'val' });
      const { result } = await evaluateModel('b.onnx', readDetectorSettings(model), dataset, { protocol: 'voc', signal });
      return [report.macs.cut, bench.results[0]!.model, result.map];
    }
    export const code = (error: unknown): ErrorCode | undefined => (error instanceof SsdPruneError ? error.code : undefined);
    // @ts-expect-error: an option that is none
    export const wrong = () => pruneFile('a.onnx', 'b.onnx', { prunedParams: 'x', targetRatoi: 0.2 });
  `;
  const imported = `import { benchModels, evaluateModel, openDataset, OnnxModel, pruneFile, readDetectorSettings, readModel, SsdPruneError, type BenchReport, type ErrorCode } from 'ssd-prune';`;
  writeFileSync(
    path.join(project, 'use.mts'),
    `import whole from 'ssd-prune';\n${imported}\nwhole.pruneCriteria.length;\n${use}`,
  );
  writeFileSync(path.join(project, 'use.cts'), `${imported}\n${use}`);
  const options = {
    module: 'node16',
    moduleResolution: 'node16',
    target: 'es2022',
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [path.join(root, 'node_modules', '@types')],
  };
  writeFileSync(
    path.join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: options, files: ['use.mts', 'use.cts'] }),
  );
  const tsc = path.join(root, 'node_modules', '.bin', 'tsc');
  const { stdout, status } = spawnSync(tsc, ['-p', project], { encoding: 'utf8', shell: process.platform === 'win32' });
  expect([stdout, status]).toEqual(['', 0]);
});

test('pruning can be called off, and writes nothing then', () => {
  const source = `const { pruneFile } = require('ssd-prune'); const fs = require('node:fs');
    (async () => {
      const seen = [];
      const codes = [];
      for (const last of ['read', 'plan', 'verify', 'write', 'none']) {
        const stop = new AbortController();
        const onStage = (stage) => { seen.push(stage); if (stage === last) stop.abort(new Error('enough')); };
        const options = { prunedParams: '.*', skipLocked: true, targetRatio: 0.25, align: 1, signal: stop.signal, onStage };
        codes.push(await pruneFile(${JSON.stringify(model)}, 'out.onnx', options).then(() => 'done', (e) => [e.code, e.cause.message].join()));
        codes.push(fs.existsSync('out.onnx'));
        fs.rmSync('out.onnx', { force: true });
      }
      console.log(JSON.stringify(codes));
    })();`;
  const aborted = ['ERR_ABORTED,enough', false];
  // Once writing has begun it is finished: a rename is the end of it.
  expect(evaluate('abort.cjs', source)).toEqual([...aborted, ...aborted, ...aborted, 'done', true, 'done', true]);
});

test('the entry has no logic of its own', () => {
  const code = readFileSync(path.join(root, 'lib', 'index.ts'), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const lines = code.replaceAll(/\{[^}]*\}/g, (names) => names.replaceAll('\n', ' ')).split('\n');
  for (const line of lines.filter(Boolean)) expect(line).toMatch(/^export (type )?\{.*\} from '\.\/.*';$/);
});

test('arguments of the wrong kind are refused by name', async () => {
  const { evaluateModel, readDetectorSettings } = require('../lib/index') as typeof import('../lib/index');
  expect(() => readDetectorSettings('detector.json' as never)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
  await expect(evaluateModel('a.onnx', {} as never, 'VOC2007' as never)).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('dataset'),
  });
});

/** A list of pictures whose one file is there, which is as far as a wrong option lets anyone look. */
function listOfOne(): string {
  const list = path.join(mkdtempSync(path.join(tmpdir(), 'ssd-prune-list-')), 'list.txt');
  writeFileSync(list, __filename);
  return list;
}

test.each([
  ['a budget that is no object', { latency: 0.8 }, /for latency\.target but received undefined/],
  ['a target that is a number', { latency: { target: 0.8 } }, /\{ share \} .*for latency\.target but received 0\.8 of/],
  ['no target', { latency: { target: null } }, /for latency\.target but received/],
  ['two targets', { latency: { target: { share: 0.8, milliseconds: 5 } } }, /for latency\.target but received/],
  ['a share in words', { latency: { target: { share: '0.8' } } }, /for latency\.target\.share but received "0\.8"/],
  ['no time', { latency: { target: { milliseconds: NaN } } }, /for latency\.target\.milliseconds but received NaN/],
  ['no pattern', { targetRatio: 0.2, prunedParams: undefined }, /for prunedParams but received undefined/],
  [
    'shapes that are no Map',
    { targetRatio: 0.2, calibrate: { pictures: '.' }, inputShapes: { x: [1] } },
    /a Map .* for inputShapes but/,
  ],
  ['ratios that are no Map', { ratios: { a: 0.5 } }, /a Map .* for ratios but/],
  ['no pictures', { targetRatio: 0.2, calibrate: {} }, /for pictures but received undefined/],
  ['a list of pictures', { targetRatio: 0.2, calibrate: { pictures: ['a.jpg'] } }, /for pictures but received a\.jpg/],
  ['settings that are no file', { targetRatio: 0.2, calibrate: { pictures: '.', detector: 5 } }, /for detector but/],
  ['another device', { targetRatio: 0.2, calibrate: { pictures: listOfOne(), device: 'tpu' } }, /for device but/],
])('a cut by pictures or latency with %s is refused by name', async (_, options, message) => {
  const { embeddedDetector, pruneFile } = require('../lib/index') as typeof import('../lib/index');
  const work = pruneFile(embeddedDetector, undefined, {
    prunedParams: '.*',
    skipLocked: true,
    ...options,
  } as never);
  await expect(work).rejects.toMatchObject({ code: 'ERR_USAGE', message: expect.stringMatching(message) });
});

test('curves without pictures are refused by name', async () => {
  const { embeddedDetector, sensitivityFile } = require('../lib/index') as typeof import('../lib/index');
  const work = sensitivityFile(embeddedDetector, { prunedParams: '.*', skipLocked: true } as never);
  await expect(work).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('for calibrate but'),
  });
});

test('functions whose options say what is to be done ask for them', async () => {
  const { finetuneFile, pruneFile } = require('../dist/lib') as Record<
    string,
    (...args: unknown[]) => Promise<unknown>
  >;
  for (const done of [pruneFile!('model.onnx', 'small.onnx'), finetuneFile!('model.onnx', 'small.onnx', null)]) {
    await expect(done).rejects.toMatchObject({ code: 'ERR_USAGE', message: expect.stringContaining('for options') });
  }
});
