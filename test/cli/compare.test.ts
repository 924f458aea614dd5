import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { command, failure, graph, messageOf, temporary } from './command';

const folder = temporary();
const write = (name: string, content: unknown): string => {
  const text = typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content);
  writeFileSync(path.join(folder, name), text);
  return name;
};
const compare = (a: string, b: string, ...args: string[]) => command(['compare', a, b, ...args], { cwd: folder });

const prune = {
  schema: 'ssd-prune.prune/1',
  model: 'ssd.onnx',
  prunedParams: 'conv_[12]',
  criterion: 'l1_norm',
  targetRatio: 0.2,
  align: 8,
  macs: { before: 1000, after: 800, cut: 0.2 },
  paddleFlops: { before: 2000, after: 1500, cut: 0.25 },
  parameters: { before: 100, after: 50, cut: 0.5 },
  seconds: 0.5,
  layers: [
    {
      name: 'conv_1',
      axis: 0,
      shapeBefore: [4, 3, 1, 1],
      shapeAfter: [3, 3, 1, 1],
      macs: { before: 400, after: 300 },
      kept: [0, 1, 3],
    },
    {
      name: 'conv_2',
      axis: 0,
      shapeBefore: [4, 4, 1, 1],
      shapeAfter: [2, 3, 1, 1],
      macs: { before: 600, after: 500 },
      kept: [2, 3],
    },
  ],
};
const evaluation = {
  schema: 'ssd-prune.eval/1',
  model: 'ssd.onnx',
  images: 10,
  protocol: 'voc',
  apVersion: '11point',
  overlapThreshold: 0.5,
  device: 'cpu',
  map: 0.5,
  meanOver20: { map: 0.25, classes: 1 },
  imagesPerSecond: 40,
  classes: [
    { name: 'cat', ap: 0.75, positives: 4, detections: 100 },
    { name: 'dog', ap: 0.25, positives: 25, detections: 50 },
  ],
};
const result = {
  model: 'ssd.onnx',
  threads: 1,
  batchSize: 1,
  minMilliseconds: 20,
  medianMilliseconds: 25,
  imagesPerSecond: 40,
};
const bench = {
  schema: 'ssd-prune.bench/1',
  machine: { cpu: 'EPYC', cores: 2, node: '20.20.2', gpu: null },
  runtime: '1.30.0',
  device: 'cpu',
  runs: 50,
  results: [result, { ...result, batchSize: 8, minMilliseconds: 100, medianMilliseconds: 200 }],
};

test('two cuts: totals, widths, and which channels both keep', () => {
  const other = {
    ...prune,
    criterion: 'l2_norm',
    macs: { before: 1000, after: 600, cut: 0.4 },
    layers: [
      { ...prune.layers[0], shapeAfter: [2, 3, 1, 1], macs: { before: 400, after: 150 }, kept: [1, 2] },
      { name: 'conv_3', axis: 1, shapeBefore: [2, 8], shapeAfter: [2, 6], kept: [0, 1, 2, 3, 4, 5] },
    ],
  };
  const { status, stdout } = compare(write('a.json', prune), write('b.json', other), '--json');
  expect(status).toBe(0);
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ schema: 'ssd-prune.compare/1', kind: 'ssd-prune.prune/1', a: 'a.json', b: 'b.json' });
  expect(report.settings).toEqual([{ name: 'criterion', a: 'l1_norm', b: 'l2_norm' }]);
  expect(report.totals.MACs).toEqual({ a: 800, b: 600, difference: -200, ratio: 0.75 });
  expect(report.totals['Paddle 1.x FLOPs']).toEqual({ a: 1500, b: 1500, difference: 0, ratio: 1 });
  const alone = (a: number | null, b: number | null) => ({ a, b, difference: null, ratio: null });
  expect(report.rows).toEqual([
    {
      of: { layer: 'conv_1' },
      values: {
        width: { a: 3, b: 2, difference: -1, ratio: 2 / 3 },
        MACs: { a: 300, b: 150, difference: -150, ratio: 0.5 },
        'kept in both': { a: 3, b: 1, difference: -2, ratio: 1 / 3 },
      },
    },
    {
      of: { layer: 'conv_2' },
      values: { width: alone(2, null), MACs: alone(500, null), 'kept in both': alone(2, null) },
    },
    {
      of: { layer: 'conv_3' },
      values: { width: alone(null, 6), MACs: alone(null, null), 'kept in both': alone(null, null) },
    },
  ]);
  const table = compare('a.json', 'b.json').stdout;
  expect(table).toMatch(/│ MACs +│ +800 │ +600 │ +-200 │ 0\.750 │/);
  expect(table).toMatch(/│ conv_2 +│ +2 │ +– │ +– │/);
});

