import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Dataset, Sample } from '../../lib/data/dataset';
import type { EvaluateOptions } from '../../lib/evaluate/mean-ap';

const { evaluateDetections } =
  require('../../dist/lib/evaluate/mean-ap') as typeof import('../../lib/evaluate/mean-ap');

type Box = [number, number, number, number];
interface Truth {
  image: number;
  label: number;
  /** x, y, width, height: VOC's xmin, ymin, xmax - xmin, ymax - ymin. */
  bbox: Box;
  flag: number;
}
interface Found {
  image: number;
  label: number;
  bbox: Box;
  score: number;
}

function makeDataset(
  format: 'voc' | 'coco',
  sizes: Box[0][][],
  classes: number,
  truth: Truth[],
  areaShare = 1,
): Dataset {
  const samples = sizes.map(([width, height], image): Sample => {
    const mine = truth.filter((t) => t.image === image);
    const boxes = Float32Array.from(mine.flatMap(({ bbox: [x, y, w, h] }) => [x, y, x + w, y + h]));
    const flags = Uint8Array.from(mine, ({ flag }) => flag);
    const common = { id: String(image), image: `${image}.jpg`, width: width!, height: height!, boxes };
    const labels = Int32Array.from(mine, ({ label }) => label);
    const none = new Uint8Array(mine.length);
    if (format === 'voc') return { ...common, labels, difficult: flags, truncated: none };
    const bbox = Float64Array.from(mine.flatMap((t) => t.bbox));
    const area = Float64Array.from(mine, ({ bbox: [, , w, h] }) => w * h * areaShare);
    return { ...common, labels, difficult: none, truncated: none, crowd: flags, bbox, area };
  });
  const names = ['background', ...Array.from({ length: classes }, (_, i) => `c${i + 1}`)];
  const categoryIds = names.map((_, i) => i);
  return { format, directory: '.', split: 'val', classes: names, categoryIds, samples, warnings: [] };
}

const detectionSet = (found: Found[], layout: 'coco' | 'normalised' = 'coco') => ({
  image: Int32Array.from(found, ({ image }) => image),
  label: Int32Array.from(found, ({ label }) => label),
  score: Float64Array.from(found, ({ score }) => score),
  box: Float64Array.from(found.flatMap(({ bbox }) => bbox)),
  layout,
});

const folder = path.join(__dirname, '..', 'data', 'map');
const fixtures = (prefix: string) => readdirSync(folder).filter((name) => name.startsWith(prefix));
const read = (name: string) => JSON.parse(readFileSync(path.join(folder, name), 'utf8'));

describe('against independent implementations (scripts/make-map-fixtures.py)', () => {
  test.each(fixtures('voc'))('%s: detection_map and the VOC devkit', (name) => {
    const data = read(name);
    const dataset = makeDataset('voc', data.sizes, data.classes, data.truth);
    expect(data.expected).toHaveLength(16);
    for (const { ap, positives, ...options } of data.expected) {
      const result = evaluateDetections(dataset, detectionSet(data.detections), options as EvaluateOptions);
      const tell = JSON.stringify(options);
      expect({ tell, positives: result.classes.map((entry) => entry.positives) }).toEqual({ tell, positives });
      for (const [i, expected] of ap.entries()) {
        const got = result.classes[i]!.ap;
        if (expected === null) expect({ tell, i, got }).toEqual({ tell, i, got: null });
        // float32 sums of detection_map: the last bits depend on the order of additions.
        else expect({ tell, i, off: Math.abs(got! - expected) < 2e-6 }).toEqual({ tell, i, off: true });
      }
      const counted = ap.filter((value: number | null) => value !== null);
      expect(result.map).toBeCloseTo(counted.reduce((a: number, b: number) => a + b, 0) / counted.length, 5);
    }
  });

  test.each(fixtures('coco'))('%s: pycocotools', (name) => {
    const data = read(name);
    const dataset = makeDataset('coco', data.sizes, data.classes, data.truth, data.areaShare);
    const result = evaluateDetections(dataset, detectionSet(data.detections), { protocol: 'coco' });
    const numbers = Object.values(result.coco!);
    expect(numbers).toHaveLength(12);
    for (const [i, expected] of data.expected.stats.entries()) {
      if (expected === -1) expect([i, numbers[i]]).toEqual([i, null]);
      else expect(numbers[i]).toBeCloseTo(expected, 10);
    }
    for (const [i, expected] of data.expected.classes.entries()) {
      if (expected === null) expect(result.classes[i]!.ap).toBeNull();
      else expect(result.classes[i]!.ap).toBeCloseTo(expected, 10);
    }
  });
});

