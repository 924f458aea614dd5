import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { MapSensitivityOptions, MapSensitivityReport, PointStore } from '../../lib/index';
import { temporary } from '../cli/command';

const {
  drawDataset,
  embeddedDetector,
  evaluateModel,
  encodeModel,
  lossCurves,
  openDataset,
  openPruner,
  readDetectorSettings,
  readLossCurves,
  readModel,
  renderMapSensitivity,
  resultsFile,
  sensitivityByMap,
  writeScenes,
} = require('../../dist/lib/index') as typeof import('../../lib/index');
const { encodePaddleCurves } =
  require('../../dist/lib/sensitivity/paddle-file') as typeof import('../../lib/sensitivity/paddle-file');

let model: Awaited<ReturnType<typeof readModel>>;
let usual: MapSensitivityOptions;
beforeAll(async () => {
  const folder = temporary();
  await writeScenes(folder, { split: 'val', count: 8, seed: 5 });
  model = await readModel(embeddedDetector);
  const detector = readDetectorSettings(model);
  const dataset = await openDataset(folder, { split: 'val', classes: detector.classes });
  usual = { prunedParams: 'conv2d_[34].w_0', ratios: [0.25, 0.5], detector, dataset, run: { threads: 1 } };
});

const measure = (more: Partial<MapSensitivityOptions> = {}) => sensitivityByMap(model, { ...usual, ...more });
const widths = ({ layers }: MapSensitivityReport) =>
  layers.map(({ name, points }) => [name, ...points.map(({ kept }) => kept)]);
const timeless = ({ seconds, ...rest }: MapSensitivityReport) => {
  expect(seconds).toBeGreaterThan(0);
  return rest;
};
/** How many pictures are evaluated by a call. */
const counted = async (more: Partial<MapSensitivityOptions>) => {
  let pictures = 0;
  const report = await measure({
    ...more,
    onProgress: (done, total) => {
      expect(total).toBeGreaterThanOrEqual(done);
      pictures = done;
    },
  });
  return { report, pictures };
};

test('each point: that layer cut as prune cuts it, all others whole, evaluated as eval does', async () => {
  const report = await measure({ metric: { protocol: 'voc' }, criterion: 'l2_norm' });
  expect(report).toMatchObject({
    ...{ schema: 'ssd-prune.sensitivity-map/1', measure: 'map', model: embeddedDetector, images: 8, split: 'val' },
    ...{ ratios: [0.25, 0.5], align: 8, count: 'macs', complete: true, importedFrom: null, skipped: [] },
    settings: { criterion: 'l2_norm', protocol: 'voc', device: 'cpu', seed: null },
  });
  const evaluate = async (bytes: Uint8Array) => {
    const { result } = await evaluateModel(bytes, usual.detector, usual.dataset, { protocol: 'voc' });
    return result.map!;
  };
  expect(report.base).toBe(await evaluate(readFileSync(embeddedDetector)));
  expect(widths(report)).toEqual([
    ['conv2d_3.w_0', 24, 16],
    ['conv2d_4.w_0', 48, 32],
  ]);
  const pruner = openPruner(model);
  for (const { name, channels, points, share } of report.layers) {
    expect(share).toBeGreaterThan(0);
    for (const { kept, ratio, map, loss, relativeLoss, saved, imported } of points) {
      const plan = pruner.plan({ prunedParams: name, ratios: new Map([[name, ratio]]), criterion: 'l2_norm' });
      expect([name, kept, map]).toEqual([name, kept, await evaluate(encodeModel(pruner.cut(plan).model))]);
      expect([ratio, saved, imported]).toEqual([1 - kept / channels, plan.search.cut, false]);
      expect([loss, relativeLoss]).toEqual([report.base - map, (report.base - map) / report.base]);
    }
  }
  // Something is lost by half of a layer, so that zeros don't pass.
  expect(Math.max(...report.layers.flatMap(({ points }) => points.map(({ loss }) => loss)))).toBeGreaterThan(0.05);
});