test('two cuts by pictures, and one without: what they were made with', () => {
  const calibration = { pictures: 'VOC', split: 'train', images: 256, seed: 0, repair: 'full', device: 'cpu' };
  const first = write('c1.json', { ...prune, calibration });
  const settings = (b: string) => JSON.parse(compare(first, b, '--json').stdout).settings;
  const second = { ...calibration, seed: 2, repair: 'bias' };
  expect(settings(write('c2.json', { ...prune, calibration: second }))).toEqual([
    { name: 'calibration seed', a: 0, b: 2 },
    { name: 'calibration repair', a: 'full', b: 'bias' },
  ]);
  const without = Object.entries(calibration).map(([name, a]) => ({ name: `calibration ${name}`, a, b: null }));
  expect(settings(write('c3.json', { ...prune, calibration: null }))).toEqual(without);
  expect(settings(write('c4.json', prune))).toEqual(without);
});

test('two evaluations: mAP and classes', () => {
  const after = {
    ...evaluation,
    model: 'small.onnx',
    map: 0.4,
    imagesPerSecond: 50,
    coco: { AP: 0.3 },
    classes: [{ name: 'dog', ap: null, positives: 25, detections: 0 }, evaluation.classes[0]],
  };
  const report = JSON.parse(compare(write('e1.json', evaluation), write('e2.json', after), '--json').stdout);
  expect(report.settings).toEqual([{ name: 'model', a: 'ssd.onnx', b: 'small.onnx' }]);
  expect(report.totals.mAP).toEqual({ a: 0.5, b: 0.4, difference: 0.4 - 0.5, ratio: 0.8 });
  expect(report.totals['images/s']).toEqual({ a: 40, b: 50, difference: 10, ratio: 1.25 });
  expect(report.totals.AP).toEqual({ a: null, b: 0.3, difference: null, ratio: null });
  expect(report.rows).toEqual([
    {
      of: { class: 'cat' },
      values: {
        AP: { a: 0.75, b: 0.75, difference: 0, ratio: 1 },
        detections: { a: 100, b: 100, difference: 0, ratio: 1 },
      },
    },
    {
      of: { class: 'dog' },
      values: {
        AP: { a: 0.25, b: null, difference: null, ratio: null },
        detections: { a: 50, b: 0, difference: -50, ratio: 0 },
      },
    },
  ]);
});

test('two timings: the same models, or one model and another', () => {
  const faster = { ...bench, runtime: '1.31.0', results: [{ ...result, minMilliseconds: 10 }] };
  const report = JSON.parse(compare(write('t1.json', bench), write('t2.json', faster), '--json').stdout);
  expect(report.settings).toEqual([{ name: 'runtime', a: '1.30.0', b: '1.31.0' }]);
  expect(report.rows).toHaveLength(2);
  expect(report.rows[0].of).toEqual({ model: 'ssd.onnx', threads: 1, batch: 1 });
  expect(report.rows[0].values['min ms']).toEqual({ a: 20, b: 10, difference: -10, ratio: 0.5 });
  expect(report.rows[1].values['min ms']).toEqual({ a: 100, b: null, difference: null, ratio: null });

  const renamed = { ...bench, results: [{ ...result, model: 'small.onnx', minMilliseconds: 5 }] };
  const paired = JSON.parse(compare('t1.json', write('t3.json', renamed), '--json').stdout);
  expect(paired.rows[0].of.model).toBe('ssd.onnx → small.onnx');
  expect(paired.rows[0].values['min ms'].ratio).toBe(0.25);
});

