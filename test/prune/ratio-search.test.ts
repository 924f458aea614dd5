import type { ChannelGroup } from '../../lib/prune/channel-groups';
import type { CostModel } from '../../lib/prune/cost';
import { paddleBisection, roundHalfEven, searchAlong, uniformPath } from '../../lib/prune/ratio-search';
import { nearestStep, type WidthGrid, widthGrid } from '../../lib/prune/width-grid';

/** A group of `size` members, each one channel of one layer. */
const group = (id: number, size: number): ChannelGroup =>
  ({
    id,
    classes: new Int32Array(size),
    locks: new Array(size).fill(undefined),
    layers: [{ channels: [new Int32Array(1)] }],
  }) as unknown as ChannelGroup;

/** Work that is the sum of what layers keep, each times its weight. */
const costOf = (sizes: readonly number[], weights = sizes.map(() => 1)): CostModel => {
  const total = (kept: ArrayLike<number>) => weights.reduce((sum, weight, i) => sum + weight * kept[i]!, 0);
  return {
    whole: () => [...sizes],
    total,
    cut: (kept: ArrayLike<number>) => 1 - total(kept) / total(sizes),
  } as unknown as CostModel;
};

const grids = (sizes: readonly number[], align: number): WidthGrid[] =>
  sizes.map((size, id) => widthGrid(group(id, size), { align, minChannels: 1 }));

const search = (sizes: readonly number[], align: number, target: number, tolerance = 0.01, weights?: number[]) => {
  const own = grids(sizes, align);
  return searchAlong(uniformPath(own), own, costOf(sizes, weights), target, tolerance);
};

describe('widths on the grid', () => {
  test('multiples of the block below the size, and the size itself', () => {
    expect(grids([20], 8)[0]!.steps).toEqual([8, 16, 20]);
    expect(grids([8], 8)[0]!.steps).toEqual([8]);
    expect(grids([3], 1)[0]!.steps).toEqual([1, 2, 3]);
  });

  test('the nearest to a ratio, of two equally near ones the wider', () => {
    const [grid] = grids([32], 8);
    // Keeping 20 of 32 is as near to 16 as to 24.
    expect(grid!.steps[nearestStep(grid!, 12 / 32)]).toBe(24);
    expect(grid!.steps[nearestStep(grid!, 0.4)]).toBe(16);
  });
});

describe('the search', () => {
  test('takes a point of uniform ratio that hits', () => {
    const found = search([64, 64, 64], 8, 0.25);
    expect(found.kept).toEqual([48, 48, 48]);
    expect(found.cut).toBe(0.25);
  });

  test('moves single layers where uniform ratios jump over the target', () => {
    // All four narrow at once by a quarter; one of them alone is a sixteenth.
    const { kept, cut } = search([32, 32, 32, 32], 8, 0.06);
    expect([...kept].sort((a, b) => a - b)).toEqual([24, 32, 32, 32]);
    expect(cut).toBe(1 / 16);
  });

  test('goes from one point to the other where sixty layers must move', () => {
    const sizes = new Array(120).fill(2);
    const { kept, cut } = search(sizes, 1, 0.25);
    expect(cut).toBeGreaterThanOrEqual(0.25);
    expect(cut).toBeLessThanOrEqual(0.26);
    expect(kept.filter((width) => width === 1).length).toBeGreaterThanOrEqual(60);
  });

  test('says what the largest reachable cut is', () => {
    // 8 of 32 and 8 of 64 stay: 80 of 96 go.
    expect(() => search([32, 64], 8, 0.9)).toThrow(
      expect.objectContaining({ code: 'ERR_TARGET_UNREACHABLE', message: expect.stringContaining('83.33 %') }),
    );
  });

  test('says which cuts are nearest where the grid holds none', () => {
    // One layer, a quarter a step.
    expect(() => search([32], 8, 0.3)).toThrow(
      expect.objectContaining({
        code: 'ERR_TARGET_UNREACHABLE',
        message: expect.stringMatching(/nearest cuts are 25\.00 % and 50\.00 %/),
      }),
    );
  });

  test('says them with the digits that tell them apart', () => {
    // 1 of 30000 is 0.00333 %, and no whole number of them is 0.005 %.
    expect(() => search([30_000], 1, 0.00005, 0)).toThrow(/between 0\.005 % and 0\.005 %.* are 0\.003 % and 0\.007 %/);
  });

  test('ends soon on a large grid without an answer', () => {
    // Layers 0 to 199 weigh nothing; the last can only go from 2 to 1.
    const sizes = new Array(200).fill(64);
    sizes.push(2);
    const weights = sizes.map((_, i) => (i === 200 ? 1 : 0));
    const started = performance.now();
    expect(() => search(sizes, 1, 0.3, 0.01, weights)).toThrow(
      expect.objectContaining({ code: 'ERR_TARGET_UNREACHABLE' }),
    );
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe('as Paddle 1.x', () => {
  test('halves round to the even neighbour, as Python 3 has it', () => {
    expect([0.5, 1.5, 2.5, 3.5, 2.4, 2.6].map(roundHalfEven)).toEqual([0, 2, 2, 4, 2, 3]);
  });

  test('bisects from (0, 1), and stops where it would never end', () => {
    const cost = costOf([100]);
    const keptAt = (ratio: number) => [100 - roundHalfEven(100 * ratio)];
    // At 0.1875, 19 of 100 go: within 0.015 of the target.
    const { trials } = paddleBisection(keptAt, cost, 0.2, 0.015);
    expect(trials.map(({ ratio }) => ratio)).toEqual([0.5, 0.25, 0.125, 0.1875]);
    expect(() => paddleBisection((ratio) => [2 - roundHalfEven(2 * ratio)], costOf([2]), 0.25, 0.01)).toThrow(
      expect.objectContaining({ code: 'ERR_TARGET_UNREACHABLE' }),
    );
  });
});
