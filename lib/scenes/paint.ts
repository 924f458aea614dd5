import { uniform } from '../model/random';
import type { Draws } from './draws';

/** Red, green, blue, each 0 to 255. */
export type Colour = readonly [r: number, g: number, b: number];

/** What a surface looks like: at each place a mixture of two colours. */
export interface Paint {
  readonly from: Colour;
  readonly to: Colour;
  /** Share of `to` at a place in pixels, 0 to 1. */
  mix(x: number, y: number): number;
}

export const plain = (colour: Colour): Paint => ({ from: colour, to: colour, mix: () => 0 });

/** A colour of any hue; saturation and brightness are drawn from ranges. */
export function drawColour(
  draws: Draws,
  saturation: readonly [number, number],
  value: readonly [number, number],
): Colour {
  const [hue, s, v] = [6 * draws.next(), draws.between(...saturation), 255 * draws.between(...value)];
  const channel = (n: number): number => {
    const k = (n + hue) % 6;
    return v - v * s * Math.max(0, Math.min(k, 4 - k, 1));
  };
  return [channel(5), channel(3), channel(1)];
}

/** Difference as eyes rate it, roughly: brightness counts most. */
export function distance(a: Colour, b: Colour): number {
  const [r, g, b2] = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
  const luma = 0.3 * r + 0.59 * g + 0.11 * b2;
  return Math.abs(luma) + 0.25 * (Math.abs(r) + Math.abs(g) + Math.abs(b2));
}

/** A colour's darker or lighter neighbour. */
export function shade(draws: Draws, colour: Colour): Colour {
  const [other, share] = [draws.next() < 0.5 ? 0 : 255, draws.between(0.2, 0.5)];
  return [0, 1, 2].map((i) => colour[i]! + (other - colour[i]!) * share) as unknown as Colour;
}

/** Colours of a paint, mixed half and half. */
export const middle = ({ from, to }: Paint): Colour => [
  (from[0] + to[0]) / 2,
  (from[1] + to[1]) / 2,
  (from[2] + to[2]) / 2,
];

export const textures = ['plain', 'shaded', 'cloudy', 'striped', 'chequered'] as const;

/** A surface of one of the first `kinds` of {@link textures}; `size` is its own, in pixels. */
export function drawPaint(
  draws: Draws,
  from: Colour,
  to: Colour,
  size: number,
  kinds: number = textures.length,
): Paint {
  const kind = textures[draws.below(kinds)];
  const angle = draws.between(0, Math.PI);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const along = (x: number, y: number): number => x * cos + y * sin;
  const offset = draws.between(0, 100);
  const period = Math.max(6, size * draws.between(0.1, 0.35));
  const cloud = valueNoise(draws.below(2 ** 31), period);
  if (kind === 'plain') return plain(from);
  if (kind === 'shaded') return { from, to, mix: (x, y) => 0.5 + 0.5 * Math.sin(along(x, y) / size + offset) };
  if (kind === 'striped') return { from, to, mix: (x, y) => edge(Math.sin((along(x, y) * Math.PI) / period + offset)) };
  if (kind === 'chequered') {
    const wave = (distance: number): number => Math.sin((distance * Math.PI) / period + offset);
    return { from, to, mix: (x, y) => edge(wave(along(x, y)) * wave(along(-y, x))) };
  }
  return { from, to, mix: cloud };
}

/** A wave from −1 to 1 as a share with steep but not jagged sides. */
const edge = (wave: number): number => Math.min(1, Math.max(0, 0.5 + 4 * wave));

/** Noise that changes smoothly over `period` pixels, 0 to 1. */
export function valueNoise(seed: number, period: number): (x: number, y: number) => number {
  const lattice = uniform(seed, 'lattice');
  // No scene reaches 4,096 periods from the origin.
  const at = (column: number, row: number): number => lattice((row + 4096) * 8192 + column + 4096);
  const smooth = (t: number): number => t * t * (3 - 2 * t);
  return (x, y) => {
    const [column, row] = [Math.floor(x / period), Math.floor(y / period)];
    const [u, v] = [smooth(x / period - column), smooth(y / period - row)];
    const top = at(column, row) * (1 - u) + at(column + 1, row) * u;
    const bottom = at(column, row + 1) * (1 - u) + at(column + 1, row + 1) * u;
    return top * (1 - v) + bottom * v;
  };
}
