import path from 'node:path';
import { clone } from '@bufbuild/protobuf';
import { clip, conv, greedy, type Map4, type Ridge, ridgeOf, solveRidge, windows } from '../calibrate/naive';
import { type NoisePictures, noisePictures } from '../calibrate/noise-pictures';
import { smallNet, smallWeights } from '../calibrate/small-net';

const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { sensitivityByPictures } =
  require('../../dist/lib/sensitivity/sensitivity') as typeof import('../../lib/sensitivity/sensitivity');
const { NodeProtoSchema, TensorProtoSchema, ValueInfoProtoSchema } =
  require('../../dist/lib/model/onnx_pb') as typeof import('../../lib/model/onnx_pb');
const { renderSensitivityReport } =
  require('../../dist/lib/sensitivity/sensitivity-table') as typeof import('../../lib/sensitivity/sensitivity-table');

type Options = Parameters<typeof sensitivityByPictures>[1];

let pictures: NoisePictures;
beforeAll(async () => {
  pictures = await noisePictures(8, 9, ['out', 'out']);
});

const w = smallWeights();
const measure = (model: ReturnType<typeof smallNet>, more: Partial<Options> = {}) =>
  sensitivityByPictures(model, {
    prunedParams: 'c[12]\\.w',
    align: 1,
    ...more,
    calibrate: { pictures: pictures.folder, detector: pictures.detector },
  });

/** MACs by hand: 81·27 a channel of the first layer, 16·9 for its depthwise, 16 a pair of channels, 16·9·4 a channel of the second. */
const macs = (first: number, second: number) => first * (81 * 27 + 16 * 9) + 16 * first * second + second * 16 * 9 * 4;
const whole = macs(10, 6);

/** Pictures as the network sees them, (n, 3, 9, 9). */
function input(): Map4 {
  const data = pictures.pixels.flatMap((bytes) =>
    [0, 1, 2].flatMap((c) => Array.from({ length: 81 }, (_, i) => (bytes[i * 3 + c]! - 127) / 60)),
  );
  return { dims: [pictures.pixels.length, 3, 9, 9], data: Float64Array.from(data) };
}

/** Errors of both layers by channels removed, 0 … all but one, from plain float64 least squares. */
function naiveErrors(): [number[], number[]] {
  const first = clip(conv(input(), w['c1.w']!, w['c1.b']!, 10, 3, 1, [1, 1, 1, 1]), 6);
  const front = clip(conv(first, w['dw.w']!, w['dw.b']!, 10, 3, 2, [0, 0, 1, 1], true));
  const second = conv(front, w['c2.w']!, w['c2.b']!, 6, 1, 1, [0, 0, 0, 0]);
  const third = conv(clip(second), w['c3.w']!, w['c3.b']!, 4, 3, 1, [1, 1, 1, 1]);
  const turned = (values: Float32Array, columns: number, outputs: number) =>
    Array.from({ length: columns }, (_, c) => Array.from({ length: outputs }, (_, o) => values[o * columns + c]!));
  const [x2, y2] = [windows(front, 1, 0), windows(second, 1, 0)];
  const [x3, y3] = [windows(clip(second), 3, 1), windows(third, 1, 0)];
  return [
    missedBy(ridgeOf(x2, y2, turned(w['c2.w']!, 10, 6)), x2, y2, 10, 1),
    missedBy(ridgeOf(x3, y3, turned(w['c3.w']!, 54, 4)), x3, y3, 6, 9),
  ];
}

/** The ridge objective as a share of the outputs' variance: residuals row by row, and how far the weights have moved. */
function missedBy(problem: Ridge, x: number[][], y: number[][], members: number, places: number): number[] {
  const order = greedy(problem, members, places, members - 1);
  return Array.from({ length: members }, (_, removals) => {
    const gone = new Set(order.slice(0, removals));
    const kept = problem.weights.map((__, column) => column).filter((column) => !gone.has(Math.floor(column / places)));
    const { weights, bias } = solveRidge(problem, kept);
    const rowOf = new Map(kept.map((column, i) => [column, i]));
    let error = 0;
    x.forEach((row, r) => {
      bias.forEach((offset, o) => {
        const made = kept.reduce((sum, column, i) => sum + row[column]! * weights[i]![o]!, offset);
        error += (made - y[r]![o]!) ** 2 / x.length;
      });
    });
    problem.weights.forEach((before, column) => {
      before.forEach((weight, o) => {
        error += problem.ridge * (weight - (weights[rowOf.get(column) ?? -1]?.[o] ?? 0)) ** 2;
      });
    });
    return error / problem.variance.reduce((a, b) => a + b, 0);
  });
}

