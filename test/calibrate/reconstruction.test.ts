import type { Reader } from '../../lib/calibrate/readers';
import { noise } from './small-net';

const { openProblem, refit } =
  require('../../dist/lib/calibrate/reconstruction') as typeof import('../../lib/calibrate/reconstruction');

const [rows, columns, outputs] = [6, 20, 3];
const shared = (seed: number, count: number, spread: number): Float32Array => {
  const data = new Float32Array(new SharedArrayBuffer(4 * count));
  data.set(noise(seed, count, spread));
  return data;
};
/** A layer with a bias; of the reader only what a refit looks at. */
const reader = { name: 'w', offset: { name: 'b' }, bounds: [-Infinity, Infinity] } as unknown as Reader;

test('fewer samples than columns, and weights that say nothing any more: no output misses more than a constant', async () => {
  const [x, y] = [shared(1, rows * columns, 1), shared(2, rows * outputs, 0.5)];
  const weights = Float64Array.from(noise(3, columns * outputs));
  const all = Int32Array.from({ length: columns }, (_, i) => i);
  const stays = [true, true, true];
  const problem = await openProblem(
    { reader, x: { data: x, columns }, y: { data: y, columns: outputs } },
    { reader, columns: all, weights, stays },
  );
  const fit = await refit(problem, all, 'least_squares');
  expect(fit.error).toBeLessThanOrEqual(1);
  const missed = (own: Float64Array, bias: ArrayLike<number>, o: number): number => {
    let sum = 0;
    for (let r = 0; r < rows; r++) {
      let value = bias[o]!;
      for (let i = 0; i < columns; i++) value += x[r * columns + i]! * own[i * outputs + o]!;
      sum += (y[r * outputs + o]! - value) ** 2;
    }
    return sum / rows;
  };
  const { meanX, meanY, variance } = problem.moments;
  for (let o = 0; o < outputs; o++) {
    const bias = Array.from(meanY);
    for (let i = 0; i < columns; i++) bias[o]! -= weights[i * outputs + o]! * meanX[i]!;
    // The weights that were there are as wrong as the test wants them, means agreeing.
    expect(missed(weights, bias, o)).toBeGreaterThan(1.5 * variance[o]!);
    expect(missed(fit.weights, fit.bias, o)).toBeLessThanOrEqual(variance[o]!);
  }
});
