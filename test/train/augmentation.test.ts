import {
  type Augmentation,
  type AugmentSettings,
  augmentSettings,
  drawAugmentation,
  epochOrder,
  lightAugmentation,
  noAugmentation,
  paddleAugmentation,
} from '../../lib/train/augmentation';
import { type Box, holdsCentre, mirrored, overlap, within } from '../../lib/train/boxes';
import { paddleSamplers, sampleCrops } from '../../lib/train/crop-samplers';

const sample = {
  id: '000012',
  width: 200,
  height: 100,
  boxes: Float32Array.of(20, 10, 60, 50, 150, 60, 250, 120),
  labels: Int32Array.of(3, 7),
};

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe('boxes', () => {
  const window = { left: 10, top: 20, width: 40, height: 80 };

  test('in shares of a rectangle, cut off at its border', () => {
    expect(within(window, [20, 40, 30, 60])).toEqual([0.25, 0.25, 0.5, 0.5]);
    expect(within(window, [0, 0, 100, 60])).toEqual([0, 0, 1, 0.5]);
    expect(within(window, [0, 0, 5, 5])).toEqual([0, 0, 0, 0]);
  });

  test('a centre on the border is inside', () => {
    expect(holdsCentre(window, [0, 10, 20, 30])).toBe(true);
    expect(holdsCentre(window, [40, 90, 60, 110])).toBe(true);
    expect(holdsCentre(window, [0, 10, 19.9, 30])).toBe(false);
    expect(holdsCentre(window, [40, 90, 60, 110.1])).toBe(false);
  });

  test('mirrored and overlapping', () => {
    expect(mirrored([0.25, 0.1, 0.375, 0.2])).toEqual([0.625, 0.1, 0.75, 0.2]);
    expect(overlap([0, 0, 2, 2], [1, 1, 3, 3])).toBeCloseTo(1 / 7, 12);
    expect(overlap([0, 0, 1, 1], [1, 0, 2, 1])).toBe(0);
  });
});

describe('crop samplers', () => {
  const random = (i: number) => ((i * 7919 + 13) % 1009) / 1009;

  test('the first takes the whole picture', () => {
    expect(sampleCrops(paddleSamplers.slice(0, 1), [], random)).toEqual([[0, 0, 1, 1]]);
  });

  test('size, shape and place of a trial by hand', () => {
    // scale 0.65, ratio 1.25: w = 0.65·√1.25, h = 0.65/√1.25; place: half of what is left.
    const crops = sampleCrops(paddleSamplers.slice(6), [[0, 0, 1, 1]], () => 0.5);
    const [w, h] = [0.65 * Math.sqrt(1.25), 0.65 / Math.sqrt(1.25)];
    expect(crops).toHaveLength(1);
    [(1 - w) / 2, (1 - h) / 2, (1 + w) / 2, (1 + h) / 2].forEach((value, i) => {
      expect(crops[0]![i]).toBeCloseTo(value, 12);
    });
  });

  test('the shape is limited to what fits: scale 0.9 allows 0.81 to 1/0.81', () => {
    const sampler = { ...paddleSamplers[6]!, scale: [0.9, 0.9] as const };
    for (const [draw, ratio] of [
      [0, 0.81],
      [0.9999, 1 / 0.81],
    ] as const) {
      const [crop] = sampleCrops([sampler], [[0, 0, 1, 1]], (i) => (i === 1 ? draw : 0));
      expect((crop![2] - crop![0]) / (crop![3] - crop![1])).toBeCloseTo(ratio, 9);
      expect(Math.max(crop![2], crop![3])).toBeCloseTo(1, 9);
    }
  });

  test('crops overlap an object as much as their sampler wants', () => {
    const objects: Box[] = [[0.1, 0.1, 0.7, 0.8]];
    for (const seed of range(200)) {
      for (const [i, min] of [0.1, 0.3, 0.5, 0.7, 0.9].entries()) {
        const draw = (k: number) => (((Math.sin(seed * 1e4 + k * 12.9898) * 43758.5453) % 1) + 1) % 1;
        for (const crop of sampleCrops([paddleSamplers[i + 1]!], objects, draw)) {
          expect(overlap(crop, objects[0]!)).toBeGreaterThanOrEqual(min);
          expect(Math.min(...crop)).toBeGreaterThanOrEqual(-1e-12);
          expect(Math.max(...crop)).toBeLessThanOrEqual(1 + 1e-12);
        }
      }
    }
  });

  test('without an object only the whole picture is found', () => {
    expect(sampleCrops(paddleSamplers, [], random)).toHaveLength(1);
  });
});

