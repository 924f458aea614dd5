import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import sharp from 'sharp';
import type { MapSensitivityReport } from '../../lib/sensitivity/map-report';
import type { LayerSensitivity, SensitivityReport } from '../../lib/sensitivity/sensitivity';

const plot = path.resolve(__dirname, '..', '..', 'dist', 'lib', 'sensitivity', 'curve-plot.js');

/** The curves of a report, drawn in a process of its own: jest's modules can't require the plot library, which is ESM. */
function drawCurves(report: SensitivityReport | MapSensitivityReport): string {
  const script = `process.stdout.write(require(${JSON.stringify(plot)}).drawCurves(JSON.parse(fs.readFileSync(0, 'utf8'))))`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', script], {
    input: JSON.stringify(report),
    encoding: 'utf8',
  });
  // No word of warning about ESM either: users would see it.
  expect([status, stderr]).toEqual([0, '']);
  return stdout;
}

/** A layer whose error at k of n channels is (1 − k/n)². */
function layerOf(name: string, channels: number, keeps?: number): LayerSensitivity {
  const at = (kept: number) => ({
    kept,
    ratio: 1 - kept / channels,
    errorKept: (1 - kept / channels) ** 2,
    saved: 0.1,
  });
  return {
    name,
    readers: ['next'],
    channels,
    share: 0.125,
    points: Array.from({ length: channels }, (_, i) => at(channels - i)),
    cuts: [],
    chosen: keeps === undefined ? null : { ...at(keeps), errorShare: 1 - keeps / channels, price: 1 },
  };
}

const reportOf = (layers: LayerSensitivity[], targetRatio: number | null): SensitivityReport => ({
  schema: 'ssd-prune.sensitivity/1',
  model: '/somewhere/net <1> & more.onnx',
  prunedParams: '.*',
  measure: 'reconstruction',
  pictures: 'pictures',
  split: null,
  images: 64,
  seed: 0,
  count: 'macs',
  align: 1,
  minChannels: 1,
  targetRatio,
  cut: targetRatio,
  skipped: [],
  layers,
  worst: [],
  seconds: 1,
});

interface Element {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
  text: string;
}

/** The document as a tree; refuses what is not well-formed. */
function parse(svg: string): Element {
  expect(XMLValidator.validate(svg)).toBe(true);
  type Ordered = Record<string, unknown> & { ':@'?: Record<string, string> };
  const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '', preserveOrder: true });
  const convert = (node: Ordered): Element => {
    const [name] = Object.keys(node).filter((key) => key !== ':@');
    const inner = node[name!];
    if (!Array.isArray(inner)) return { name: name!, attributes: {}, children: [], text: String(inner) };
    const children = (inner as Ordered[]).map(convert);
    const shown = name === 'text' ? children.filter((child) => child.name !== 'title') : children;
    const text = shown.map((child) => child.text).join('');
    return { name: name!, attributes: node[':@'] ?? {}, children, text };
  };
  const roots = (parser.parse(svg) as Ordered[]).map(convert);
  return roots.find(({ name }) => name === 'svg')!;
}

const all = (element: Element): Element[] => [element, ...element.children.flatMap(all)];
const textsOf = (svg: Element): string[] =>
  all(svg)
    .filter(({ name }) => name === 'text')
    .map(({ text }) => text);

/** Lines of the curves: their points, and the name that is shown where the mouse is. */
function linesOf(svg: Element) {
  return all(svg)
    .filter(({ name, attributes }) => name === 'g' && attributes['aria-label'] === 'line')
    .flatMap((group) =>
      all(group)
        .filter(({ name }) => name === 'path')
        .map((path) => ({ group, path })),
    )
    .map(({ group, path }) => ({
      points: path.attributes
        .d!.split(/[ML]/)
        .slice(1)
        .map((pair) => pair.split(',').map(Number) as [number, number]),
      title: path.children.find(({ name }) => name === 'title')!.text,
      look: all(group)
        .map(({ attributes }) => `${attributes.stroke ?? ''} ${attributes['stroke-dasharray'] ?? ''}`)
        .join(),
    }));
}