describe('broken off and gone on with', () => {
  let unbroken: MapSensitivityReport;
  beforeAll(async () => {
    unbroken = await measure();
  });

  test.each([
    ['behind the first point', (event: string) => event === 'point 1'],
    ['behind the last but one', (event: string) => event === 'point 3'],
    ['within the whole model', (event: string) => event === 'picture 3'],
    ['within a point', (event: string) => event === 'picture 20'],
  ])('%s: the file ends as that of an unbroken run, and no point is evaluated twice', async (_, stop) => {
    const results = path.join(temporary(), 'points.json');
    const controller = new AbortController();
    const events: string[] = [];
    const hear = (event: string): void => {
      events.push(event);
      if (stop(event)) controller.abort(new Error('enough'));
    };
    const broken = measure({
      results,
      signal: controller.signal,
      onPoint: (__, done) => hear(`point ${done}`),
      onProgress: (pictures) => hear(`picture ${pictures}`),
    });
    await expect(broken).rejects.toMatchObject({ code: 'ERR_ABORTED', message: expect.stringMatching(/enough/) });
    const there = events.filter((event) => event.startsWith('point')).length;
    const whole = events.length > 8 + there ? 1 : 0;
    const { report, pictures } = await counted({ results });
    expect(pictures).toBe(8 * (5 - whole - there));
    expect(timeless(report)).toEqual(timeless(unbroken));
    expect(JSON.parse(readFileSync(results, 'utf8'))).toEqual(report);
    expect((await counted({ results })).pictures).toBe(0);
  });

  test('a store of the caller’s is saved behind each point, before the next one begins', async () => {
    const saved: MapSensitivityReport[] = [];
    const store: PointStore = {
      name: 'memory',
      load: async () => saved.at(-1),
      save: async (report) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        saved.push(structuredClone(report));
      },
    };
    const told: [string, number, number, number][] = [];
    await measure({
      results: store,
      onPoint: ({ layer, kept }, done, total) => told.push([layer, kept, done, total]),
    });
    expect(told).toEqual([
      ['conv2d_3.w_0', 24, 1, 4],
      ['conv2d_3.w_0', 16, 2, 4],
      ['conv2d_4.w_0', 48, 3, 4],
      ['conv2d_4.w_0', 32, 4, 4],
    ]);
    const counts = saved.map(({ layers }) => layers.reduce((sum, { points }) => sum + points.length, 0));
    expect(counts).toEqual([0, 1, 2, 3, 4]);
    expect(saved.map(({ complete }) => complete)).toEqual([false, false, false, false, true]);
    expect(timeless(saved.at(-1)!)).toEqual(timeless(unbroken));
    // In-process, step by step: other layers and ratios add to what is there.
    const { report, pictures } = await counted({ results: store, prunedParams: 'conv2d_2.w_0', ratios: [0.5] });
    expect(pictures).toBe(8);
    expect(widths(report)).toEqual([['conv2d_2.w_0', 16], ...widths(unbroken)]);
    expect(report.layers.slice(1)).toEqual(unbroken.layers);
  });

  test('points of other settings are refused with what differs; force begins anew', async () => {
    const results = path.join(temporary(), 'points.json');
    await measure({ results, ratios: [0.5], prunedParams: 'conv2d_3.w_0' });
    const before = readFileSync(results, 'utf8');
    const cases: [Partial<MapSensitivityOptions>, RegExp][] = [
      [{ criterion: 'l2_norm' }, /criterion l1_norm, now l2_norm/],
      [
        { metric: { protocol: 'voc', overlapThreshold: 0.4 } },
        /protocol detection_map, now voc; overlapThreshold 0\.5, now 0\.4/,
      ],
      [{ run: { threads: 1, nms: { topK: 10 } } }, /topK 400, now 10/],
      [{ dataset: drawDataset(usual.dataset, 7) }, /other pictures or annotations/],
      [{ detector: { ...usual.detector, variances: [0.2, 0.1, 0.2, 0.2] } }, /other detector settings/],
    ];
    for (const [more, message] of cases) {
      await expect(measure({ results, ...more })).rejects.toMatchObject({
        code: 'ERR_OUTPUT_EXISTS',
        message: expect.stringMatching(message),
      });
    }
    const pruner = openPruner(model);
    const other = pruner.cut(pruner.plan({ prunedParams: 'conv2d_1.w_0', ratios: new Map([['conv2d_1.w_0', 0.5]]) }));
    await expect(sensitivityByMap(other.model, { ...usual, results })).rejects.toThrow(/another model/);
    expect(readFileSync(results, 'utf8')).toBe(before);
    const anew = { results, force: true, criterion: 'l2_norm', prunedParams: 'conv2d_4.w_0' } as const;
    expect(widths(await measure(anew))).toEqual([['conv2d_4.w_0', 48, 32]]);
    // Of the same settings: force loses nothing.
    expect((await counted(anew)).pictures).toBe(0);
  });

  test.each(['{}', 'not JSON', '{"schema":"ssd-prune.sensitivity/1"}'])(
    'a file that holds %s is left alone',
    async (text) => {
      const results = path.join(temporary(), 'points.json');
      writeFileSync(results, text);
      await expect(measure({ results })).rejects.toMatchObject({ code: 'ERR_OUTPUT_EXISTS' });
      expect(readFileSync(results, 'utf8')).toBe(text);
      await expect(resultsFile(path.join(temporary(), 'none.json')).load()).resolves.toBeUndefined();
    },
  );
});

