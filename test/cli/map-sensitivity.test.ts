import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { XMLValidator } from 'fast-xml-parser';
import { embeddedDetector } from '../../lib/embedded/detector';
import type { MapSensitivityReport } from '../../lib/sensitivity/map-report';
import { readPaddleCurves } from '../../lib/sensitivity/paddle-file';
import { command, type Ended, errorOf, events, failure, interrupted, messageOf, run, temporary } from './command';

const images = 6;
let data: string;
/** Report of an unbroken run. */
let points: string;
let document: MapSensitivityReport;
let ended: Ended;

/** Options as pairs; those given replace the usual ones. */
const args = (...more: string[]): string[] => {
  const usual = ['--pruned-params', 'conv2d_[34].w_0', '--data', data, '--at', '0.25,0.5', '--device', 'cpu'];
  const kept = usual.filter((_, i) => !more.includes(usual[i - (i % 2)]!));
  return ['sensitivity', embeddedDetector, ...kept, '--threads', '1', ...more, '--json'];
};

beforeAll(async () => {
  data = temporary();
  expect(command(['scenes', data, '--split', 'val', '--seed', '7', '--count', String(images)]).status).toBe(0);
  points = path.join(temporary(), 'points.json');
  ended = await run(args('--report', points));
  expect([ended.status, events(ended).filter(({ error }) => error)]).toEqual([0, []]);
  document = JSON.parse(ended.stdout);
});

const timeless = ({ seconds, ...rest }: MapSensitivityReport) => {
  expect(seconds).toBeGreaterThan(0);
  return rest;
};

test('--json: one document, the same in --report, events for programs', () => {
  expect(JSON.parse(readFileSync(points, 'utf8'))).toEqual(document);
  expect(Object.keys(document)).toEqual([
    ...['schema', 'model', 'prunedParams', 'measure', 'data', 'split', 'images', 'count', 'align', 'minChannels'],
    ...['ratios', 'settings', 'base', 'importedFrom', 'skipped', 'layers', 'complete', 'seconds'],
  ]);
  expect(Object.keys(document.layers[0]!)).toEqual(['name', 'channels', 'share', 'points']);
  expect(Object.keys(document.layers[0]!.points[0]!)).toEqual([
    ...['kept', 'ratio', 'map', 'loss', 'relativeLoss', 'saved', 'imported'],
  ]);
  expect(document).toMatchObject({ schema: 'ssd-prune.sensitivity-map/1', measure: 'map', images, complete: true });
  const told = events(ended).filter(({ event }) => event === 'point');
  expect(told.map(({ done, total }) => [done, total])).toEqual([1, 2, 3, 4].map((done) => [done, 4]));
  expect(told.map(({ layer, kept, map }) => [layer, kept, map])).toEqual(
    document.layers.flatMap(({ name, points: own }) => own.map(({ kept, map }) => [name, kept, map])),
  );
  const bars = events(ended).filter(({ event }) => event === 'progress');
  expect(bars.at(-1)).toMatchObject({ label: 'pictures', done: 5 * images, total: 5 * images });
});

test('a point is what prune --ratios and eval give by themselves', async () => {
  const cut = path.join(temporary(), 'cut.onnx');
  const evaluate = async (model: string): Promise<number> => {
    const { stdout } = await run(['eval', model, '--data', data, '--device', 'cpu', '--json']);
    return JSON.parse(stdout).map;
  };
  expect(document.base).toBe(await evaluate(embeddedDetector));
  for (const { name, points: own } of document.layers) {
    for (const { ratio, map, saved } of own.slice(1)) {
      const wish = ['--pruned-params', name, '--ratios', `${name}=${ratio}`, '--no-verify', '--force', '--json'];
      const pruned = await run(['prune', embeddedDetector, '-o', cut, ...wish]);
      expect([name, await evaluate(cut)]).toEqual([name, map]);
      expect(JSON.parse(pruned.stdout).macs.cut).toBeCloseTo(saved, 12);
    }
  }
  expect(document.layers.some(({ points: own }) => own[1]!.map < document.base)).toBe(true);
});