describe('what is drawn', () => {
  test('depends on seed, epoch and sample alone', () => {
    const first = drawAugmentation(paddleAugmentation, { seed: 1, epoch: 2 }, sample);
    for (const epoch of range(50)) drawAugmentation(paddleAugmentation, { seed: 1, epoch }, sample);
    expect(drawAugmentation(paddleAugmentation, { seed: 1, epoch: 2 }, { ...sample })).toEqual(first);
    const others = [
      drawAugmentation(paddleAugmentation, { seed: 2, epoch: 2 }, sample),
      drawAugmentation(paddleAugmentation, { seed: 1, epoch: 3 }, sample),
      drawAugmentation(paddleAugmentation, { seed: 1, epoch: 2 }, { ...sample, id: '000013' }),
    ];
    for (const other of others) expect(other).not.toEqual(first);
  });

  test('nothing at all where nothing is asked for', () => {
    const { boxes, labels, ...rest } = drawAugmentation(noAugmentation, { seed: 1, epoch: 0 }, sample)!;
    expect(rest).toEqual({
      colours: { brightness: 1, contrast: 1, saturation: 1, hue: 0, contrastLast: expect.any(Boolean) },
      left: 0,
      top: 0,
      crop: { left: 0, top: 0, width: 200, height: 100 },
      mirror: false,
    });
    // The second box leaves the picture and is cut off; its centre, (200, 90), is on the border.
    expect([...boxes]).toEqual([0.1, 0.1, 0.3, 0.5, 0.75, 0.6, 1, 1].map(Math.fround));
    expect([...labels]).toEqual([3, 7]);
  });

  test('boxes follow the canvas and the mirror', () => {
    const settings: AugmentSettings = { ...noAugmentation, expand: { probability: 1, maxRatio: 4 }, mirror: 1 };
    const { left, top, crop, boxes, mirror } = drawAugmentation(settings, { seed: 3, epoch: 0 }, sample)!;
    expect(crop.width).toBeGreaterThan(200);
    expect(mirror).toBe(true);
    expect(boxes[0]).toBeCloseTo(1 - (60 + left) / crop.width, 6);
    expect(boxes[1]).toBeCloseTo((10 + top) / crop.height, 6);
    expect(boxes[2]).toBeCloseTo(1 - (20 + left) / crop.width, 6);
    expect(boxes[3]).toBeCloseTo((50 + top) / crop.height, 6);
  });

  test('crowds are no objects, and a picture without objects is left out', () => {
    const crowd = drawAugmentation(noAugmentation, { seed: 1, epoch: 0 }, { ...sample, crowd: Uint8Array.of(1, 0) })!;
    expect([...crowd.labels]).toEqual([7]);
    const empty = { ...sample, boxes: new Float32Array(0), labels: new Int32Array(0) };
    expect(drawAugmentation(paddleAugmentation, { seed: 1, epoch: 0 }, empty)).toBeUndefined();
  });

  test('has the probabilities and ranges of the recipe', () => {
    const all = range(1500).map((epoch) => drawAugmentation(paddleAugmentation, { seed: 5, epoch }, sample));
    const drawn = all.filter((one): one is Augmentation => one !== undefined);
    // A few crops that may overlap nothing leave no object; most keep one.
    expect(drawn.length).toBeGreaterThan(1500 * 0.75);
    expect(drawn.length).toBeLessThan(1500 * 0.95);
    // toBeCloseTo(…, 1) allows 0.05; the standard deviation of a share of 1,200 is 0.014.
    const shares = (of: (one: Augmentation) => boolean) => mean(drawn.map((one) => Number(of(one))));
    expect(shares(({ mirror }) => mirror)).toBeCloseTo(0.5, 1);
    expect(shares(({ colours }) => colours.contrastLast)).toBeCloseTo(0.5, 1);
    const kinds = [
      ['brightness', 1, 0.125],
      ['contrast', 1, 0.5],
      ['saturation', 1, 0.5],
      ['hue', 0, 18],
    ] as const;
    for (const [kind, still, delta] of kinds) {
      const shifts = drawn.map(({ colours }) => colours[kind] - still).filter((shift) => shift !== 0);
      expect(shifts.length / drawn.length).toBeCloseTo(0.5, 1);
      expect(mean(shifts) / delta).toBeCloseTo(0, 1);
      expect(mean(shifts.map((shift) => shift ** 2)) / delta ** 2).toBeCloseTo(1 / 3, 1);
      expect(Math.max(...shifts.map(Math.abs))).toBeLessThanOrEqual(delta);
      expect(Math.max(...shifts.map(Math.abs))).toBeGreaterThan(0.99 * delta);
    }
  });

  test('light: half are turned, half are cropped, by a little, and nothing else is done', () => {
    const all = range(1500).map((epoch) => drawAugmentation(lightAugmentation, { seed: 8, epoch }, sample));
    const drawn = all.filter((one): one is Augmentation => one !== undefined);
    expect(drawn.length).toBeGreaterThan(1400);
    const shares = (of: (one: Augmentation) => boolean) => mean(drawn.map((one) => Number(of(one))));
    expect(shares(({ mirror }) => mirror)).toBeCloseTo(0.5, 1);
    expect(shares(({ crop }) => crop.width < 200 || crop.height < 100)).toBeCloseTo(0.5, 1);
    for (const { colours, left, top, crop } of drawn) {
      expect(colours).toMatchObject({ brightness: 1, contrast: 1, saturation: 1, hue: 0 });
      expect([left, top]).toEqual([0, 0]);
      // Three quarters of the size, by a shape of 3 : 4; in whole pixels.
      expect(crop.width).toBeGreaterThan(200 * 0.75 * Math.sqrt(0.75) - 1);
      expect(crop.height).toBeGreaterThan(100 * 0.75 * Math.sqrt(0.75) - 1);
      expect(crop.left + crop.width).toBeLessThanOrEqual(200);
      expect(crop.top + crop.height).toBeLessThanOrEqual(100);
    }
  });

  test('expands half of the time by 1 to 4, anywhere', () => {
    const settings: AugmentSettings = { ...noAugmentation, expand: paddleAugmentation.expand };
    const all = range(1500).map((epoch) => drawAugmentation(settings, { seed: 6, epoch }, sample)!);
    const expanded = all.filter(({ crop }) => crop.width > 200 || crop.height > 100);
    expect(expanded.length / all.length).toBeCloseTo(0.5, 1);
    expect(mean(expanded.map(({ crop }) => crop.width / 200))).toBeCloseTo(2.5, 1);
    expect(Math.max(...expanded.map(({ crop }) => crop.width))).toBeLessThanOrEqual(800);
    for (const { left, top, crop } of expanded) {
      expect(left).toBeLessThanOrEqual(crop.width - 200);
      expect(top).toBeLessThanOrEqual(crop.height - 100);
    }
    const places = expanded.filter(({ crop }) => crop.width > 300).map(({ left, crop }) => left / (crop.width - 200));
    expect(mean(places)).toBeCloseTo(0.5, 1);
  });

  test('crops lie on the canvas, hold whole pixels and the centres of what they keep', () => {
    for (const epoch of range(500)) {
      const one = drawAugmentation(paddleAugmentation, { seed: 7, epoch }, sample);
      if (!one) continue;
      const { left, top, width, height } = one.crop;
      for (const value of [left, top, width, height, one.left, one.top]) expect(Number.isInteger(value)).toBe(true);
      expect(Math.min(left, top)).toBeGreaterThanOrEqual(0);
      expect(Math.min(width, height)).toBeGreaterThan(0);
      expect(one.left + sample.width).toBeGreaterThan(left);
      for (let i = 0; i < one.labels.length; i++) {
        const [xmin, ymin, xmax, ymax] = one.boxes.subarray(4 * i, 4 * i + 4);
        expect(xmin!).toBeGreaterThanOrEqual(0);
        expect(ymax!).toBeLessThanOrEqual(1);
        expect(xmax! - xmin!).toBeGreaterThan(0);
        expect(ymax! - ymin!).toBeGreaterThan(0);
      }
    }
  });

  test('a picture of one pixel survives', () => {
    const tiny = { id: 'x', width: 1, height: 1, boxes: Float32Array.of(0, 0, 1, 1), labels: Int32Array.of(1) };
    for (const epoch of range(200)) {
      const one = drawAugmentation(paddleAugmentation, { seed: 1, epoch }, tiny);
      if (one) expect(one.crop.width).toBeGreaterThan(0);
    }
  });
});