describe('corner cases by hand', () => {
  const size = [100, 100];
  const score = (truth: Truth[], found: Found[], options: EvaluateOptions = {}, images = 1) => {
    const dataset = makeDataset(
      'voc',
      Array.from({ length: images }, () => size),
      2,
      truth,
    );
    return evaluateDetections(dataset, detectionSet(found), options);
  };
  const object = (bbox: Box, extra: Partial<Truth> = {}): Truth => ({ image: 0, label: 1, bbox, flag: 0, ...extra });
  const detection = (bbox: Box, value: number, extra: Partial<Found> = {}): Found => ({
    image: 0,
    label: 1,
    bbox,
    score: value,
    ...extra,
  });

  test('an overlap of exactly one half is a hit for VOC and none for detection_map', () => {
    // detection_map divides corners as annotated: 0 to 50 of 100 are shares that float32 holds exactly.
    const truth = [object([0, 0, 50, 50])];
    const half = [detection([0, 0, 50, 25], 0.9)];
    expect(score(truth, half).map).toBe(0);
    expect(score(truth, [detection([0, 0, 50, 26], 0.9)]).map).toBe(1);
    // VOC: pixels 1 to 50 inclusive are the edges 0 to 50; rows 1 to 25 are half of them.
    const pixels = [object([1, 1, 49, 49])];
    expect(score(pixels, half, { protocol: 'voc' }).map).toBe(1);
    expect(score(pixels, [detection([0, 0, 50, 24.99], 0.9)], { protocol: 'voc' }).map).toBe(0);
  });

  test('a detection of the whole picture covers an object annotated from pixel 1 to the last', () => {
    const truth = [object([1, 1, 99, 99])];
    const whole = [detection([0, 0, 100, 100], 0.9)];
    expect(score(truth, whole, { protocol: 'voc', overlapThreshold: 1 }).map).toBe(1);
    expect(score(truth, whole, { protocol: 'coco' }).coco!.AP).toBeCloseTo(1, 12);
  });

  test.each([
    // With 7 of 10 found without a mistake, float32 0.7 lies below the double 0.7, and so does 7 · 0.1 for the devkit:
    // levels 0 … 0.6 are reached, 0.7 is not.
    ['detection_map', 7, 7],
    ['voc', 7, 7],
    // 6 of 10: float32 0.6 lies above the double 0.6; the devkit's 6 · 0.1 lies above 0.6.
    ['detection_map', 6, 7],
    ['voc', 6, 6],
    // 3 of 10: float32 0.3 lies above the double 0.3; the devkit's 3 · 0.1 lies above 0.3.
    ['detection_map', 3, 4],
    ['voc', 3, 3],
    ['detection_map', 5, 6],
    ['voc', 5, 6],
  ] as const)('%s: %i of 10 found reach %i of the 11 recalls', (protocol, found, levels) => {
    const at = (i: number): Box => [i * 10, 0, 9, 9];
    const truth = Array.from({ length: 10 }, (_, i) => object(at(i)));
    const detections = Array.from({ length: found }, (_, i) => detection(at(i), 0.9 - i / 100));
    const result = score(truth, detections, { protocol, overlapThreshold: 0.3 });
    expect(result.map).toBeCloseTo(levels / 11, 6);
  });

  test.each(['detection_map', 'voc', 'coco'] as const)('%s: nothing found is 0, no object is no class', (protocol) => {
    const truth = [object([10, 10, 20, 20])];
    const result = score(truth, [detection([10, 10, 20, 20], 0.9, { label: 2 })], { protocol });
    expect(result.classes).toEqual([
      { name: 'c1', ap: 0, positives: 1, detections: 0 },
      { name: 'c2', ap: null, positives: 0, detections: 1 },
    ]);
    expect(result.map).toBe(0);
  });

  test('no object at all gives no mean', () => {
    const result = score([], [detection([0, 0, 9, 9], 0.5)], { bootstrap: { resamples: 10 } });
    expect(result.map).toBeNull();
    expect(result.meanOver20).toEqual({ map: null, classes: 0 });
    expect(result.bootstrap).toEqual({ resamples: 10, seed: 0, map: null, meanOver20: null });
  });

  test.each(['detection_map', 'voc'] as const)('%s: what finds a difficult object does not count', (protocol) => {
    const truth = [object([10, 10, 20, 20], { flag: 1 }), object([60, 60, 20, 20])];
    const found = [
      detection([10, 10, 20, 20], 0.9),
      detection([10, 10, 20, 20], 0.8),
      detection([60, 60, 20, 20], 0.7),
    ];
    const options = { protocol, apVersion: 'integral', overlapThreshold: 0.4 } as const;
    expect(score(truth, found, options)).toMatchObject({ map: 1, classes: [{ positives: 1 }, {}] });
    // Counted like any other: hit, miss (a double), hit: 1 · 1/2, then 2/3 for the other half.
    const counted = score(truth, found, { ...options, evaluateDifficult: true });
    expect(counted.classes[0]!.positives).toBe(2);
    expect(counted.map).toBeCloseTo((1 + 2 / 3) / 2, 6);
  });

  test.each(['detection_map', 'voc'] as const)('%s: a second detection of an object is a mistake', (protocol) => {
    const truth = [object([10, 10, 20, 20]), object([60, 60, 20, 20])];
    const found = [
      detection([10, 10, 20, 20], 0.9),
      detection([10, 10, 20, 20.5], 0.8),
      detection([60, 60, 20, 20], 0.7),
    ];
    const result = score(truth, found, { protocol, apVersion: 'integral', overlapThreshold: 0.4 });
    expect(result.map).toBeCloseTo((1 + 2 / 3) / 2, 6);
  });

  test.each(['detection_map', 'voc', 'coco'] as const)('%s: equal scores keep the order of pictures', (protocol) => {
    // Picture 1 has the object, picture 0 a mistake of the same score that is given later: the mistake ranks first.
    const truth = [object([10, 10, 20, 20], { image: 1 })];
    const hit = detection([9, 9, 21, 21], 0.5, { image: 1 });
    const miss = detection([60, 60, 20, 20], 0.5);
    const options: EvaluateOptions = protocol === 'coco' ? { protocol } : { protocol, apVersion: 'integral' };
    const ap = (found: Found[]) => {
      const result = score(truth, found, options, 2);
      return result.coco ? result.coco.AP50! : result.map!;
    };
    expect(ap([hit, miss])).toBeCloseTo(0.5, 6);
    expect(ap([miss, hit])).toBeCloseTo(0.5, 6);
    // Within a picture the order given decides.
    const own = detection([60, 60, 20, 20], 0.5, { image: 1 });
    expect(ap([hit, own])).toBeCloseTo(1, 6);
    expect(ap([own, hit])).toBeCloseTo(0.5, 6);
  });

  test('integral of detection_map has no envelope, VOC has one', () => {
    // Miss, hit, hit with two objects: precisions 1/2 at recall 1/2, 2/3 at recall 1.
    const truth = [object([10, 10, 20, 20]), object([60, 60, 20, 20])];
    const found = [
      detection([80, 10, 10, 10], 0.9),
      detection([10, 10, 20, 20], 0.8),
      detection([60, 60, 20, 20], 0.7),
    ];
    const options = { apVersion: 'integral', overlapThreshold: 0.4 } as const;
    expect(score(truth, found, { ...options, protocol: 'detection_map' }).map).toBeCloseTo((1 / 2 + 2 / 3) / 2, 6);
    expect(score(truth, found, { ...options, protocol: 'voc' }).map).toBeCloseTo(2 / 3, 12);
  });

  test('detection_map clips detections to the picture first', () => {
    // Unclipped the overlap is 2500 of 10000; clipped it is 1.
    const found = [detection([-50, -50, 100, 100], 0.9)];
    expect(score([object([0, 0, 50, 50])], found).map).toBe(1);
    expect(score([object([1, 1, 49, 49])], found, { protocol: 'voc' }).map).toBe(0);
  });

  test('normalised boxes say the same as pixels', () => {
    const dataset = makeDataset('voc', [[200, 100]], 1, [object([21, 11, 59, 49])]);
    const pixels = detectionSet([detection([20, 10, 60, 30], 0.9)]);
    const shares = detectionSet([detection([0.1, 0.1, 0.4, 0.4], 0.9)], 'normalised');
    for (const threshold of [0.59, 0.61]) {
      const options = { protocol: 'voc', overlapThreshold: threshold } as const;
      const expected = threshold < 0.6 ? 1 : 0;
      expect(evaluateDetections(dataset, pixels, options).map).toBe(expected);
      expect(evaluateDetections(dataset, shares, options).map).toBe(expected);
    }
  });

  test('the mean over classes with at least 20 positives stands beside mAP', () => {
    const at = (i: number): Box => [(i % 5) * 20, Math.floor(i / 5) * 20, 15, 15];
    const truth = Array.from({ length: 20 }, (_, i) => object(at(i)));
    truth.push(object([1, 1, 10, 10], { label: 2, image: 1 }));
    const found = truth.slice(0, 20).map(({ bbox }, i) => detection(bbox, 0.9 - i / 100));
    const result = score(truth, found, {}, 2);
    expect(result.map).toBeCloseTo(0.5, 6);
    expect(result.meanOver20).toEqual({ map: expect.closeTo(1, 6), classes: 1 });
  });
});

