import { readModel } from '../../lib/model/read';
import { Pruner } from '../../lib/prune/prune';
import { widthGrid } from '../../lib/prune/width-grid';
import type { LossCurve, LossCurves } from '../../lib/sensitivity/loss-curves';
import { lossesByRemovals, lossWidthSearch } from '../../lib/sensitivity/loss-widths';
import { smallNet, smallWeights } from '../calibrate/small-net';
import { graph } from '../cli/command';

const pruner = new Pruner(smallNet(smallWeights()));
const prunedParams = 'c[12]\\.w';
const grids = pruner
  .select({ prunedParams })
  .selection.groups.map((group) => widthGrid(group, { align: 1, minChannels: 1 }));
/** MACs by hand: 81·27 a channel of the first layer, 16·9 for its depthwise, 16 a pair of channels, 16·9·4 a channel of the second. */
const macs = (first: number, second: number) => first * (81 * 27 + 16 * 9) + 16 * first * second + second * 16 * 9 * 4;

const curve = (channels: number | undefined, points: Record<number, number>): LossCurve => ({
  channels,
  points: Object.entries(points)
    .map(([ratio, loss]) => ({ ratio: Number(ratio), loss }))
    .sort((a, b) => a.ratio - b.ratio),
});
const losses = (curves: Record<string, LossCurve>, relative = true): LossCurves => ({
  source: 'points.json',
  relative,
  curves: new Map(Object.entries(curves)),
});

describe('losses between the points', () => {
  test('straight lines through nothing, the points, and everything where no channel is left', () => {
    const found = Array.from(lossesByRemovals(curve(8, { 0.25: 0.02, 0.5: 0.1 }).points, 8, 1));
    [0, 0.01, 0.02, 0.06, 0.1, 0.325, 0.55, 0.775, 1].forEach((loss, removed) => {
      expect(found[removed]).toBeCloseTo(loss, 12);
    });
  });

  test('noise: a wider layer that loses more shares its mean with the narrower one, and a gain is no loss', () => {
    const found = lossesByRemovals(curve(10, { 0.2: -0.01, 0.4: 0.06, 0.6: 0.02, 0.8: 0.5 }).points, 10, 1);
    [0, 0, 0, 0.02, 0.04, 0.04, 0.04, 0.27, 0.5, 0.75, 1].forEach((loss, removed) => {
      expect(found[removed]).toBeCloseTo(loss, 12);
    });
  });

  test('more is never less, whatever the points', () => {
    for (let seed = 1; seed < 40; seed++) {
      const points = Object.fromEntries([0.1, 0.3, 0.5, 0.9].map((r, i) => [r, Math.sin(seed * (i + 1) * 12.9898)]));
      const found = lossesByRemovals(curve(16, points).points, 16, 1);
      expect(found[0]).toBe(0);
      found.forEach((loss, i) => {
        expect(loss).toBeGreaterThanOrEqual((found[i - 1] ?? 0) - 1e-12);
      });
    }
  });
});

