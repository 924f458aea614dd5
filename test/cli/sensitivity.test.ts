import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { noisePictures } from '../calibrate/noise-pictures';
import { shared } from '../shared';
import { command, errorOf, events, failure, graph, interrupted, messageOf, root, run, temporary } from './command';

const model = graph('dynamic-batch-legacy-11');
let folder: string;
let detector: string;
beforeAll(async () => {
  ({ folder, detector } = await noisePictures(12, 64));
});

/** Options as pairs; those given replace the usual ones. */
const args = (...more: string[]): string[] => {
  const usual = ['--pruned-params', '.*', '--calibrate', folder, '--detector', detector, '--align', '1'];
  const kept = usual.filter((_, i) => !more.includes(usual[i - (i % 2)]!));
  return ['sensitivity', model, ...kept, '--skip-locked', ...more];
};

test('--json: one document, the same in --report, with the curves drawn', async () => {
  const out = temporary();
  const [report, plot] = [path.join(out, 'out.json'), path.join(out, 'curves.svg')];
  const ended = await run(args('--report', report, '--plot', plot, '--calibration-images', '6', '--json'));
  expect(ended.status).toBe(0);
  const document = JSON.parse(ended.stdout);
  expect(JSON.parse(readFileSync(report, 'utf8'))).toEqual(document);
  expect(Object.keys(document).sort()).toEqual(
    [
      ...['schema', 'model', 'prunedParams', 'measure', 'pictures', 'split', 'images', 'seed', 'count', 'align'],
      ...['minChannels', 'targetRatio', 'cut', 'skipped', 'layers', 'worst', 'seconds'],
    ].sort(),
  );
  expect(document).toMatchObject({
    schema: 'ssd-prune.sensitivity/1',
    model,
    prunedParams: '.*',
    pictures: folder,
    split: null,
    images: 6,
    seed: 0,
    count: 'macs',
    align: 1,
    targetRatio: null,
    cut: null,
  });
  expect(document.seconds).toBeGreaterThan(0);
  expect(document.skipped.length).toBeGreaterThan(0);
  for (const layer of document.layers) {
    expect(layer.readers.length).toBeGreaterThan(0);
    expect(layer.points.map(({ kept }: { kept: number }) => kept)).toEqual(
      Array.from({ length: layer.channels }, (_, i) => layer.channels - i),
    );
    expect(layer.cuts).toHaveLength(4);
    const errors: number[] = layer.points.map(({ errorKept }: { errorKept: number }) => errorKept);
    // Nothing is lost by the whole layer, and never less by a narrower one.
    expect(errors[0]).toBeLessThan(1e-6);
    expect(errors.every((error, i) => i === 0 || error >= errors[i - 1]! - 1e-9)).toBe(true);
    expect(errors.at(-1)).toBeGreaterThan(0);
    expect(errors.at(-1)).toBeLessThan(1.1);
  }
  const bars = events(ended).filter(({ event }) => event === 'progress');
  expect(bars.at(-1)).toMatchObject({ done: document.layers.length, total: document.layers.length });
  const svg = readFileSync(plot, 'utf8');
  expect(XMLValidator.validate(svg)).toBe(true);
  expect(new XMLParser().parse(svg).svg).toBeDefined();
  expect(svg.match(/aria-label="line"/g)).toHaveLength(document.layers.length);
  expect(readdirSync(out).sort()).toEqual(['curves.svg', 'out.json']);
});

test('a target gets the widths that prune gives it by the same pictures', async () => {
  const wish = ['--target-ratio', '0.3', '--calibration-images', '8', '--calibration-seed', '3', '--json'];
  const [own, pruned] = await Promise.all([
    run(args(...wish)),
    run(['prune', ...args(...wish, '--dry-run', '--repair', 'none').slice(1)]),
  ]);
  expect([own.status, pruned.status]).toEqual([0, 0]);
  const [sensitivity, prune] = [JSON.parse(own.stdout), JSON.parse(pruned.stdout)];
  expect(sensitivity.cut).toBeCloseTo(prune.macs.cut, 12);
  const widths = new Map<string, number>(
    prune.layers.map(({ name, kept }: { name: string; kept: number[] }) => [name, kept.length]),
  );
  const names: string[] = sensitivity.layers.map(({ name }: { name: string }) => name);
  expect(names.sort()).toEqual([...widths.keys()].sort());
  let shares = 0;
  for (const { name, chosen, readers } of sensitivity.layers) {
    expect([name, chosen.kept]).toEqual([name, widths.get(name)]);
    shares += chosen.errorShare;
    if (chosen.ratio > 0) expect(chosen.price).toBeCloseTo((chosen.errorKept * readers.length) / chosen.saved, 9);
  }
  expect(shares).toBeCloseTo(1, 9);
});

test('people get a table: each layer, what its readers lose, and where it hurts', () => {
  const { status, stdout, stderr } = command(args('--target-ratio', '0.3', '--calibration-images', '4'));
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/layer +│ readers │ channels │ keeps │ +cut │ share of MACs │ saved alone │ +error/);
  expect(stdout).toMatch(/together these widths save 3[01]\.\d\d % of MACs/);
  expect(stdout).toMatch(/−30 % hurts most behind/);
  expect(stdout).toMatch(/left as they are:/);
  expect(stdout).toMatch(/measured on 4 pictures in \d+\.\d\d s\n$/);
});

