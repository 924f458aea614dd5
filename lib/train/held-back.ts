import type { Sample } from '../data/dataset';
import { uniform } from '../model/random';

/**
 * Parts pictures into those to train on and those that are held back to judge weights by. Which ones depends on the seed
 * and on each picture's id alone, not on their order; both parts keep it.
 */
export function holdBack<S extends Pick<Sample, 'id'>>(
  samples: readonly S[],
  share: number,
  seed: number,
): { trained: S[]; held: S[] } {
  const count = Math.round(share * samples.length);
  const drawn = samples.map(({ id }, index) => ({ index, id, draw: uniform(seed, `held-back/${id}`)(0) }));
  drawn.sort((a, b) => a.draw - b.draw || (a.id < b.id ? -1 : 1));
  const held = new Set(drawn.slice(0, count).map(({ index }) => index));
  return {
    trained: samples.filter((_, i) => !held.has(i)),
    held: samples.filter((_, i) => held.has(i)),
  };
}