const dotsOf = (svg: Element): Element[] => all(svg).filter(({ name }) => name === 'circle');

test.each([13, 60])('%i layers: a line each with all of its points, looks of their own, names', (count) => {
  const layers = Array.from({ length: count }, (_, i) => layerOf(`conv_${i}.w`, 4 + i));
  const svg = parse(drawCurves(reportOf(layers, null)));
  const lines = linesOf(svg);
  expect(lines.map(({ title }) => title)).toEqual(layers.map(({ name }) => name));
  expect(lines.map(({ points }) => points.length)).toEqual(layers.map(({ points }) => points.length));
  expect(new Set(lines.map(({ look }) => look)).size).toBe(count);
  expect(dotsOf(svg)).toEqual([]);
  const texts = textsOf(svg);
  expect(texts).toEqual(
    expect.arrayContaining([...layers.map(({ name }) => name), 'channels kept', 'of MACs', '12.5 %']),
  );
  expect(texts).toContain('net <1> & more.onnx · each layer cut alone, 64 pictures');
  // Names stand clear of each other and within the picture.
  const [, , width, height] = svg.attributes.viewBox!.split(' ').map(Number);
  const places = all(svg)
    .filter(({ name, text }) => name === 'text' && text.startsWith('conv_'))
    .map(({ attributes }) => /translate\(([\d.]+),([\d.]+)\)/.exec(attributes.transform!)!.slice(1).map(Number));
  expect(new Set(places.map(String)).size).toBe(count);
  for (const [x, y] of places) expect([x! + 100 < width!, y! + 5 < height!]).toEqual([true, true]);
});

test('points lie where their values are: linear in channels, square root in the error', () => {
  const svg = parse(drawCurves(reportOf([layerOf('a', 4)], null)));
  const [{ points }] = linesOf(svg) as [ReturnType<typeof linesOf>[0]];
  // Ratios 0, 1/4, 1/2, 3/4 and errors of their squares: four points on a straight line.
  const [dx, dy] = [points[1]![0] - points[0]![0], points[1]![1] - points[0]![1]];
  expect([dx > 0, dy < 0]).toEqual([true, true]);
  points.forEach(([x, y], i) => {
    expect(x).toBeCloseTo(points[0]![0] + i * dx, 2);
    expect(y).toBeCloseTo(points[0]![1] + i * dy, 2);
  });
  // 0 … 3/4 of an axis of 620 pixels, and the whole of one of 470.
  expect(points[3]![0] - points[0]![0]).toBeCloseTo(465, 2);
  expect(points[0]![1] - points[3]![1]).toBeCloseTo(470, 2);
});

test('with a target: a dot on each line where it was chosen, the three worst in bold, the axis not much further', () => {
  const layers = [
    layerOf('a', 10, 9),
    layerOf('b', 10, 5),
    layerOf('c', 20, 14),
    layerOf('d', 10, 6),
    layerOf('e', 10, 10),
  ];
  const svg = parse(drawCurves(reportOf(layers, 0.2)));
  const dots = dotsOf(svg);
  const lines = linesOf(svg);
  expect(dots.map(({ children }) => children[0]!.text)).toEqual(['a: 9', 'b: 5', 'c: 14', 'd: 6', 'e: 10']);
  const at = [1, 5, 6, 4, 0];
  dots.forEach(({ attributes }, i) => {
    const [x, y] = lines[i]!.points[at[i]!]!;
    expect(Number(attributes.cx)).toBeCloseTo(x, 2);
    expect(Number(attributes.cy)).toBeCloseTo(y, 2);
  });
  const bold = all(svg).filter(({ name, attributes }) => name === 'g' && attributes['font-weight'] === '700');
  expect(bold.map(({ text }) => text.trim()).filter((text) => /^[a-e]/.test(text))).toEqual(['b', 'c', 'd']);
  const texts = textsOf(svg);
  expect(texts.filter((text) => text === 'of all error')).toHaveLength(1);
  expect(texts).toContain('net <1> & more.onnx · each layer cut alone, 64 pictures · dots: the widths for −20 % MACs');
  // The narrowest keeps half: the axis ends at 30 %. The lines go on, clipped.
  expect([texts.includes('30 %'), lines[0]!.points.length]).toEqual([true, 10]);
  expect(lines[1]!.points[7]![0]).toBeCloseTo(58 + 620, 2);
});