test('a picture that can’t be read, and one of another size: told once, not for every point', async () => {
  const [first, second, ...others] = usual.dataset.samples;
  const text = path.join(temporary(), 'text.jpg');
  writeFileSync(text, 'no picture');
  const samples = [{ ...first!, image: text }, { ...second!, width: second!.width + 1 }, ...others];
  const bad: number[] = [];
  const notes: string[] = [];
  await measure({
    prunedParams: 'conv2d_3.w_0',
    dataset: { ...usual.dataset, samples },
    run: { threads: 1, onBadPicture: (_, index) => bad.push(index) },
    onNote: (note) => notes.push(note),
  });
  expect(bad).toEqual([0]);
  expect(notes).toEqual([expect.stringMatching(/^1 pictures are not of the size/)]);
});

test('ratios that lead to one width: evaluated once; those that lead to the whole layer: not at all', async () => {
  const { report, pictures } = await counted({ prunedParams: 'conv2d_3.w_0', ratios: [0.3, 0.05, 0.2, 0.25] });
  expect(widths(report)).toEqual([['conv2d_3.w_0', 24]]);
  expect(pictures).toBe(16);
  expect(report.complete).toBe(true);
});

describe('points that are known already', () => {
  const file = (bytes: Uint8Array): string => {
    const name = path.join(temporary(), 'sensitivities.data');
    writeFileSync(name, bytes);
    return name;
  };
  // Of 32 channels Paddle keeps 26 at 0.2 and 16 at 0.5.
  const layers = [
    {
      name: 'conv2d_3.w_0',
      channels: 32,
      points: [
        { ratio: 0.2, loss: 0.125 },
        { ratio: 0.5, loss: 0.25 },
      ],
    },
  ];

  test.each(['1.x', '2.x'] as const)('a file of PaddleSlim %s stands in for the evaluations', async (form) => {
    const imported = await readLossCurves(file(encodePaddleCurves(layers, form)));
    const { report, pictures } = await counted({ imported, ratios: [0.2, 0.5], prunedParams: 'conv2d_[34].w_0' });
    expect(pictures).toBe(8 * (1 + 2));
    expect(report.importedFrom).toBe(imported.source);
    const [own, other] = report.layers;
    expect(own!.points.map(({ kept, imported: given }) => [kept, given])).toEqual([
      [26, true],
      [16, true],
    ]);
    const unit = form === '2.x' ? report.base : 1;
    own!.points.forEach(({ map, loss }, i) => {
      expect(loss).toBeCloseTo(layers[0]!.points[i]!.loss * unit, 12);
      expect(map).toBeCloseTo(report.base - layers[0]!.points[i]!.loss * unit, 12);
    });
    expect(other!.points.map(({ kept, imported: given }) => [kept, given])).toEqual([
      [48, false],
      [32, false],
    ]);
    // At another ratio there is nothing to stand in.
    expect((await counted({ imported, ratios: [0.25], prunedParams: 'conv2d_3.w_0' })).pictures).toBe(16);
  });

  test('a report stands in where its settings are the same', async () => {
    const first = await measure({ prunedParams: 'conv2d_3.w_0' });
    const { report, pictures } = await counted({ imported: lossCurves(first, 'first.json') });
    expect(pictures).toBe(8 * (1 + 2));
    expect(report.layers[0]).toEqual(first.layers[0]);
    const other = measure({ imported: lossCurves(first, 'first.json'), criterion: 'l2_norm' });
    await expect(other).rejects.toMatchObject({
      code: 'ERR_BAD_DATA',
      message: expect.stringMatching(/^first\.json holds points of other settings: criterion l1_norm, now l2_norm\.$/),
    });
  });

  test('a layer of another size is refused by name', async () => {
    const wrong = [{ ...layers[0]!, channels: 33 }];
    const imported = await readLossCurves(file(encodePaddleCurves(wrong, '1.x')));
    await expect(measure({ imported })).rejects.toMatchObject({
      code: 'ERR_BAD_DATA',
      message: expect.stringMatching(/conv2d_3\.w_0 has 33 channels, but it has 32/),
    });
  });

  test('what is neither is refused', async () => {
    await expect(readLossCurves('nowhere.data')).rejects.toMatchObject({ code: 'ERR_IO' });
    await expect(readLossCurves(file(Buffer.from('{"schema":"ssd-prune.eval/1"}')))).rejects.toMatchObject({
      code: 'ERR_BAD_DATA',
    });
    await expect(readLossCurves(embeddedDetector)).rejects.toMatchObject({ code: 'ERR_BAD_DATA' });
  });
});