describe('what is refused: one error, nothing on stdout, nothing written', () => {
  test.each<[string, string, number, () => string[], RegExp]>([
    ['no folder', 'ERR_BAD_DATA', 1, () => ['--calibrate', path.join(root, 'nowhere')], /nowhere: no such folder/],
    ['a folder without pictures', 'ERR_BAD_DATA', 1, () => ['--calibrate', temporary()], /no pictures there/],
    ['a pattern that matches nothing', 'ERR_NO_MATCH', 3, () => ['--pruned-params', 'nothing'], /"nothing"/],
    ['a target out of reach', 'ERR_TARGET_UNREACHABLE', 3, () => ['--target-ratio', '0.999'], /99\.90 %/],
    ['a target that is none', 'ERR_USAGE', 2, () => ['--target-ratio', '20'], /--target-ratio/],
    ['a tolerance of no target', 'ERR_USAGE', 2, () => ['--tolerance', '0.1'], /--tolerance .* --target-ratio/],
    ['no pictures drawn', 'ERR_USAGE', 2, () => ['--calibration-images', '0'], /--calibration-images/],
    [
      'settings that are none',
      'ERR_BAD_CONFIG',
      2,
      () => ['--detector', path.join(root, 'package.json')],
      /package\.json/,
    ],
    ['a picture that is no SVG', 'ERR_USAGE', 2, () => ['--plot', path.join(folder, 'curves.png')], /ends in \.svg/],
    [
      'a plot in no folder',
      'ERR_IO',
      1,
      () => ['--plot', path.join(folder, 'no', 'curves.svg')],
      /folder does not exist/,
    ],
    ['a report that is a folder', 'ERR_IO', 1, () => ['--report', folder], /it is a folder/],
    ['a report instead of the model', 'ERR_OUTPUT_EXISTS', 2, () => ['--report', model], /would replace/],
    [
      'a report instead of a picture',
      'ERR_OUTPUT_EXISTS',
      2,
      () => ['--report', path.join(folder, '3.png')],
      /would replace/,
    ],
    ['one file for both', 'ERR_OUTPUT_EXISTS', 2, () => both('x.svg', 'x.svg'), /would replace/],
  ])('%s', (_, code, status, more, message) => {
    const before = readdirSync(folder);
    const result = command(args(...more(), '--json'));
    expect(failure(result)).toEqual({ status, code, stdout: '' });
    expect(errorOf(result).message).toMatch(message);
    expect(readdirSync(folder)).toEqual(before);
  });

  const both = (plot: string, report: string) => {
    const out = temporary();
    return ['--plot', path.join(out, plot), '--report', path.join(out, report)];
  };

  test('without pictures: they are asked for', () => {
    const result = command(['sensitivity', model, '--pruned-params', '.*', '--json']);
    expect(failure(result)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
    expect(errorOf(result).message).toMatch(/--calibrate DIR/);
  });

  test('a plot that exists, before the work; with --force it is replaced, but never what is read', () => {
    const out = temporary();
    const plot = path.join(out, 'curves.svg');
    writeFileSync(plot, 'mine');
    // No pattern matches: had the work begun, that would be the reason.
    expect(failure(command(args('--plot', plot, '--pruned-params', 'nothing', '--json')))).toMatchObject({
      status: 2,
      code: 'ERR_OUTPUT_EXISTS',
    });
    expect(readFileSync(plot, 'utf8')).toBe('mine');
    const list = path.join(out, 'list.svg');
    writeFileSync(list, `${path.join(folder, '0.png')}\n`);
    const asList = command(args('--calibrate', list, '--plot', list, '--force', '--json'));
    expect(failure(asList)).toMatchObject({ status: 2, code: 'ERR_OUTPUT_EXISTS' });
    expect(readFileSync(list, 'utf8')).toMatch(/0\.png/);
    expect(command(args('--plot', plot, '--force', '--calibration-images', '2')).status).toBe(0);
    expect(readFileSync(plot, 'utf8')).toMatch(/<\/svg>\n$/);
  });
});

test('an interruption: exit 130, one error, no file', async () => {
  const out = temporary();
  const plot = path.join(out, 'curves.svg');
  // The first layer is begun.
  const ended = await interrupted(args('--plot', plot, '--json'), /./);
  expect(failure(ended)).toEqual({ status: 130, code: 'ERR_ABORTED', stdout: '' });
  expect(messageOf(ended)).toBe('Interrupted (SIGINT).');
  expect(readdirSync(out)).toEqual([]);
});

const real = path.join(shared, 'models', 'ssd-mobilenet-v1-0.75');
const voc = path.join(shared, 'voc');
const available = existsSync(real) && existsSync(voc) ? test : test.skip;

available('the real model: twelve layers in seconds', async () => {
  const plot = path.join(temporary(), 'curves.svg');
  const ended = await run([
    ...['sensitivity', path.join(real, 'model.onnx'), '--detector', path.join(real, 'detector.json')],
    ...['--pruned-params', 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0', '--calibrate', voc, '--target-ratio', '0.2'],
    ...['--plot', plot, '--json'],
  ]);
  expect(ended.status).toBe(0);
  const report = JSON.parse(ended.stdout);
  expect(report.layers.map(({ name }: { name: string }) => name)).toEqual(
    Array.from({ length: 12 }, (_, i) => `conv2d_${i + 1}.w_0`),
  );
  expect(report.images).toBe(64);
  expect(report.cut).toBeGreaterThanOrEqual(0.2);
  expect(report.cut).toBeLessThanOrEqual(0.21);
  for (const { chosen, channels, cuts } of report.layers) {
    expect([chosen.kept % 8, chosen.kept <= channels]).toEqual([0, true]);
    const half = cuts.find(({ kept }: { kept: number }) => Math.abs(kept - channels / 2) <= 4);
    expect(half.errorKept).toBeGreaterThan(0.01);
    expect(half.errorKept).toBeLessThan(0.3);
  }
  // Seconds where nothing else runs; the bound is for machines that are shared.
  expect(report.seconds).toBeLessThan(90);
  expect(readFileSync(plot, 'utf8').match(/aria-label="line"/g)).toHaveLength(12);
});