describe('a small network against a slow float64 reference', () => {
  test('the error at every width, and what it saves', async () => {
    const report = await measure(smallNet(w));
    expect(report).toMatchObject({
      schema: 'ssd-prune.sensitivity/1',
      measure: 'reconstruction',
      images: 8,
      targetRatio: null,
      cut: null,
      worst: [],
    });
    expect(report.layers.map(({ name, readers, channels }) => [name, readers, channels])).toEqual([
      ['c1.w', ['c2.w'], 10],
      ['c2.w', ['c3.w'], 6],
    ]);
    naiveErrors().forEach((errors, i) => {
      const { points, channels, chosen } = report.layers[i]!;
      expect(chosen).toBeNull();
      expect(points.map(({ kept }) => kept)).toEqual(errors.map((_, removed) => channels - removed));
      points.forEach(({ kept, ratio, errorKept, saved }, removed) => {
        expect(errorKept).toBeCloseTo(errors[removed]!, 6);
        expect(ratio).toBeCloseTo(removed / channels, 12);
        expect(saved).toBeCloseTo(1 - (i === 0 ? macs(kept, 6) : macs(10, kept)) / whole, 12);
      });
      // Both ends, so that equal curves of nothing don't pass.
      expect(errors[0]).toBeLessThan(1e-9);
      expect(errors.at(-1)).toBeGreaterThan(0.05);
    });
    expect(report.layers[0]!.share).toBeCloseTo((10 * 81 * 27) / whole, 12);
    expect(report.layers[1]!.share).toBeCloseTo((16 * 60) / whole, 12);
  });

  test('without a target: −10, −25, −50, −75 % of the channels, as near as the grid comes, each width once', async () => {
    const report = await measure(smallNet(w), { align: 2, minChannels: 3 });
    const widths = report.layers.map(({ cuts }) => cuts.map(({ kept }) => kept));
    // Of 10: 9, 7.5, 5, 2.5 on 4, 6, 8, 10. Of 6: 5.4, 4.5, 3, 1.5 on 4, 6; of two equally near ones the wider.
    expect(widths).toEqual([
      [10, 8, 6, 4],
      [6, 4],
    ]);
    const [errors] = naiveErrors();
    report.layers[0]!.cuts.forEach(({ kept, errorKept }) => {
      expect(errorKept).toBeCloseTo(errors[10 - kept]!, 6);
    });
    const text = renderSensitivityReport(report);
    expect(text).toMatch(/c2\.w (.*)6: \S+ %(.* 4: \S+ %){3}/);
    expect(text).toMatch(
      new RegExp(`c1\\.w .* 8: ${(100 * errors[2]!).toFixed(2)} % .* 4: ${(100 * errors[6]!).toFixed(2)} %`),
    );
  });

  test('with a target: the widths of least error, their price, and the worst first', async () => {
    const [targetRatio, tolerance] = [0.3, 0.1];
    const report = await measure(smallNet(w), { targetRatio, tolerance });
    const [first, second] = naiveErrors();
    let best = { error: Number.POSITIVE_INFINITY, widths: [0, 0] };
    for (let a = 1; a <= 10; a++) {
      for (let b = 1; b <= 6; b++) {
        const cut = 1 - macs(a, b) / whole;
        const error = first[10 - a]! + second[6 - b]!;
        if (cut >= targetRatio && cut <= targetRatio + tolerance && error < best.error)
          best = { error, widths: [a, b] };
      }
    }
    const [a, b] = best.widths as [number, number];
    expect(report.layers.map(({ chosen }) => chosen!.kept)).toEqual([a, b]);
    expect(report.cut).toBeCloseTo(1 - macs(a, b) / whole, 12);
    const errors = [first[10 - a]!, second[6 - b]!];
    const saved = [1 - macs(a, 6) / whole, 1 - macs(10, b) / whole];
    report.layers.forEach(({ chosen }, i) => {
      expect(chosen!.errorKept).toBeCloseTo(errors[i]!, 6);
      expect(chosen!.errorShare).toBeCloseTo(errors[i]! / best.error, 5);
      if (saved[i]! > 0) expect(chosen!.price).toBeCloseTo(errors[i]! / saved[i]!, 5);
      else expect(chosen!.price).toBeNull();
    });
    const cut = ['c1.w', 'c2.w'].filter((_, i) => saved[i]! > 0);
    expect(report.worst).toEqual(cut.sort((x, y) => errors[Number(y === 'c2.w')]! - errors[Number(x === 'c2.w')]!));
    expect(renderSensitivityReport(report)).toMatch(
      new RegExp(
        `−30 % hurts most behind[^]*${report.worst[0]} .* ${((100 * Math.max(...errors)) / best.error).toFixed(2)} %`,
      ),
    );
  });
});