test('interrupted: exit 130, one error; the same command goes on, to the file of an unbroken run', async () => {
  const report = path.join(temporary(), 'points.json');
  const broken = await interrupted(args('--report', report), /"event":"point"/);
  expect(failure(broken)).toEqual({ status: 130, code: 'ERR_ABORTED', stdout: '' });
  expect(messageOf(broken)).toMatch(/^Interrupted \(SIGINT\)\./);
  const notes = events(broken).flatMap(({ event, message }) => (event === 'note' ? [message] : []));
  expect(notes).toContain(`${report} holds the points so far: the same command goes on from there.`);
  const left: MapSensitivityReport = JSON.parse(readFileSync(report, 'utf8'));
  const count = left.layers.flatMap(({ points: own }) => own).length;
  expect([left.complete, count > 0, count < 4]).toEqual([false, true, true]);
  const rest = await run(args('--report', report));
  expect(rest.status).toBe(0);
  expect(events(rest).filter(({ event }) => event === 'point')).toHaveLength(4 - count);
  expect(timeless(JSON.parse(rest.stdout))).toEqual(timeless(document));
  expect(timeless(JSON.parse(readFileSync(report, 'utf8')))).toEqual(timeless(document));
  expect(readdirSync(path.dirname(report))).toEqual(['points.json']);
});

test('people get a table, a plot and both pickles, without an evaluation where the points are there', () => {
  const out = temporary();
  const report = path.join(out, 'points.json');
  copyFileSync(points, report);
  const [plot, old, fresh] = ['curves.svg', 'old.data', 'new.data'].map((name) => path.join(out, name));
  const plain = args('--report', report, '--plot', plot!, '--pickle', old!).filter((arg) => arg !== '--json');
  const { status, stdout, stderr } = command(plain);
  expect([status, stderr]).toEqual([0, '']);
  const [first] = document.layers;
  const shown = first!.points.map(({ kept, relativeLoss }) => `${kept}: ${(100 * relativeLoss).toFixed(2)} %`);
  expect(stdout).toMatch(/layer +│ channels │ share of MACs │ +−25 %: loss │ +−50 %: loss/);
  for (const text of ['conv2d_3.w_0', ...shown]) expect(stdout).toContain(text);
  expect(stdout).toContain(`the whole model’s mAP, ${document.base.toFixed(4)}`);
  expect(stdout).toMatch(/4 points, on 6 pictures of val each, in \d+\.\d\d s\n$/);
  const svg = readFileSync(plot!, 'utf8');
  expect(XMLValidator.validate(svg)).toBe(true);
  expect([svg.match(/aria-label="line"/g)!.length, svg.match(/<circle/g)!.length]).toEqual([2, 4]);

  const second = command(args('--report', report, '--pickle', fresh!, '--pickle-form', '2.x'));
  expect(second.status).toBe(0);
  for (const [file, relative] of [
    [old!, false],
    [fresh!, true],
  ] as const) {
    const read = readPaddleCurves(readFileSync(file), file);
    expect(read.relative).toBe(relative);
    expect([...read.curves].map(([name, curve]) => [name, curve.points])).toEqual(
      document.layers.map(({ name, points: own }) => [
        name,
        own.map(({ ratio, loss, relativeLoss }) => ({ ratio, loss: relative ? relativeLoss : loss })),
      ]),
    );
  }
  expect(failure(command(args('--report', report, '--plot', plot!)))).toMatchObject({ code: 'ERR_OUTPUT_EXISTS' });
  expect(failure(command(args('--report', report, '--pickle', old!)))).toMatchObject({ code: 'ERR_OUTPUT_EXISTS' });

  // What was written stands in for evaluations, and says widths, whichever of the three it is.
  const prune = (file: string) => {
    const wish = ['--pruned-params', 'conv2d_[34].w_0', '--target-ratio', '0.02', '--tolerance', '0.02', '--dry-run'];
    return command([
      'prune',
      embeddedDetector,
      ...wish,
      '--allocation',
      'sensitivity',
      '--sensitivities',
      file,
      '--json',
    ]);
  };
  const widths = [report, old!, fresh!].map((file) => {
    const { allocation, sensitivities, layers, macs } = JSON.parse(prune(file).stdout);
    expect([allocation, sensitivities, macs.cut >= 0.02, macs.cut <= 0.04]).toEqual(['sensitivity', file, true, true]);
    return layers.map(({ kept }: { kept: number[] }) => kept.length);
  });
  expect(widths[0].some((width: number, i: number) => width < document.layers[i]!.channels)).toBe(true);
  expect(widths).toEqual([widths[0], widths[0], widths[0]]);
  const again = command(args('--sensitivities', old!));
  expect(again.status).toBe(0);
  expect(events(again).filter(({ event }) => event === 'point')).toEqual([]);
  expect(JSON.parse(again.stdout)).toMatchObject({ importedFrom: old, complete: true });
});