test('what bench and prune write can be compared', () => {
  const model = graph('residual-resnet-legacy-17');
  const cut = ['prune', model, '--dry-run', '--pruned-params', '.*', '--skip-locked', '--align', '1', '--json'];
  const half = command([...cut, '--target-ratio', '0.5']);
  write('p1.json', command([...cut, '--target-ratio', '0.25']).stdout);
  write('p2.json', half.stdout);
  const report = JSON.parse(compare('p1.json', 'p2.json', '--json').stdout);
  expect(report.settings).toEqual([{ name: 'targetRatio', a: 0.25, b: 0.5 }]);
  expect(report.totals.MACs.b).toBe(JSON.parse(half.stdout).macs.after);
  write('b1.json', command(['bench', model, '--runs', '1', '--batch-sizes', '1', '--json']).stdout);
  const same = JSON.parse(compare('b1.json', 'b1.json', '--json').stdout);
  expect(same.settings).toEqual([]);
  expect(same.rows[0].values['min ms'].ratio).toBe(1);
});

test('reports of different kinds are refused', () => {
  const refused = compare(write('a.json', prune), write('e.json', evaluation), '--json');
  expect(failure(refused)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
  expect(messageOf(refused)).toMatch(/a\.json is a report of ssd-prune\.prune\/1, e\.json one of ssd-prune\.eval\/1/);
});

test.each<[string, unknown, RegExp]>([
  ['nothing', '', /bad\.json:1: .*the file ends/],
  ['half a report', JSON.stringify(prune, null, 1).slice(0, 300), /bad\.json:\d\d: /],
  ['a comma too many', '{\n"schema": "x",\n}', /bad\.json:3: expected a key/],
  ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00, 0x7b]), /bad\.json:1: /],
  ['a bad escape', '{"schema": "\\u12"}', /bad\.json is not JSON/],
  ['a depth of 100,000', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, /nested deeper/],
  ['no object', 'null', /bad\.json has no schema/],
  ['another schema', { schema: 'ssd-prune.params/1' }, /has the schema "ssd-prune\.params\/1"; .*ssd-prune\.bench\/1/],
  ['a schema that every object has', { schema: 'constructor' }, /has the schema "constructor"/],
  ['a newer schema', { ...prune, schema: 'ssd-prune.prune/2' }, /has the schema "ssd-prune\.prune\/2"/],
  ['words for numbers', { ...prune, macs: { before: 'many', after: 1 } }, /bad\.json: macs\.before: .*number/],
  ['layers that are none', { ...prune, layers: [prune.layers[0], 7] }, /bad\.json: layers\.1: .*object/],
  ['a missing part', { ...bench, results: undefined }, /bad\.json: results: /],
  ['a fraction of a channel', { ...prune, layers: [{ ...prune.layers[0], kept: [0.5] }] }, /layers\.0\.kept\.0/],
])('refuses %s by file and place', (_, content, message) => {
  const refused = compare(write('a.json', prune), write('bad.json', content), '--json');
  expect(failure(refused)).toEqual({ status: 1, code: 'ERR_BAD_DATA', stdout: '' });
  expect(messageOf(refused)).toMatch(message);
});

test('a file that is not there', () => {
  expect(failure(compare('a.json', 'none.json', '--json'))).toEqual({ status: 1, code: 'ERR_IO', stdout: '' });
  expect(failure(compare('a.json', '.', '--json'))).toEqual({ status: 1, code: 'ERR_IO', stdout: '' });
});