describe('bootstrap', () => {
  // Picture 0: its object is found. Picture 1: it is not. AP of a resample is the share of draws of picture 0
  // (integral; only hits), so its distribution is binomial(2, 1/2) / 2.
  const truth: Truth[] = [0, 1].map((image) => ({ image, label: 1, bbox: [10, 10, 20, 20], flag: 0 }));
  const found: Found[] = [{ image: 0, label: 1, bbox: [10, 10, 20, 20], score: 0.9 }];
  const interval = (seed: number, images = 2, resamples = 2000) => {
    const dataset = makeDataset(
      'voc',
      Array.from({ length: images }, () => [100, 100]),
      1,
      truth,
    );
    const options = { apVersion: 'integral', bootstrap: { resamples, seed } } as const;
    return evaluateDetections(dataset, detectionSet(found), options).bootstrap!;
  };

  test('an interval over two pictures spans everything', () => {
    expect(interval(0).map).toEqual([0, 1]);
    expect(interval(0).meanOver20).toBeNull();
  });

  test('many pictures give the binomial interval', () => {
    // 100 pictures with one object each, every second one found: share of hits ~ N(0.5, 0.05); ±1.96 deviations.
    const many: Truth[] = Array.from({ length: 100 }, (_, image) => ({
      image,
      label: 1,
      bbox: [10, 10, 20, 20],
      flag: 0,
    }));
    const half: Found[] = many.filter(({ image }) => image % 2 === 0).map((t, i) => ({ ...t, score: 0.9 - i / 1000 }));
    const dataset = makeDataset(
      'voc',
      many.map(() => [100, 100]),
      1,
      many,
    );
    const options = { apVersion: 'integral', bootstrap: { resamples: 4000, seed: 3 } } as const;
    const [low, high] = evaluateDetections(dataset, detectionSet(half), options).bootstrap!.map!;
    expect(low).toBeGreaterThan(0.38);
    expect(low).toBeLessThan(0.42);
    expect(high).toBeGreaterThan(0.58);
    expect(high).toBeLessThan(0.62);
  });

  test('is a function of its seed', () => {
    const dataset = makeDataset(
      'voc',
      Array.from({ length: 12 }, () => [100, 100]),
      1,
      [
        ...truth,
        ...Array.from({ length: 10 }, (_, i): Truth => ({ image: i + 2, label: 1, bbox: [i, i, 30, 30], flag: 0 })),
      ],
    );
    const all = detectionSet([...found, { image: 5, label: 1, bbox: [3, 3, 30, 30], score: 0.4 }]);
    const run = (seed: number) =>
      evaluateDetections(dataset, all, { bootstrap: { resamples: 64, seed } }).bootstrap!.map;
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
  });
});

