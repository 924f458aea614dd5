/** One measured time. */
export interface SurfacePoint {
  /** Sizes along up to two axes. */
  readonly sizes: readonly number[];
  readonly milliseconds: number;
}

/** Coefficients of c₀ + c₁a + c₂b + c₃ab. */
export type Bilinear = readonly [number, number, number, number];

/** Sizes rounded up to whole blocks: kernels work on blocks of channels, and a begun one costs as much as a full one. */
export const blocksOf = (size: number, block: number): number => Math.ceil(size / block) * block;

/**
 * A node's time over its two sizes: a grid of measured times, exact there, bilinear between, and its outermost cells
 * carried on beyond.
 */
export class WidthSurface {
  private constructor(
    private readonly block: number,
    private readonly axes: readonly [readonly number[], readonly number[]],
    /** Row-major; the second axis runs fastest. */
    private readonly times: Float64Array,
  ) {}

  /** undefined where the points don't fill a grid. Of several at one place their mean counts. */
  static through(points: readonly SurfacePoint[], block: number): WidthSurface | undefined {
    const placed = points.map(({ sizes, milliseconds }) => ({ at: pair(sizes, block), milliseconds }));
    const axes = [0, 1].map((axis) => [...new Set(placed.map(({ at }) => at[axis]!))].sort((a, b) => a - b));
    const [first, second] = axes as [number[], number[]];
    const times = new Float64Array(first.length * second.length);
    const counts = new Float64Array(times.length);
    for (const { at, milliseconds } of placed) {
      const index = first.indexOf(at[0]) * second.length + second.indexOf(at[1]);
      times[index]! += milliseconds;
      counts[index]!++;
    }
    if (counts.includes(0)) return undefined;
    return new WidthSurface(
      block,
      [first, second],
      times.map((sum, i) => sum / counts[i]!),
    );
  }

  at(sizes: readonly number[]): number {
    const [a, b] = pair(sizes, this.block);
    const [first, second] = this.axes;
    const [row, down] = bracket(first, a);
    const [column, right] = bracket(second, b);
    const along = (i: number): number => {
      const start = i * second.length + column;
      const [near, far] = [this.times[start]!, this.times[start + (second.length > 1 ? 1 : 0)]!];
      return near + right * (far - near);
    };
    const near = along(row);
    return near + down * (along(row + (first.length > 1 ? 1 : 0)) - near);
  }
}

const pair = ([a = 0, b = 0]: readonly number[], block: number): [number, number] => [
  blocksOf(a, block),
  blocksOf(b, block),
];

/** The cell of sorted values that a size lies in or next to, and how far along it as a share. */
function bracket(values: readonly number[], size: number): [cell: number, share: number] {
  if (values.length === 1) return [0, 0];
  let cell = values.findIndex((value) => value > size) - 1;
  if (cell === -2) cell = values.length - 2;
  cell = Math.max(0, cell);
  return [cell, (size - values[cell]!) / (values[cell + 1]! - values[cell]!)];
}

/** The bilinear function nearest to the points by least squares, and the sum of squares that it misses. */
export function fitBilinear(
  points: readonly SurfacePoint[],
  block: number,
): { coefficients: Bilinear; missed: number } {
  const rows = points.map(({ sizes }) => {
    const [a, b] = pair(sizes, block);
    return [1, a, b, a * b];
  });
  const scales = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => Math.abs(row[i]!))) || 1);
  const columns = scales.map((scale, i) => rows.map((row) => row[i]! / scale));
  const rest = points.map(({ milliseconds }) => milliseconds);
  // Gram-Schmidt: a column that the ones before it make up (a size that is always the same) takes no part.
  const basis: { direction: number[]; within: number[]; share: number }[] = [];
  for (const column of columns) {
    const own = [...column];
    const within = basis.map(({ direction }) => {
      const share = dot(own, direction);
      own.forEach((_, i) => {
        own[i]! -= share * direction[i]!;
      });
      return share;
    });
    const length = Math.sqrt(dot(own, own));
    const direction = length > 1e-6 * Math.sqrt(column.length) ? own.map((value) => value / length) : own.map(() => 0);
    const share = dot(rest, direction);
    rest.forEach((_, i) => {
      rest[i]! -= share * direction[i]!;
    });
    basis.push({ direction, within: [...within, length], share });
  }
  const found = [0, 0, 0, 0];
  for (let i = 3; i >= 0; i--) {
    const { direction, within, share } = basis[i]!;
    if (direction.every((value) => value === 0)) continue;
    let value = share;
    for (let j = i + 1; j < 4; j++) value -= basis[j]!.within[i]! * found[j]!;
    found[i] = value / within[i]!;
  }
  const coefficients = found.map((value, i) => value / scales[i]!) as unknown as Bilinear;
  return { coefficients, missed: dot(rest, rest) };
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
