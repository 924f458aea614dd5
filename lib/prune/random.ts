import { createHash } from 'node:crypto';

/** A number in [0, 1) that depends on the seed, a name and an index alone: no generator carries state. */
export function seededUniform(seed: number, name: string, index: number): number {
  const digest = createHash('sha256').update(`${seed}/${name}/${index}`).digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

/** Standard normal noise, deterministic in its seed (mulberry32 and Box–Muller). */
export function seededNoise(seed: number, count: number): Float32Array {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}