describe('widths for a target', () => {
  test.each([
    ['the second layer is dear', { 0.5: 0.01 }, { 0.5: 0.4 }],
    ['the first layer is dear', { 0.5: 0.3 }, { 0.5: 0.01 }],
    ['both bend', { 0.2: 0.01, 0.4: 0.04, 0.6: 0.1 }, { 0.2: 0.005, 0.5: 0.08 }],
  ])('%s: the least summed loss of all widths in the window', (_, first, second) => {
    const [target, tolerance] = [0.3, 0.1];
    const curves = losses({ 'c1.w': curve(10, first), 'c2.w': curve(6, second) });
    const found = lossWidthSearch(pruner.groups, grids, curves)(pruner.macs, target, tolerance);
    const [a, b] = grids.map(({ group }) => found.kept[group.id]!) as [number, number];
    // By hand: between 0, the points and 1.
    const at = (points: Record<number, number>, gone: number): number => {
      const knots: [number, number][] = [
        [0, 0],
        ...Object.entries(points).map(([r, l]): [number, number] => [+r, l]),
        [1, 1],
      ];
      const right = knots.findIndex(([r], i) => i > 0 && r >= gone - 1e-12);
      const [[x, y], [X, Y]] = [knots[right - 1]!, knots[right]!];
      return y + ((Y - y) * (gone - x)) / (X - x);
    };
    const lossOf = (one: number, two: number) => at(first, 1 - one / 10) + at(second, 1 - two / 6);
    let least = Number.POSITIVE_INFINITY;
    for (let one = 1; one <= 10; one++) {
      for (let two = 1; two <= 6; two++) {
        const cut = 1 - macs(one, two) / macs(10, 6);
        if (cut >= target && cut <= target + tolerance) least = Math.min(least, lossOf(one, two));
      }
    }
    expect(found.cut).toBeCloseTo(1 - macs(a, b) / macs(10, 6), 12);
    expect([found.cut >= target, found.cut <= target + tolerance]).toEqual([true, true]);
    expect(lossOf(a, b)).toBeCloseTo(least, 9);
  });

  test('shares and differences of the same losses give the same widths', () => {
    const base = 0.7;
    const widths = [1, base].map((unit) => {
      const curves = { 'c1.w': curve(10, { 0.3: 0.02 * unit }), 'c2.w': curve(6, { 0.5: 0.03 * unit }) };
      return pruner.plan({
        ...{ prunedParams, targetRatio: 0.2, tolerance: 0.1, align: 1 },
        ...{ allocation: 'sensitivity', sensitivities: losses(curves, unit === 1) },
      }).search.kept;
    });
    expect(widths[1]).toEqual(widths[0]);
  });

  const plan = (curves: Record<string, LossCurve>) =>
    pruner.plan({
      ...{ prunedParams, targetRatio: 0.2, tolerance: 0.1, align: 1 },
      ...{ allocation: 'sensitivity', sensitivities: losses(curves) },
    });
  const refused = (code: string, message: RegExp) =>
    expect.objectContaining({ code, message: expect.stringMatching(message) });

  test('layers without a curve are refused by name', () => {
    expect(() => plan({ 'c1.w': curve(10, { 0.5: 0.1 }) })).toThrow(
      refused('ERR_BAD_DATA', /^points\.json has no curve for c2\.w: /),
    );
    expect(() => plan({ 'c1.w': curve(10, {}), other: curve(6, { 0.5: 0.1 }) })).toThrow(
      refused('ERR_BAD_DATA', /no curve for c1\.w, c2\.w: /),
    );
  });

  test('a curve of another number of channels is refused by name', () => {
    const curves = { 'c1.w': curve(12, { 0.5: 0.1 }), 'c2.w': curve(6, { 0.5: 0.1 }) };
    expect(() => plan(curves)).toThrow(refused('ERR_BAD_DATA', /c1\.w has 12 channels, but it has 10/));
  });

  test('one without the other is wrong usage', () => {
    const given = { prunedParams, targetRatio: 0.2 };
    expect(() => pruner.plan({ ...given, allocation: 'sensitivity' })).toThrow(refused('ERR_USAGE', /--sensitivities/));
    expect(() => pruner.plan({ ...given, sensitivities: losses({}) })).toThrow(refused('ERR_USAGE', /--allocation/));
  });

  test('layers that share their channels: the curve of any of them will do, as PaddleSlim lists them', async () => {
    const tied = new Pruner(await readModel(graph('residual-resnet-legacy-17')));
    // Its layers 130, 136 and 142 meet in Adds.
    const given = { prunedParams: 'onnx::Conv_1(30|36|42)', targetRatio: 0.1, tolerance: 0.2, align: 1 };
    const joined = tied.select(given).selection.groups[0]!;
    expect(joined.layers.map(({ producer }) => producer.name)).toHaveLength(3);
    const found = ['onnx::Conv_136', 'onnx::Conv_130 + onnx::Conv_136 + onnx::Conv_142'].map((name) => {
      const sensitivities = losses({ [name]: curve(joined.classes.length, { 0.5: 0.1 }) });
      return tied.plan({ ...given, allocation: 'sensitivity', sensitivities }).search.kept[joined.id];
    });
    expect(found[0]).toBeLessThan(joined.classes.length);
    expect(found[1]).toBe(found[0]);
  });
});
