import { uniform } from '../model/random';

// Looked up once, as in random.ts.
const { sqrt, log, cos, PI } = Math;

/** Standard normal noise (Box and Muller) as a pure function of seed, purpose and place. */
export function normalNoise(seed: number, purpose: string, count: number): Float32Array {
  const draw = uniform(seed, purpose);
  const noise = new Float32Array(count);
  for (let i = 0; i < count; i++) noise[i] = sqrt(-2 * log(1 - draw(2 * i))) * cos(2 * PI * draw(2 * i + 1));
  return noise;
}
