import { uniform } from '../model/random';

/** Standard normal noise (Box and Muller) as a pure function of seed, purpose and place. */
export function normalNoise(seed: number, purpose: string, count: number): Float32Array {
  const draw = uniform(seed, purpose);
  return Float32Array.from(
    { length: count },
    (_, i) => Math.sqrt(-2 * Math.log(1 - draw(2 * i))) * Math.cos(2 * Math.PI * draw(2 * i + 1)),
  );
}