test('a draw and the first pictures are different pictures; the report says no to the other', async () => {
  const report = path.join(temporary(), 'points.json');
  const few = ['--pruned-params', 'conv2d_3.w_0', '--at', '0.5', '--report', report];
  const drawn = await run(args(...few, '--images', '3', '--seed', '2'));
  expect(JSON.parse(drawn.stdout)).toMatchObject({ images: 3, complete: true });
  const first = command(args(...few, '--limit', '3'));
  expect(failure(first)).toEqual({ status: 2, code: 'ERR_OUTPUT_EXISTS', stdout: '' });
  expect(messageOf(first)).toMatch(/other pictures or annotations/);
});

describe('what is refused: one error, nothing on stdout', () => {
  const calibrate = (...more: string[]): string[] => [
    ...['sensitivity', embeddedDetector, '--pruned-params', 'conv2d_3.w_0', '--calibrate', data],
    ...[...more, '--json'],
  ];

  test.each<[string, string[]]>([
    ['--calibration-images', ['--calibration-images', '8']],
    ['--calibration-seed', ['--calibration-seed', '0']],
    ['--target-ratio', ['--target-ratio', '0.2']],
    ['--tolerance', ['--tolerance', '0.01']],
  ])('with --data: %s, which only --calibrate reads', (option, more) => {
    const result = command(args(...more));
    expect(failure(result)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
    expect(messageOf(result)).toContain(option);
  });

  test.each<[string, string[]]>([
    ['--delta', ['--delta', '0.2']],
    ['--at', ['--at', '0.5']],
    ['--criterion', ['--criterion', 'l1_norm']],
    ['--limit', ['--limit', '8']],
    ['--images', ['--images', '8']],
    ['--seed', ['--seed', '0']],
    ['--sensitivities', ['--sensitivities', 'a.data']],
    ['--pickle', ['--pickle', 'a.data']],
    ['--pickle-form', ['--pickle-form', '1.x']],
    ['--batch-size', ['--batch-size', '4']],
    ['--threads', ['--threads', '0']],
    ['--protocol', ['--protocol', 'detection_map']],
    ['--ap-version', ['--ap-version', '11point']],
    ['--overlap-threshold', ['--overlap-threshold', '0.5']],
    ['--evaluate-difficult', ['--evaluate-difficult']],
    ['--score-threshold', ['--score-threshold', '0.01']],
    ['--nms-threshold', ['--nms-threshold', '0.45']],
    ['--top-k', ['--top-k', '400']],
    ['--keep-top-k', ['--keep-top-k', '200']],
    ['--skip-bad', ['--skip-bad']],
  ])('with --calibrate: %s, which only --data reads, also where it says the default', (option, more) => {
    const result = command(calibrate(...more));
    expect(failure(result)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
    expect(messageOf(result)).toContain(option);
  });

  test.each<[string, string, number, () => string[], RegExp]>([
    ['both', 'ERR_USAGE', 2, () => ['--calibrate', data], /one at a time/],
    ['a share that is none', 'ERR_USAGE', 2, () => ['--at', '0.5,1'], /--at but received "1"/],
    ['a delta that is none', 'ERR_USAGE', 2, () => ['--at', '0.5', '--delta', '0.5'], /--delta or by --at/],
    ['a seed of nothing', 'ERR_USAGE', 2, () => ['--seed', '1'], /--seed changes nothing/],
    ['two choices of pictures', 'ERR_USAGE', 2, () => ['--limit', '2', '--images', '2'], /--limit.*--images/],
    ['a form of no pickle', 'ERR_USAGE', 2, () => ['--pickle-form', '1.x'], /--pickle-form/],
    ['intervals', 'ERR_USAGE', 2, () => ['--bootstrap', '10'], /--bootstrap/],
    ['no such split', 'ERR_BAD_DATA', 1, () => ['--split', 'nope'], /nope/],
    ['a picture that is no SVG', 'ERR_USAGE', 2, () => ['--plot', 'curves.png'], /ends in \.svg/],
    [
      'a report instead of a picture',
      'ERR_OUTPUT_EXISTS',
      2,
      () => ['--report', path.join(data, 'JPEGImages', readdirSync(path.join(data, 'JPEGImages'))[0]!)],
      /would replace/,
    ],
    [
      'a report instead of what is imported',
      'ERR_OUTPUT_EXISTS',
      2,
      () => twice('--sensitivities', '--report'),
      /replace/,
    ],
    ['one file for two outputs', 'ERR_OUTPUT_EXISTS', 2, () => twice('--pickle', '--report'), /would replace/],
    [
      'another file as the report',
      'ERR_OUTPUT_EXISTS',
      2,
      () => ['--report', stranger()],
      /holds no mAP sensitivities/,
    ],
    ['no file to import', 'ERR_IO', 1, () => ['--sensitivities', path.join(data, 'none.data')], /no such file/],
  ])('%s', (_, code, status, more, message) => {
    const result = command(args(...more()));
    expect(failure(result)).toEqual({ status, code, stdout: '' });
    expect(errorOf(result).message).toMatch(message);
  });

  const twice = (one: string, other: string): string[] => {
    const file = path.join(temporary(), 'x.data');
    if (one === '--sensitivities') copyFileSync(points, file);
    return [one, file, other, file];
  };
  const stranger = (): string => {
    const file = path.join(temporary(), 'mine.json');
    writeFileSync(file, '{"mine":true}');
    return file;
  };

  test('prune: sensitivities without their allocation, it without them, layers without a curve, and a pickle that calls', () => {
    const wish = [
      'prune',
      embeddedDetector,
      '--pruned-params',
      'conv2d_[2-4].w_0',
      '--target-ratio',
      '0.05',
      '--dry-run',
    ];
    const prune = (...more: string[]) => command([...wish, ...more, '--json']);
    const allocation = ['--allocation', 'sensitivity'];
    expect(messageOf(prune('--sensitivities', points))).toMatch(/--sensitivities .*--allocation sensitivity/);
    expect(failure(prune(...allocation))).toMatchObject({ status: 2, code: 'ERR_USAGE' });
    const missing = prune(...allocation, '--sensitivities', points);
    expect(failure(missing)).toEqual({ status: 1, code: 'ERR_BAD_DATA', stdout: '' });
    expect(messageOf(missing)).toMatch(/no curve for conv2d_2\.w_0: /);
    const evil = path.join(temporary(), 'evil.data');
    writeFileSync(evil, `cos\nsystem\n(S'touch ${evil}.executed'\ntR.`);
    const called = prune(...allocation, '--sensitivities', evil);
    expect(failure(called)).toEqual({ status: 1, code: 'ERR_BAD_DATA', stdout: '' });
    expect(messageOf(called)).toMatch(/os\.system.*Nothing was executed/);
    expect(existsSync(`${evil}.executed`)).toBe(false);
    const report = prune(...allocation, '--sensitivities', points, '--report', points);
    expect(failure(report)).toMatchObject({ status: 2, code: 'ERR_OUTPUT_EXISTS' });
  });
});