test('odd names and layers without curves', async () => {
  const name = `module.${'very.'.repeat(20)}long`;
  const blind = { ...layerOf('blind', 3), points: [], cuts: [] };
  const svg = drawCurves(reportOf([layerOf('a<b>&"\u0001', 3), layerOf(name, 3), blind], null));
  const texts = textsOf(parse(svg));
  expect(texts.some((text) => text.startsWith('a<b>&"\ufffd'))).toBe(true);
  expect(texts.some((text) => text.startsWith('…') && text.includes('very.long') && text.length < 150)).toBe(true);
  expect(texts.some((text) => text.includes('blind'))).toBe(false);
  // Nothing at all to draw is a picture, too.
  for (const document of [svg, drawCurves(reportOf([], null)), drawCurves(reportOf([layerOf('one', 1)], null))]) {
    const { data, info } = await sharp(Buffer.from(document)).raw().toBuffer({ resolveWithObject: true });
    expect(info.width).toBeGreaterThan(600);
    // Paper is white, not transparent.
    expect([...data.subarray(0, info.channels)].every((value) => value === 255)).toBe(true);
  }
});

test('losses of mAP: lines from the whole layer through a dot on every point, a gain drawn as no loss', () => {
  const pointOf = (kept: number, channels: number, relativeLoss: number) => ({
    ...{ kept, ratio: 1 - kept / channels, map: 0.5 * (1 - relativeLoss), loss: 0.5 * relativeLoss, relativeLoss },
    ...{ saved: 0.1, imported: false },
  });
  const report = {
    ...{
      schema: 'ssd-prune.sensitivity-map/1',
      model: 'net.onnx',
      measure: 'map',
      count: 'macs',
      images: 30,
      base: 0.5,
    },
    layers: [
      { name: 'a', channels: 8, share: 0.25, points: [pointOf(6, 8, -0.01), pointOf(4, 8, 0.16), pointOf(2, 8, 0.64)] },
      { name: 'b', channels: 10, share: 0.5, points: [pointOf(5, 10, 0.04)] },
      { name: 'none', channels: 4, share: 0.01, points: [] },
    ],
  } as unknown as MapSensitivityReport;
  const svg = parse(drawCurves(report));
  const [a, b, ...more] = linesOf(svg);
  expect(more).toEqual([]);
  // An axis of 620 by 470 pixels from the corner at 58 and 76: shares of it, the losses by their square roots.
  const place = ([x, y]: [number, number]) => [(x - 58) / 620, (76 + 470 - y) / 470];
  const expected = [
    [0, 0],
    [0.25, 0],
    [0.5, Math.sqrt(0.16 / 0.64)],
    [0.75, 1],
  ];
  expect(a!.points.flatMap(place)).toEqual(expected.flat().map((value) => expect.closeTo(value, 3)));
  expect(b!.points.flatMap(place)).toEqual([0, 0, 0.5, 0.25].map((value) => expect.closeTo(value, 3)));
  expect(dotsOf(svg).map(({ children }) => children[0]!.text)).toEqual(['a: 6', 'a: 4', 'a: 2', 'b: 5']);
  const texts = textsOf(svg);
  expect(texts).toEqual(
    expect.arrayContaining(['loss: share of the whole model’s mAP', 'of MACs', '25.0 %', '50.0 %']),
  );
  expect(texts).toContain('net.onnx · each layer cut alone, 30 pictures, mAP 0.5000 whole');
});