/** The small network with a second layer that reads what the 1×1 reads, by the same weights, as another output. */
function twoReaders() {
  const model = smallNet(w);
  const { graph } = model;
  const twin = clone(NodeProtoSchema, graph.node.find(({ name }) => name === 'c2')!);
  twin.name = 'twin';
  twin.output = ['twin out'];
  for (const [at, name] of [
    [1, 'c2.w'],
    [2, 'c2.b'],
  ] as const) {
    const copy = clone(TensorProtoSchema, graph.initializer.find((tensor) => tensor.name === name)!);
    copy.name = `twin${name}`;
    graph.initializer.push(copy);
    twin.input[at] = copy.name;
  }
  graph.node.push(twin);
  const output = clone(ValueInfoProtoSchema, graph.output[0]!);
  output.name = 'twin out';
  const { value } = output.type!.value as { value: { shape: { dim: { value: unknown }[] } } };
  value.shape.dim[1]!.value = { case: 'dimValue', value: 6n };
  graph.output.push(output);
  return new (model.constructor as typeof import('../../lib/model/onnx-model').OnnxModel)(model.proto);
}

test('of several readers: their mean, but their sum where it is shared out', async () => {
  const report = await measure(twoReaders(), { targetRatio: 0.2, tolerance: 0.1 });
  const [first, second] = naiveErrors();
  const [front, back] = report.layers;
  expect([front!.readers, back!.readers]).toEqual([['c2.w', 'twinc2.w'], ['c3.w']]);
  front!.points.forEach(({ errorKept }, removed) => {
    expect(errorKept).toBeCloseTo(first[removed]!, 6);
  });
  const chosen = report.layers.map((layer) => layer.chosen!);
  const [a, b] = [first[10 - chosen[0]!.kept]!, second[6 - chosen[1]!.kept]!];
  expect(chosen[0]!.errorKept).toBeCloseTo(a, 6);
  expect(chosen[0]!.errorShare).toBeCloseTo((2 * a) / (2 * a + b), 5);
  expect(chosen[0]!.price).toBeCloseTo((2 * a) / chosen[0]!.saved, 4);
});

test('layers whose readers can’t be sampled have no curve, and the report says why', async () => {
  const file = path.join(__dirname, '..', 'graphs', 'grouped-resnext-legacy-13.onnx');
  const model = await readModel(file);
  const { folder, detector } = await noisePictures(4, 64);
  const report = await sensitivityByPictures(model, {
    prunedParams: '.*',
    skipLocked: true,
    includeTied: true,
    align: 1,
    targetRatio: 0.2,
    tolerance: 0.1,
    calibrate: { pictures: folder, detector },
  });
  const blind = report.layers.filter(({ points }) => points.length === 0);
  expect(blind.length).toBeGreaterThan(0);
  for (const { reason, readers, cuts, chosen } of blind) {
    expect([readers, cuts, chosen!.errorKept, chosen!.price]).toEqual([[], [], null, null]);
    expect(reason).toMatch(/grouped convolution/);
  }
  expect(renderSensitivityReport(report)).toContain(`  ${blind[0]!.name}: ${blind[0]!.reason}`);
  expect(report.skipped.length).toBeGreaterThan(0);
});

test('is ended by its signal', async () => {
  const { folder, detector } = pictures;
  const signal = AbortSignal.abort();
  const work = sensitivityByPictures(smallNet(w), {
    prunedParams: 'c1\\.w',
    calibrate: { pictures: folder, detector, signal },
  });
  await expect(work).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});

test('a model with a fixed batch is given whole batches, and says where there are too few pictures', async () => {
  const model = smallNet(w);
  const { value } = model.graph.input[0]!.type!.value as { value: { shape: { dim: { value: unknown }[] } } };
  value.shape.dim[0]!.value = { case: 'dimValue', value: 4n };
  const { folder, detector } = pictures;
  const wish = { prunedParams: 'c1\\.w', align: 1 };
  const { images } = await sensitivityByPictures(model, {
    ...wish,
    calibrate: { pictures: folder, detector, images: 7 },
  });
  expect(images).toBe(4);
  const few = sensitivityByPictures(model, { ...wish, calibrate: { pictures: folder, detector, images: 3 } });
  await expect(few).rejects.toMatchObject({
    code: 'ERR_BAD_DATA',
    message: expect.stringContaining('takes 4 pictures a run, but only 3 were drawn'),
  });
});