describe('refuses', () => {
  const dataset = makeDataset('voc', [[100, 100]], 2, []);
  const one = detectionSet([{ image: 0, label: 1, bbox: [0, 0, 5, 5], score: 0.5 }]);
  test.each([
    ['protocol', { protocol: 'voc2012' }],
    ['apVersion', { apVersion: '12point' }],
    ['overlapThreshold', { overlapThreshold: 1.5 }],
    ['overlapThreshold', { overlapThreshold: Number.NaN }],
    ['bootstrap.resamples', { bootstrap: { resamples: -1 } }],
    ['bootstrap.seed', { bootstrap: { resamples: 1, seed: 0.5 } }],
  ])('%s %j', (name, options) => {
    expect(() => evaluateDetections(dataset, one, options as EvaluateOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringContaining(name) }),
    );
  });

  test.each([
    ['a picture that is not there', { image: Int32Array.of(1) }, 'ERR_BAD_DATA'],
    ['background', { label: Int32Array.of(0) }, 'ERR_BAD_DATA'],
    ['a class that is not there', { label: Int32Array.of(3) }, 'ERR_BAD_DATA'],
    ['a score that is no number', { score: Float64Array.of(Number.NaN) }, 'ERR_BAD_DATA'],
    ['a box without end', { box: Float64Array.of(0, 0, Number.POSITIVE_INFINITY, 1) }, 'ERR_BAD_DATA'],
    ['arrays of different lengths', { box: Float64Array.of(0, 0, 1) }, 'ERR_USAGE'],
  ])('%s', (_, wrong, code) => {
    expect(() => evaluateDetections(dataset, { ...one, ...wrong })).toThrow(expect.objectContaining({ code }));
  });
});
