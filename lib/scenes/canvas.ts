import type { Paint } from './paint';
import { boundsOf, type Contour } from './polygon';

// Looked up once, as in random.ts.
const { ceil, floor, max, min } = Math;

/** Lines of samples in a pixel's height; along a line coverage is exact. */
const linesPerPixel = 4;

/** A picture that polygons are painted on, one on top of the other, with soft edges. */
export class Canvas {
  readonly width: number;
  readonly height: number;
  /** (height, width, 3), 0 to 255. */
  readonly #colours: Float32Array;
  readonly #coverage: Float32Array;

  constructor(width: number, height: number, background: Paint) {
    this.width = width;
    this.height = height;
    this.#colours = new Float32Array(3 * width * height);
    this.#coverage = new Float32Array(width);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) this.#blend(x, y, background, 1);
  }

  /** Paints the inside of polygons, which is what an odd number of contours holds. */
  paint(contours: readonly Contour[], paint: Paint): void {
    const [, top, , bottom] = boundsOf(contours);
    for (let y = max(0, floor(top)); y < min(this.height, ceil(bottom)); y++) {
      const covered = this.#cover(contours, y);
      if (!covered) continue;
      for (let x = covered.first; x <= covered.last; x++) {
        const share = min(1, this.#coverage[x]! / linesPerPixel);
        if (share > 0) this.#blend(x, y, paint, share);
      }
    }
  }

  /** The picture as 8-bit RGB, with something added to all three colours of a pixel. */
  pixels(added: (pixel: number) => number): Uint8Array {
    const data = new Uint8ClampedArray(this.#colours.length);
    for (let i = 0, at = 0; at < data.length; i++) {
      const change = added(i);
      for (const end = at + 3; at < end; at++) data[at] = this.#colours[at]! + change;
    }
    return new Uint8Array(data.buffer);
  }

  #blend(x: number, y: number, { from, to, mix }: Paint, share: number): void {
    const part = mix(x, y);
    const at = 3 * (y * this.width + x);
    for (let channel = 0; channel < 3; channel++) {
      const colour = from[channel]! + (to[channel]! - from[channel]!) * part;
      this.#colours[at + channel]! += (colour - this.#colours[at + channel]!) * share;
    }
  }

  /** Sums over a row's lines how much of each pixel is inside, and says which pixels are touched. */
  #cover(contours: readonly Contour[], row: number): { first: number; last: number } | undefined {
    this.#coverage.fill(0);
    let [first, last] = [this.width, -1];
    for (let line = 0; line < linesPerPixel; line++) {
      const crossings = crossingsOf(contours, row + (line + 0.5) / linesPerPixel);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const left = max(0, crossings[i]!);
        const right = min(this.width, crossings[i + 1]!);
        if (right <= left) continue;
        const [begin, end] = [floor(left), min(this.width - 1, floor(right))];
        for (let x = begin; x <= end; x++) {
          this.#coverage[x]! += max(0, min(right, x + 1) - max(left, x));
        }
        first = min(first, begin);
        last = max(last, end);
      }
    }
    return last < first ? undefined : { first, last };
  }
}

/** Where the polygons' edges cross a horizontal line, from left to right. */
function crossingsOf(contours: readonly Contour[], y: number): number[] {
  const crossings: number[] = [];
  for (const contour of contours) {
    let [x0, y0] = contour.at(-1)!;
    for (const [x1, y1] of contour) {
      // Half-open, so that a corner on the line counts once.
      if (y0 <= y !== y1 <= y) crossings.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0));
      [x0, y0] = [x1, y1];
    }
  }
  return crossings.sort((a, b) => a - b);
}
