import type { Sample } from '../data/dataset';
import type { Picture } from '../data/images';
import { invalidArgument } from '../errors';
import { uniform } from '../model/random';
import { Canvas } from './canvas';
import { paintBar, paintClutter } from './clutter';
import { Draws } from './draws';
import { type Colour, distance, drawColour, drawPaint, middle, shade } from './paint';
import { boundsOf, type Contour, place } from './polygon';
import { sceneClasses, shapeOf } from './shapes';

/** Which scene is meant: everything about it is a pure function of these. */
export interface SceneKey {
  /** An integer from 0. */
  seed: number;
  /** Scenes of different splits have nothing in common. */
  split: string;
  /** An integer from 0. */
  index: number;
}

/** A picture and what is on it; boxes as Pascal VOC counts them: first and last pixel, from 1. */
export type Scene = Picture & Pick<Sample, 'boxes' | 'labels' | 'difficult' | 'truncated'>;

/** An object before it is painted. */
interface Placed {
  label: number;
  contours: Contour[];
  /** Left, top, right, bottom of the whole shape, beyond the picture too. */
  bounds: Bounds;
}

type Bounds = readonly [left: number, top: number, right: number, bottom: number];

/** Width and height of a scene in pixels, each drawn from this range. */
const sides = [128, 176] as const;
/** Extent of an object as a share of the picture's shorter side. */
const extents = [0.3, 0.75] as const;
const mostObjects = 3;
/** Share of the smaller of two boxes that the other one may cover: so little that no object is hard to see. */
const mostOverlap = 0.3;

/**
 * Draws a labelled scene: one to three shapes of {@link sceneClasses} before a textured ground, among clutter, partly
 * covered or leaving the picture. The same scene on every machine.
 */
export function drawScene({ seed, split, index }: SceneKey): Scene {
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalidArgument('seed', 'a whole number from 0', seed);
  if (!Number.isSafeInteger(index) || index < 0) throw invalidArgument('index', 'a whole number from 0', index);
  const draws = new Draws(seed, `scene/${split}/${index}`);
  const [width, height] = [drawSide(draws), drawSide(draws)];
  const earth = drawColour(draws, [0, 0.6], [0.15, 1]);
  // Without stripes and chequers, in which objects with such would drown.
  const ground = drawPaint(draws, earth, shade(draws, earth), width, 3);
  const canvas = new Canvas(width, height, ground);
  const clutter = draws.below(7);
  for (let i = 0; i < clutter; i++) paintClutter(canvas, draws);
  const objects = placeObjects(draws, width, height);
  for (const { contours, bounds } of objects) {
    const size = Math.max(bounds[2] - bounds[0], bounds[3] - bounds[1]);
    const colour = contrasting(draws, middle(ground));
    canvas.paint(contours, drawPaint(draws, colour, shade(draws, colour), size));
  }
  const bars = Math.max(0, draws.below(4) - 2);
  for (let i = 0; i < bars; i++) paintBar(canvas, draws);
  const [grain, noise] = [draws.between(0, 24), uniform(seed, `grain/${split}/${index}`)];
  const data = canvas.pixels((pixel) => grain * (noise(pixel) - 0.5));
  return { data, width, height, ...annotate(objects, width, height) };
}

const drawSide = (draws: Draws): number => sides[0] + draws.below(sides[1] - sides[0] + 1);

/** Of a few colours the one that stands out most. */
function contrasting(draws: Draws, ground: Colour): Colour {
  const colours = Array.from({ length: 3 }, () => drawColour(draws, [0.3, 1], [0.2, 1]));
  return colours.reduce((best, one) => (distance(one, ground) > distance(best, ground) ? one : best));
}

function placeObjects(draws: Draws, width: number, height: number): Placed[] {
  const wanted = 1 + Math.floor(mostObjects * draws.next() ** 1.3);
  const objects: Placed[] = [];
  // The first one always finds a place; where the picture is full, there are fewer than wanted.
  for (let tries = 0; objects.length < wanted && tries < 4 * mostObjects; tries++) {
    const next = placeObject(draws, width, height);
    if (objects.every(({ bounds }) => overlap(bounds, next.bounds) <= mostOverlap)) objects.push(next);
  }
  return objects;
}

function placeObject(draws: Draws, width: number, height: number): Placed {
  const label = 1 + draws.below(sceneClasses.length - 1);
  const { contours, turn } = shapeOf(label);
  const short = Math.min(width, height);
  // Small ones are more frequent than large ones.
  const radius = (short / 2) * (extents[0] + (extents[1] - extents[0]) * draws.next() ** 1.5);
  const stretch = draws.between(0.85, 1.18);
  const placement = { scale: [radius * stretch, radius / stretch] as const, turn: draws.between(-turn, turn) };
  const [left, top, right, bottom] = boundsOf(place(contours, { ...placement, x: 0, y: 0 }));
  // Up to a sixth may lie beyond each border.
  const along = (low: number, high: number, size: number): number => {
    const margin = (high - low) / 6;
    return draws.between(-margin, size + margin - (high - low)) - low;
  };
  const placed = place(contours, { ...placement, x: along(left, right, width), y: along(top, bottom, height) });
  return { label, contours: placed, bounds: boundsOf(placed) };
}

/** Share of the smaller box that both have in common. */
function overlap(a: Bounds, b: Bounds): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const area = ([left, top, right, bottom]: Bounds): number => (right - left) * (bottom - top);
  return width <= 0 || height <= 0 ? 0 : (width * height) / Math.min(area(a), area(b));
}

function annotate(objects: readonly Placed[], width: number, height: number) {
  const boxes = new Float32Array(4 * objects.length);
  for (const [i, { bounds }] of objects.entries()) {
    const [left, top] = [Math.max(0, bounds[0]), Math.max(0, bounds[1])];
    const [right, bottom] = [Math.min(width, bounds[2]), Math.min(height, bounds[3])];
    boxes.set([Math.floor(left) + 1, Math.floor(top) + 1, Math.ceil(right), Math.ceil(bottom)], 4 * i);
  }
  return {
    boxes,
    labels: Int32Array.from(objects, ({ label }) => label),
    difficult: new Uint8Array(objects.length),
    truncated: Uint8Array.from(objects, ({ bounds }) =>
      Number(bounds[0] < 0 || bounds[1] < 0 || bounds[2] > width || bounds[3] > height),
    ),
  };
}
