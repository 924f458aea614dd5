import { uniform } from '../model/random';

/** Random numbers of one scene, one behind the other: a pure function of what the scene is called. */
export class Draws {
  readonly #draw: (index: number) => number;
  #count = 0;

  constructor(seed: number, purpose: string) {
    this.#draw = uniform(seed, purpose);
  }

  /** From 0 to below 1. */
  next(): number {
    return this.#draw(this.#count++);
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** A whole number from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }
}
