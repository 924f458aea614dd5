/** Slow, plain float64 versions of what calibration does, for comparison. Tensors are flat arrays of (n, c, h, w). */
export interface Map4 {
  dims: [number, number, number, number];
  data: Float64Array;
}

export function conv(
  x: Map4,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  filters: number,
  kernel: number,
  stride: number,
  pads: number[],
  depthwise = false,
): Map4 {
  const [n, c, h, w] = x.dims;
  const [top, left, bottom, right] = pads as [number, number, number, number];
  const [oh, ow] = [
    Math.floor((h + top + bottom - kernel) / stride) + 1,
    Math.floor((w + left + right - kernel) / stride) + 1,
  ];
  const data = new Float64Array(n * filters * oh * ow);
  let at = 0;
  for (let i = 0; i < n; i++)
    for (let f = 0; f < filters; f++)
      for (let y = 0; y < oh; y++)
        for (let z = 0; z < ow; z++, at++) {
          let sum = bias[f]!;
          for (let j = 0; j < (depthwise ? 1 : c); j++)
            for (let ky = 0; ky < kernel; ky++)
              for (let kx = 0; kx < kernel; kx++) {
                const [iy, ix] = [y * stride + ky - top, z * stride + kx - left];
                if (iy < 0 || ix < 0 || iy >= h || ix >= w) continue;
                const channel = depthwise ? f : j;
                const value = x.data[((i * c + channel) * h + iy) * w + ix]!;
                sum += value * weight[((f * (depthwise ? 1 : c) + j) * kernel + ky) * kernel + kx]!;
              }
          data[at] = sum;
        }
  return { dims: [n, filters, oh, ow], data };
}

export const clip = (x: Map4, high = Number.POSITIVE_INFINITY): Map4 => ({
  dims: x.dims,
  data: x.data.map((value) => Math.min(high, Math.max(0, value))),
});

/** Rows of windows, one a place; columns in the order of a filter's weights. */
export function windows(x: Map4, kernel: number, pad: number): number[][] {
  const [n, c, h, w] = x.dims;
  const rows: number[][] = [];
  for (let i = 0; i < n; i++)
    for (let y = 0; y < h; y++)
      for (let z = 0; z < w; z++) {
        const row: number[] = [];
        for (let j = 0; j < c; j++)
          for (let ky = 0; ky < kernel; ky++)
            for (let kx = 0; kx < kernel; kx++) {
              const [iy, ix] = [y + ky - pad, z + kx - pad];
              const inside = iy >= 0 && ix >= 0 && iy < h && ix < w;
              row.push(inside ? x.data[((i * c + j) * h + iy) * w + ix]! : 0);
            }
        rows.push(row);
      }
  return rows;
}

export interface Ridge {
  gram: number[][];
  cross: number[][];
  weights: number[][];
  meanX: number[];
  meanY: number[];
  variance: number[];
  rows: number;
  /** What channels are chosen with. */
  ridge: number;
}

const mean = (rows: number[][], i: number): number => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length;

/** Centred moments of rows x and y; `weights` (columns, outputs) is what the ridge pulls to. */
export function ridgeOf(x: number[][], y: number[][], weights: number[][]): Ridge {
  const [columns, outputs] = [x[0]!.length, y[0]!.length];
  const meanX = Array.from({ length: columns }, (_, i) => mean(x, i));
  const meanY = Array.from({ length: outputs }, (_, o) => mean(y, o));
  const moment = (a: number[][], i: number, am: number, b: number[][], j: number, bm: number): number =>
    x.reduce((sum, _, r) => sum + (a[r]![i]! - am) * (b[r]![j]! - bm), 0) / x.length;
  const gram = meanX.map((mi, i) => meanX.map((mj, j) => moment(x, i, mi, x, j, mj)));
  const cross = meanX.map((mi, i) => meanY.map((mo, o) => moment(x, i, mi, y, o, mo)));
  const variance = meanY.map((mo, o) => moment(y, o, mo, y, o, mo));
  const rows = x.length;
  const ridge = ridgeBy(gram, [...meanX.keys()], (0.02 * columns) / rows);
  return { gram, cross, weights, meanX, meanY, variance, rows, ridge };
}

/** A share of the columns' mean variance, a thousandth at least. */
function ridgeBy(gram: number[][], columns: number[], share: number): number {
  const trace = columns.reduce((sum, i) => sum + gram[i]![i]!, 0);
  return (Math.max(1e-3, share) * trace) / columns.length;
}

