import { fitBilinear, type SurfacePoint, WidthSurface } from '../../lib/latency/width-surface';

/** Times that no plane holds: the sizes' product and a bump. */
const time = (a: number, b: number): number => a * b + (a === 32 ? 5 : 0);
const grid: SurfacePoint[] = [16, 32, 64].flatMap((a) =>
  [8, 24].map((b) => ({ sizes: [a, b], milliseconds: time(a, b) })),
);

describe('a surface of times', () => {
  const surface = WidthSurface.through(grid, 1)!;

  test('is exact where it was measured', () => {
    for (const { sizes, milliseconds } of grid) expect(surface.at(sizes)).toBe(milliseconds);
  });

  test('is bilinear between, by hand', () => {
    // (16, 8) 128, (16, 24) 384, (32, 8) 261, (32, 24) 773.
    expect(surface.at([24, 16])).toBeCloseTo((128 + 384 + 261 + 773) / 4, 9);
    expect(surface.at([20, 8])).toBeCloseTo(128 + (261 - 128) / 4, 9);
  });

  test('goes on beyond its edges as in its outermost cells', () => {
    // (64, 8) 512: per channel (512 − 261) / 32.
    expect(surface.at([80, 8])).toBeCloseTo(512 + (16 * (512 - 261)) / 32, 9);
    expect(surface.at([8, 8])).toBeCloseTo(128 - (8 * (261 - 128)) / 16, 9);
  });

  test('blocks: a begun block costs as much as a full one', () => {
    const blocks = WidthSurface.through(
      [20, 40, 64].map((a) => ({ sizes: [a], milliseconds: a })),
      16,
    )!;
    expect([33, 40, 48].map((size) => blocks.at([size]))).toEqual([40, 40, 40]);
    expect(blocks.at([49])).toBe(64);
  });

  test('several times at one place: their mean; a grid with a hole: none', () => {
    const twice = WidthSurface.through(
      [3, 5].map((milliseconds) => ({ sizes: [8], milliseconds })),
      1,
    )!;
    expect(twice.at([8])).toBe(4);
    expect(twice.at([100])).toBe(4);
    expect(WidthSurface.through(grid.slice(1), 1)).toBeUndefined();
  });
});

describe('least squares', () => {
  test('finds the function that the points lie on', () => {
    const points = [1, 2, 5].flatMap((a) =>
      [10, 30].map((b) => ({ sizes: [a, b], milliseconds: 0.5 + 2 * a - 0.1 * b + 0.03 * a * b })),
    );
    const { coefficients, missed } = fitBilinear(points, 1);
    const expected = [0.5, 2, -0.1, 0.03];
    for (const [i, value] of expected.entries()) expect(coefficients[i]).toBeCloseTo(value, 9);
    expect(missed).toBeCloseTo(0, 12);
  });

  test('a size that never changes takes no part', () => {
    const points = [1, 2, 3].map((a) => ({ sizes: [a, 7], milliseconds: 1 + a }));
    const { coefficients, missed } = fitBilinear(points, 1);
    expect(missed).toBeCloseTo(0, 12);
    const at = (a: number) => coefficients[0] + a * coefficients[1] + 7 * coefficients[2] + 7 * a * coefficients[3];
    expect(at(5)).toBeCloseTo(6, 9);
  });

  test('what is missed, by hand: 0, 1, 0 around the line through their mean', () => {
    const points = [1, 2, 3].map((a) => ({ sizes: [a], milliseconds: a === 2 ? 1 : 0 }));
    expect(fitBilinear(points, 1).missed).toBeCloseTo(2 / 3, 9);
  });
});
