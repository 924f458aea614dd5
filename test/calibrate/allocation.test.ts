import path from 'node:path';
import { graph } from '../cli/command';
import { smallNet, smallWeights } from './small-net';

const { allocateByError } =
  require('../../dist/lib/calibrate/allocation') as typeof import('../../lib/calibrate/allocation');
const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { Pruner } = require('../../dist/lib/prune/prune') as typeof import('../../lib/prune/prune');
const { widthGrid } = require('../../dist/lib/prune/width-grid') as typeof import('../../lib/prune/width-grid');

const pruner = new Pruner(smallNet(smallWeights()));
const groups = ['c1.w', 'c2.w'].map((name) => pruner.groups.ofLayer(name)[0]!);
const grids = groups.map((group) => widthGrid(group, { align: 1, minChannels: 1 }));
/** MACs by hand: 81·27 a channel of the first layer, 16·9 for its depthwise, 16 a pair of channels, 16·9·4 a channel of the second. */
const macs = (first: number, second: number) => first * (81 * 27 + 16 * 9) + 16 * first * second + second * 16 * 9 * 4;

describe('widths by error curves', () => {
  test.each([
    ['the second layer is free', (k: number) => k, () => 0],
    ['the first layer is free', () => 0, (k: number) => k],
    ['both bend', (k: number) => 0.01 * k ** 2, (k: number) => 0.02 * k ** 3],
  ])('%s: the best of all widths in the window', (_, first, second) => {
    const [target, tolerance] = [0.3, 0.1];
    const curves = [first, second].map((error, i) => ({
      group: groups[i]!,
      readers: [],
      order: new Int32Array(0),
      errors: Float64Array.from({ length: [11, 7][i]! }, (__, k) => error(k)),
    }));
    const found = allocateByError(grids, curves, pruner.macs, target, tolerance);
    const kept = groups.map(({ id }) => found.kept[id]!);
    const whole = macs(10, 6);
    expect(found.cut).toBeCloseTo(1 - macs(kept[0]!, kept[1]!) / whole, 12);
    expect(found.cut).toBeGreaterThanOrEqual(target);
    expect(found.cut).toBeLessThanOrEqual(target + tolerance);
    let least = Number.POSITIVE_INFINITY;
    for (let a = 1; a <= 10; a++) {
      for (let b = 1; b <= 6; b++) {
        const cut = 1 - macs(a, b) / whole;
        if (cut >= target && cut <= target + tolerance) least = Math.min(least, first(10 - a) + second(6 - b));
      }
    }
    expect(first(10 - kept[0]!) + second(6 - kept[1]!)).toBeCloseTo(least, 12);
  });

  test('a target out of reach is refused', () => {
    const curves = groups.map((group) => ({
      group,
      readers: [],
      order: new Int32Array(0),
      errors: new Float64Array(group.classes.length),
    }));
    expect(() => allocateByError(grids, curves, pruner.macs, 0.99, 0.001)).toThrow(
      expect.objectContaining({ code: 'ERR_TARGET_UNREACHABLE' }),
    );
  });

  test('74 layers, all entangled: the widths that were found when every price built everything anew', async () => {
    const many = new Pruner(await readModel(graph('many-alike-13')));
    const own = many.select({ prunedParams: '.*', skipLocked: true }).selection.groups;
    const curves = own.map((group, i) => ({
      group,
      readers: [],
      order: new Int32Array(0),
      errors: Float64Array.from(
        { length: group.classes.length + 1 },
        (_, k) => (1 + ((7 * i) % 5)) * (k / group.classes.length) ** 2,
      ),
    }));
    const all = own.map((group) => widthGrid(group, { align: 1, minChannels: 1 }));
    const found = allocateByError(all, curves, many.macs, 0.4, 0.02);
    const widths = '1122212212122121221212212122121221212212122121221212222122221222212222128d';
    expect(own.map(({ id }) => found.kept[id]!.toString(16)).join('')).toBe(widths);
  });

  const curveOf = (grid: number, error: (removed: number) => number, partial = false) => ({
    group: groups[grid]!,
    readers: [],
    partial,
    order: new Int32Array(0),
    errors: Float64Array.from({ length: groups[grid]!.classes.length + 1 }, (_, k) => error(k)),
  });

  test.each([
    ['no curves at all', []],
    ['curves of some readers only', [0, 1].map((grid) => curveOf(grid, (k) => 0.1 * k, true))],
  ])('%s: the same ratio everywhere', (_, curves) => {
    const even = pruner.plan({ prunedParams: 'c[12]\\.w', targetRatio: 0.3, tolerance: 0.1, align: 1 }).search;
    expect(allocateByError(grids, curves, pruner.macs, 0.3, 0.1).kept).toEqual(even.kept);
  });

  describe('groups without a curve, beside one that has one', () => {
    const options = {
      prunedParams: '.*',
      skipLocked: true,
      includeTied: true,
      targetRatio: 0.3,
      tolerance: 0.2,
      align: 1,
    };
    /** How many members more than at the same ratio everywhere the others keep, where the second group's curve is `error`. */
    const spread = async (error: (removed: number, even: number) => number) => {
      const dense = new Pruner(await readModel(path.join(__dirname, '..', 'graphs', 'concat-densenet-legacy-12.onnx')));
      const { selection, search } = dense.plan(options);
      const measured = selection.groups[1];
      const blind = selection.groups.filter((group) => group !== measured);
      const members = measured!.classes.length;
      const even = members - search.kept[measured!.id]!;
      const errors = Float64Array.from({ length: members + 1 }, (_, k) => error(k, even));
      const curve = { group: measured!, readers: [], order: new Int32Array(0), errors };
      const own = selection.groups.map((group) => widthGrid(group, { align: 1, minChannels: 1 }));
      const { kept } = allocateByError(own, [curve], dense.macs, 0.3, 0.2);
      expect(blind.length).toBeGreaterThan(3);
      return { more: blind.map(({ id }) => kept[id]! - search.kept[id]!), cut: members - kept[measured!.id]!, even };
    };

    test('none loses more than its even share, where the measured one has no more to give either', async () => {
      const { more } = await spread((k, even) => (k <= even ? 0 : 3));
      expect(Math.min(...more)).toBeGreaterThanOrEqual(0);
    });

    test('they are spared as long as the measured one loses next to nothing', async () => {
      const { more, cut, even } = await spread((k) => 1e-6 * k);
      expect(cut).toBeGreaterThan(even);
      expect(Math.min(...more)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...more)).toBeGreaterThan(0);
    });
  });
});
