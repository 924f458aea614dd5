// Looked up once: in a realm of its own (vm, jest) each look at a global takes as long as the arithmetic of many numbers.
const { imul, floor } = Math;

/**
 * Random numbers as a pure function of (seed, purpose, index): no generator carries state, so what one tensor gets
 * doesn't depend on how many were filled before it. Integer arithmetic only: the same on every machine.
 * @param seed integer from 0 to 2^53 − 1
 * @param purpose what they are for, such as a tensor's name
 * @returns a function from index to a number in [0, 1), a multiple of 2^-24
 */
export function uniform(seed: number, purpose: string): (index: number) => number {
  let key = mix(seed | 0) ^ mix(floor(seed / 2 ** 32) + 0x9e3779b9);
  for (let i = 0; i < purpose.length; i++) key = mix(key ^ purpose.charCodeAt(i));
  const second = mix(key ^ 0x85ebca6b);
  return (index) => (mix(mix(index ^ key) + second) >>> 8) / 2 ** 24;
}

/** A bijection of 32-bit integers in which every input bit flips about half of the output bits. */
function mix(value: number): number {
  let x = value | 0;
  x = imul(x ^ (x >>> 16), 0x21f0aaad);
  x = imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}

/**
 * Draws `count` of `total` things without putting any back: their indexes in the order of the draw, all of them where
 * there are no more. A larger draw of the same seed begins with the smaller one.
 */
export function draw(count: number, total: number, seed: number, purpose: string): number[] {
  const random = uniform(seed, purpose);
  const order = Array.from({ length: total }, (_, i) => ({ i, key: random(i) })).sort(
    (a, b) => a.key - b.key || a.i - b.i,
  );
  return order.slice(0, count).map(({ i }) => i);
}