describe('pictures without labels', () => {
  const unlabelled = (epoch: number, of: typeof sample, settings = paddleAugmentation) =>
    drawAugmentation(settings, { seed: 4, epoch, unlabelled: true }, of);
  const empty = { ...sample, boxes: new Float32Array(0), labels: new Int32Array(0) };

  test('none is left out, boxes are not read, and there are none afterwards', () => {
    for (const epoch of range(300)) {
      const one = unlabelled(epoch, empty)!;
      expect([one.boxes.length, one.labels.length]).toEqual([0, 0]);
      expect(unlabelled(epoch, sample)).toEqual(one);
    }
  });

  test('crops lie anywhere: six of seven samplers crop, each at its first trial', () => {
    const settings = { ...paddleAugmentation, expand: noAugmentation.expand };
    const crops = range(1500).map((epoch) => unlabelled(epoch, empty, settings)!.crop);
    const cropped = crops.filter(({ width, height }) => width < 200 || height < 100);
    // Five standard deviations of a share of 1,500.
    expect(Math.abs(cropped.length / 1500 - 6 / 7)).toBeLessThan(5 * 0.009);
    expect(Math.min(...cropped.map(({ width }) => width))).toBeLessThan(80);
  });
});

describe('order of an epoch', () => {
  test('a permutation that depends on seed and epoch', () => {
    const order = epochOrder({ seed: 1, epoch: 0 }, 1000);
    expect([...order].sort((a, b) => a - b)).toEqual(range(1000));
    expect(epochOrder({ seed: 1, epoch: 0 }, 1000)).toEqual(order);
    expect(epochOrder({ seed: 1, epoch: 1 }, 1000)).not.toEqual(order);
    expect(epochOrder({ seed: 2, epoch: 0 }, 1000)).not.toEqual(order);
  });

  test('every place is as likely as any other', () => {
    const first = range(2000).map((epoch) => epochOrder({ seed: 9, epoch }, 10)[0]!);
    for (const sampleIndex of range(10)) {
      expect(first.filter((index) => index === sampleIndex).length / 2000).toBeCloseTo(0.1, 1);
    }
  });
});

test.each<[string, object]>([
  ['augment.samplers.0.scale.0', { samplers: [{ ...lightAugmentation.samplers[1], scale: [0, 1] }] }],
  ['augment.samplers.0.aspectRatio.1', { samplers: [{ ...lightAugmentation.samplers[1], aspectRatio: [1, 1e9] }] }],
  ['augment.expand.maxRatio', { expand: { probability: 1, maxRatio: 1e9 } }],
  ['augment.hue.delta', { hue: { probability: 1, delta: 129 } }],
  ['augment.brightness.delta', { brightness: { probability: 1, delta: 1.5 } }],
])('%s beyond all pictures is refused', (name, wrong) => {
  expect(() => augmentSettings({ ...noAugmentation, ...wrong })).toThrow(
    expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringContaining(`${name}: `) }),
  );
});