/** The best weights (kept, outputs) and bias of a layer on some columns: the ridge grows with the error, too. */
export function bestFit(problem: Ridge, kept: number[]): { weights: number[][]; bias: number[] } {
  const { gram, cross, variance, rows } = problem;
  const { weights } = solveRidge({ ...problem, ridge: ridgeBy(gram, kept, 0) }, kept);
  const total = variance.reduce((a, b) => a + b, 0);
  const missed = variance.map(
    (v, o) =>
      v + varianceOf(problem, kept, weights)[o]! - 2 * kept.reduce((s, i, a) => s + weights[a]![o]! * cross[i]![o]!, 0),
  );
  const share = missed.reduce((a, b) => a + b, 0) / total / (1 - kept.length / rows);
  return solveRidge({ ...problem, ridge: ridgeBy(gram, kept, (30 * share * kept.length) / rows) }, kept);
}

/** Variance of each output with some weights: wᵀGw. */
const varianceOf = ({ gram, variance }: Ridge, kept: number[], weights: number[][]): number[] =>
  variance.map((_, o) =>
    kept.reduce(
      (sum, i, a) => sum + weights[a]![o]! * kept.reduce((s, j, b) => s + gram[i]![j]! * weights[b]![o]!, 0),
      0,
    ),
  );

/** What is written into a layer: the best fit, its outputs stretched until they vary as the original's, if half explained. */
export function refit(problem: Ridge, kept: number[]): { weights: number[][]; bias: number[] } {
  const best = bestFit(problem, kept).weights;
  const own = varianceOf(problem, kept, best);
  const shares = problem.variance.map((v, o) => own[o]! / v);
  const weights = best.map((row) => row.map((w, o) => w / Math.sqrt(Math.max(shares[o]!, 1 - shares[o]!))));
  const bias = problem.meanY.map((mean, o) =>
    kept.reduce((sum, i, a) => sum - weights[a]![o]! * problem.meanX[i]!, mean),
  );
  return { weights, bias };
}

/** Gauss–Jordan: a⁻¹ b. */
function solve(a: number[][], b: number[][]): number[][] {
  const n = a.length;
  const rows = a.map((row, i) => [...row, ...b[i]!]);
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k; i < n; i++) if (Math.abs(rows[i]![k]!) > Math.abs(rows[pivot]![k]!)) pivot = i;
    [rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!];
    for (let i = 0; i < n; i++) {
      if (i === k) continue;
      const factor = rows[i]![k]! / rows[k]![k]!;
      for (let j = k; j < rows[i]!.length; j++) rows[i]![j]! -= factor * rows[k]![j]!;
    }
  }
  return rows.map((row, k) => row.slice(n).map((value) => value / row[k]!));
}

/** Weights (kept, outputs) and bias of the ridge solution on some columns. */
export function solveRidge(problem: Ridge, kept: number[]): { weights: number[][]; bias: number[] } {
  const { gram, cross, weights, ridge, meanX, meanY } = problem;
  const a = kept.map((i) => kept.map((j) => gram[i]![j]! + (i === j ? ridge : 0)));
  const b = kept.map((i) => cross[i]!.map((value, o) => value + ridge * weights[i]![o]!));
  const fitted = solve(a, b);
  const bias = meanY.map((value, o) => kept.reduce((sum, column, i) => sum - fitted[i]![o]! * meanX[column]!, value));
  return { weights: fitted, bias };
}

/** Minimum of the ridge objective on some columns, up to a constant: −Σ_o (B + λW₀)ᵀ W. */
function objective(problem: Ridge, kept: number[]): number {
  const { weights } = solveRidge(problem, kept);
  return kept.reduce(
    (sum, i, k) =>
      weights[k]!.reduce(
        (inner, w, o) => inner - w * (problem.cross[i]![o]! + problem.ridge * problem.weights[i]![o]!),
        sum,
      ),
    0,
  );
}

/** Members to remove, one after the other, by refitting without each of them; member m has `places` columns from m·places. */
export function greedy(problem: Ridge, members: number, places: number, removals: number): number[] {
  const columnsOf = (m: number): number[] => Array.from({ length: places }, (_, k) => m * places + k);
  let kept = Array.from({ length: members }, (_, m) => m);
  const removed: number[] = [];
  for (let step = 0; step < removals; step++) {
    const cost = kept.map((m) => objective(problem, kept.filter((other) => other !== m).flatMap(columnsOf)));
    const best = kept[cost.indexOf(Math.min(...cost))]!;
    removed.push(best);
    kept = kept.filter((m) => m !== best);
  }
  return removed;
}
