import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporary, vocFolder } from '../data/folders';
import { errorOf, events, run } from './command';
import { detectorModel } from './detector-model';

const { readDetectorSettings } = require('../../dist/lib/model/detector') as typeof import('../../lib/model/detector');

let model: string;
let data: string;

beforeAll(async () => {
  model = detectorModel();
  const box: [number, number, number, number] = [10, 10, 60, 60];
  data = await vocFolder({
    a: { width: 120, height: 90, objects: [{ name: 'dog', box }] },
    b: { width: 90, height: 120, objects: [{ name: 'cat', box, difficult: 1 }] },
    c: { width: 64, height: 64, objects: [] },
  });
});

const evaluate = (...args: string[]) =>
  run(['eval', model, '--device', 'cpu', '--json', ...(args.includes('--data') ? [] : ['--data', data]), ...args]);

describe('eval', () => {
  test('one JSON document with the keys of ssd-prune.eval/1, progress on stderr', async () => {
    const ended = await evaluate('--bootstrap', '20', '--batch-size', '2');
    expect(ended.status).toBe(0);
    const report = JSON.parse(ended.stdout);
    expect(Object.keys(report)).toEqual([
      ...['schema', 'model', 'detections', 'images', 'protocol', 'apVersion', 'overlapThreshold', 'evaluateDifficult'],
      ...['map', 'meanOver20', 'classes', 'bootstrap', 'device', 'imagesPerSecond'],
    ]);
    expect(report).toMatchObject({
      ...{ schema: 'ssd-prune.eval/1', model, images: 3, protocol: 'detection_map', apVersion: '11point' },
      ...{ overlapThreshold: 0.5, device: 'cpu', meanOver20: { map: null, classes: 0 } },
    });
    expect(report.classes).toHaveLength(20);
    expect(Object.keys(report.classes[0])).toEqual(['name', 'ap', 'positives', 'detections']);
    const positives = report.classes.filter((entry: { positives: number }) => entry.positives > 0);
    expect(positives.map((entry: { name: string }) => entry.name)).toEqual(['dog']);
    expect(report.bootstrap).toMatchObject({ resamples: 20, seed: 0, meanOver20: null });
    expect(report.imagesPerSecond).toBeGreaterThan(0);
    const bars = events(ended).filter(({ event }) => event === 'progress');
    expect(bars.at(-1)).toEqual({ event: 'progress', label: 'pictures', done: 3, total: 3 });
  });

  test('saved detections score the same, whatever the protocol', async () => {
    const file = path.join(temporary(), 'found.json');
    for (const protocol of ['detection_map', 'voc', 'coco']) {
      const overlap = protocol === 'coco' ? [] : ['--overlap-threshold', '0.2'];
      const metric = ['--protocol', protocol, ...overlap, '--bootstrap', '0', '--evaluate-difficult'];
      const direct = await evaluate('--detections', file, ...metric);
      const saved = await run(['score', file, '--data', data, '--json', ...metric]);
      expect([direct.status, saved.status]).toEqual([0, 0]);
      const [one, two] = [direct, saved].map(({ stdout }) => JSON.parse(stdout));
      expect(two).toEqual({ ...one, model: null, device: null, imagesPerSecond: null });
      expect(one.classes.some((entry: { detections: number }) => entry.detections > 0)).toBe(true);
    }
    const entries = JSON.parse(readFileSync(file, 'utf8'));
    expect(Object.keys(entries[0])).toEqual(['image_id', 'category_id', 'bbox', 'score']);
  });

  test('people get a table, --quiet keeps it', async () => {
    const { status, stdout, stderr } = await run([
      'eval',
      model,
      '--data',
      data,
      '--device',
      'cpu',
      '-q',
      '--limit',
      '1',
    ]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/mAP \d\.\d{4} {2}\(95 %: /);
    expect(stdout).toMatch(/1 pictures, [\d.]+ a second on cpu/);
  });

  test('a picture that cannot be read ends it, or counts as empty with --skip-bad', async () => {
    const broken = await vocFolder({
      good: { width: 40, height: 40, objects: [] },
      bad: { width: 40, height: 40, objects: [{ name: 'dog', box: [1, 1, 40, 40] }] },
      cut: { width: 40, height: 40, objects: [] },
    });
    const cut = path.join(broken, 'JPEGImages', 'cut.jpg');
    writeFileSync(cut, readFileSync(cut).subarray(0, -40));
    writeFileSync(path.join(broken, 'JPEGImages', 'bad.jpg'), 'not a picture');
    const args = ['eval', model, '--data', broken, '--device', 'cpu', '--json'];
    const refused = await run(args);
    expect([refused.status, refused.stdout]).toEqual([1, '']);
    expect(errorOf(refused)).toMatchObject({ code: 'ERR_BAD_DATA', message: expect.stringContaining('bad.jpg') });
    const skipped = await run([...args, '--skip-bad']);
    expect(skipped.status).toBe(0);
    const warnings = events(skipped).filter(({ event }) => event === 'warning');
    expect(warnings.map(({ message }) => String(message).match(/(\w+)\.jpg/)![1]).sort()).toEqual(['bad', 'cut']);
    const report = JSON.parse(skipped.stdout);
    expect(report.images).toBe(3);
    expect(report.classes.find((entry: { name: string }) => entry.name === 'dog')).toMatchObject({
      positives: 1,
      ap: 0,
    });
    expect(
      events(skipped)
        .filter(({ event }) => event === 'progress')
        .at(-1),
    ).toMatchObject({ done: 3, total: 3 });
  });

  test.each([
    ['a folder that is not there', 1, 'ERR_BAD_DATA', /nowhere is not a folder/, ['--data', 'nowhere']],
    ['a split that is not there', 1, 'ERR_BAD_DATA', /No split "test".*there are: val/, ['--split', 'test']],
    ['a split outside the folder', 2, 'ERR_USAGE', /split/, ['--split', '../val']],
    ['settings that are not there', 1, 'ERR_IO', /nothing\.json/, ['--detector', 'nothing.json']],
    ['a score above 1', 2, 'ERR_USAGE', /score-threshold/, ['--score-threshold', '2']],
    ['a batch of none', 2, 'ERR_USAGE', /--batch-size/, ['--batch-size', '0']],
    ['threads below none', 2, 'ERR_USAGE', /threads/, ['--threads', '-1']],
    ['no picture at all', 2, 'ERR_USAGE', /limit/, ['--limit', '0']],
    ['an overlap above 1', 2, 'ERR_USAGE', /--overlap-threshold/, ['--overlap-threshold', '2']],
    ['resamples that are no number', 2, 'ERR_USAGE', /--bootstrap/, ['--bootstrap', 'many']],
    ['a folder to save in that is not there', 1, 'ERR_IO', /folder does not exist/, ['--detections', 'no/where.json']],
    ['an unknown option', 2, 'ERR_USAGE', /colour/, ['--colour', 'red']],
  ])('refuses %s: exit %i, %s', async (_, exit, code, message, args) => {
    const ended = await evaluate(...args);
    expect([ended.status, ended.stdout]).toEqual([exit, '']);
    const error = errorOf(ended);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test('refuses settings that belong to another model', async () => {
    const settings = path.join(temporary(), 'detector.json');
    const write = (change: object) => {
      const detector = {
        input: {
          ...{ name: 'image', width: 300, height: 300, channels: 'RGB', mean: [0, 0, 0], std: [1, 1, 1] },
          resize: { kernel: 'bilinear', antialias: false },
        },
        outputs: { scores: 'scores', boxes: 'boxes', scoresAre: 'logits', boxesAre: 'offsets' },
        priors: [[0.5, 0.5, 1, 1]],
        classes: ['background', 'dog'],
        nms: { scoreThreshold: 0.01, iouThreshold: 0.45, topK: 400, keepTopK: 200 },
        ...change,
      };
      writeFileSync(settings, JSON.stringify(detector));
    };
    write({ outputs: { scores: 'nope', boxes: 'boxes', scoresAre: 'logits', boxesAre: 'offsets' } });
    const name = await evaluate('--detector', settings);
    expect([name.status, errorOf(name).code]).toEqual([2, 'ERR_BAD_CONFIG']);
    expect(errorOf(name).message).toContain('"nope"');
    write({ nms: { scoreThreshold: 7 } });
    const schema = await evaluate('--detector', settings);
    expect([schema.status, errorOf(schema).code]).toEqual([2, 'ERR_BAD_CONFIG']);
    expect(errorOf(schema).message).toMatch(/detector\.json: nms\.scoreThreshold/);
  });

  test('index 0 is background, whatever the settings call it', async () => {
    const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
    const settings = JSON.parse((await readModel(model)).metadata('ssd-prune.detector')!);
    const file = path.join(temporary(), 'detector.json');
    writeFileSync(file, JSON.stringify({ ...settings, classes: ['none', ...settings.classes.slice(1)] }));
    const [own, renamed] = await Promise.all([
      evaluate('--bootstrap', '0'),
      evaluate('--bootstrap', '0', '--detector', file),
    ]);
    expect(JSON.parse(renamed.stdout).classes).toEqual(JSON.parse(own.stdout).classes);
  });

  test('never saves detections over its own model', async () => {
    const before = readFileSync(model);
    const ended = await evaluate('--detections', model);
    expect([ended.status, errorOf(ended).code]).toEqual([2, 'ERR_OUTPUT_EXISTS']);
    expect(readFileSync(model).equals(before)).toBe(true);
  });

  test('never saves detections over its settings, its priors, its data or a pipe', async () => {
    const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
    const settings = JSON.parse((await readModel(model)).metadata('ssd-prune.detector')!);
    const folder = temporary();
    const at = (name: string) => path.join(folder, name);
    const { priors } = readDetectorSettings(await readModel(model));
    const list = Array.from({ length: priors.length / 4 }, (_, i) => [...priors.subarray(4 * i, 4 * i + 4)]);
    writeFileSync(at('priors.json'), JSON.stringify(list));
    writeFileSync(at('detector.json'), JSON.stringify({ ...settings, priors: { file: 'priors.json' } }));
    symlinkSync(path.join(data, 'JPEGImages', 'a.jpg'), at('link.json'));
    expect(spawnSync('mkfifo', [at('pipe')]).status).toBe(0);
    const split = path.join(data, 'ImageSets', 'Main', 'val.txt');
    for (const [file, status, code] of [
      [at('priors.json'), 2, 'ERR_OUTPUT_EXISTS'],
      [at('detector.json'), 2, 'ERR_OUTPUT_EXISTS'],
      [at('link.json'), 2, 'ERR_OUTPUT_EXISTS'],
      [split, 2, 'ERR_OUTPUT_EXISTS'],
      [path.join(data, 'Annotations', 'b.xml'), 2, 'ERR_OUTPUT_EXISTS'],
      [at('pipe'), 1, 'ERR_IO'],
      [folder, 1, 'ERR_IO'],
    ] as const) {
      const before = statSync(file);
      const ended = await evaluate('--detector', at('detector.json'), '--detections', file);
      expect([file, ended.status, errorOf(ended).code]).toEqual([file, status, code]);
      expect([statSync(file).ino, statSync(file).mtimeMs]).toEqual([before.ino, before.mtimeMs]);
    }
    writeFileSync(at('detector.json'), JSON.stringify({ ...settings, priors: { file: 'none.json' } }));
    const missing = await evaluate('--detector', at('detector.json'));
    expect([missing.status, errorOf(missing).code]).toEqual([1, 'ERR_IO']);
    expect(errorOf(missing).message).toBe(
      `Can't read priors ${at('none.json')}, which ${at('detector.json')} names: there is no such file`,
    );
  });

  test('names the class that the model does not know, with file and line', async () => {
    const strange = await vocFolder({ x: { width: 20, height: 20, objects: [{ name: 'yeti', box: [1, 1, 9, 9] }] } });
    const ended = await run(['eval', model, '--data', strange, '--device', 'cpu', '--json']);
    expect([ended.status, errorOf(ended).code]).toEqual([1, 'ERR_BAD_DATA']);
    expect(errorOf(ended).message).toMatch(/x\.xml:5: unknown class "yeti"; the classes are: aeroplane, /);
  });
});

describe('devices, with a runtime that has no CUDA', () => {
  /** Stands in for onnxruntime-node: notes what it is asked for, and fails on CUDA as the real one does. */
  const fakeRuntime = () => {
    const folder = temporary();
    const log = path.join(folder, 'asked.log');
    writeFileSync(
      path.join(folder, 'index.js'),
      `const real = require(${JSON.stringify(require.resolve('onnxruntime-node'))});
      const { appendFileSync } = require('node:fs');
      exports.env = real.env;
      exports.Tensor = real.Tensor;
      exports.InferenceSession = {
        async create(model, options) {
          const providers = options.executionProviders.join();
          appendFileSync(${JSON.stringify(log)}, providers + '\\n');
          if (providers.includes('cuda')) {
            process.stderr.write('[E:onnxruntime] Failed to load library libonnxruntime_providers_cuda.so with error: ' +
              'libcublasLt.so.13: cannot open shared object file: No such file or directory\\n');
            throw new Error('Failed to load shared library');
          }
          return real.InferenceSession.create(model, options);
        },
      };`,
    );
    const asked = () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []);
    return { env: { SSD_PRUNE_RUNTIME: path.join(folder, 'index.js') }, asked };
  };
  const evaluateOn = (device: string, env: NodeJS.ProcessEnv) =>
    run(['eval', model, '--data', data, '--device', device, '--limit', '1', '--json'], env);

  test('cuda names the missing library and the repair, exit 4', async () => {
    const { env, asked } = fakeRuntime();
    const ended = await evaluateOn('cuda', env);
    expect([ended.status, ended.stdout]).toEqual([4, '']);
    const error = errorOf(ended);
    expect(error.code).toBe('ERR_NO_CUDA');
    expect(error.message).toMatch(/libcublasLt\.so\.13 is missing.*Install the CUDA runtime.*LD_LIBRARY_PATH/);
    expect(asked()).toEqual(['cuda']);
  });

  /** A machine with a GPU, as its driver's tool says, or without. */
  const withGpu = (env: NodeJS.ProcessEnv, there: boolean): NodeJS.ProcessEnv => {
    const bin = temporary();
    const tool = there ? "echo 'Some GPU, 1.0'" : 'exit 9';
    writeFileSync(path.join(bin, 'nvidia-smi'), `#!/bin/sh\n${tool}\n`, { mode: 0o755 });
    return { ...env, PATH: `${bin}${path.delimiter}${process.env.PATH}` };
  };

  test('auto falls back to the CPU in silence where there is no GPU', async () => {
    const { env, asked } = fakeRuntime();
    const ended = await evaluateOn('auto', withGpu(env, false));
    expect([ended.status, JSON.parse(ended.stdout).device]).toEqual([0, 'cpu']);
    expect(events(ended).filter(({ event }) => event === 'note')).toEqual([]);
    expect(asked()).toEqual(['cuda', 'cpu']);
  });

  test('auto falls back to the CPU of a machine with a GPU with a note', async () => {
    const { env, asked } = fakeRuntime();
    const ended = await evaluateOn('auto', withGpu(env, true));
    expect(ended.status).toBe(0);
    expect(JSON.parse(ended.stdout).device).toBe('cpu');
    const notes = events(ended).filter(({ event }) => event === 'note');
    expect(notes).toHaveLength(1);
    expect(notes[0]!.message).toMatch(/CPU.*libcublasLt\.so\.13/);
    expect(asked()).toEqual(['cuda', 'cpu']);
  });

  test('cpu tries nothing', async () => {
    const { env, asked } = fakeRuntime();
    const ended = await evaluateOn('cpu', env);
    expect(ended.status).toBe(0);
    expect(events(ended).filter(({ event }) => event === 'note')).toEqual([]);
    expect(asked()).toEqual(['cpu']);
  });

  test('a provider that crashes takes only the trial with it', async () => {
    const file = path.join(temporary(), 'index.js');
    writeFileSync(file, `process.kill(process.pid, 'SIGSEGV'); while (true);`);
    const ended = await evaluateOn('cuda', { SSD_PRUNE_RUNTIME: file });
    expect([ended.status, errorOf(ended).code]).toEqual([4, 'ERR_NO_CUDA']);
    expect(errorOf(ended).message).toContain('SIGSEGV');
  });

  test.each(['cpu', 'auto', 'cuda'])('no runtime at all: %s says how to install it, exit 4', async (device) => {
    const ended = await evaluateOn(device, { SSD_PRUNE_RUNTIME: 'no-such-runtime' });
    expect([ended.status, errorOf(ended).code]).toEqual([4, 'ERR_NO_RUNTIME']);
    expect(errorOf(ended).message).toContain('npm install onnxruntime-node');
  });
});