test.each<[string, Partial<MapSensitivityOptions>, string, RegExp]>([
  ['a model that finds nothing', { run: { nms: { scoreThreshold: 1 } } }, 'ERR_BAD_DATA', /mAP is 0/],
  ['a criterion that goes by pictures', { criterion: 'obs' as never }, 'ERR_USAGE', /criterion/],
  ['a ratio of everything', { ratios: [0.5, 1] }, 'ERR_USAGE', /ratios/],
  ['no ratio', { ratios: [] }, 'ERR_USAGE', /ratios/],
  ['nothing selected', { prunedParams: 'nothing' }, 'ERR_NO_MATCH', /nothing/],
  ['a metric that is none', { metric: { overlapThreshold: 2 } }, 'ERR_USAGE', /overlapThreshold/],
])('refused: %s', async (_, more, code, message) => {
  await expect(measure(more)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

test('pictures without any object that counts: no mAP', async () => {
  const samples = usual.dataset.samples.map((sample) => ({ ...sample, difficult: sample.difficult.map(() => 1) }));
  await expect(measure({ dataset: { ...usual.dataset, samples } })).rejects.toMatchObject({
    code: 'ERR_BAD_DATA',
    message: expect.stringMatching(/no object on the 8 pictures counts/),
  });
});

test('drawn pictures: by the seed, in the split’s order, a larger draw holds the smaller one', () => {
  const ids = (count: number, seed: number) => drawDataset(usual.dataset, count, seed).samples.map(({ id }) => id);
  const all = usual.dataset.samples.map(({ id }) => id);
  expect(ids(100, 0)).toEqual(all);
  expect(ids(4, 0)).toEqual(all.filter((id) => ids(4, 0).includes(id)));
  expect(ids(6, 0)).toEqual(expect.arrayContaining(ids(4, 0)));
  expect(new Set([0, 1, 2, 3].map((seed) => ids(4, seed).join())).size).toBeGreaterThan(1);
  expect(() => ids(0, 0)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
});

test('people see each layer at the width nearest to what was asked for; – where that is the whole layer', () => {
  const point = (kept: number, relativeLoss: number) => ({ kept, relativeLoss, imported: kept === 8 });
  const text = renderMapSensitivity({
    ...{
      base: 0.5,
      ratios: [0.1, 0.5, 0.75],
      images: 30,
      split: 'val',
      count: 'macs',
      seconds: 2,
      importedFrom: 'a.data',
    },
    skipped: [{ name: 'head', reason: 'the graph’s output' }],
    layers: [
      { name: 'a', channels: 16, share: 0.25, points: [point(8, 0.125)] },
      { name: 'b', channels: 32, share: 0.5, points: [point(24, -0.01), point(16, 0.0625)] },
    ],
  } as unknown as MapSensitivityReport);
  expect(text).toMatch(/│ layer │ channels │ share of MACs │ −10 %: loss │ +−50 %: loss │ +−75 %: loss │/);
  expect(text).toMatch(/│ a +│ +16 │ +25\.00 % │ +– │ +8: 12\.50 % │ +8: 12\.50 % │/);
  expect(text).toMatch(/│ b +│ +32 │ +50\.00 % │ +– │ +16: 6\.25 % │ +16: 6\.25 % │/);
  expect(text).toContain('head: the graph’s output');
  expect(text).toMatch(/3 points, 1 of them from a\.data, on 30 pictures of val each, in 2\.00 s$/);
});
