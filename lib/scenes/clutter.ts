import type { Canvas } from './canvas';
import type { Draws } from './draws';
import { drawColour, drawPaint, type Paint } from './paint';
import { type Contour, type Placement, type Point, place } from './polygon';

/** Bars, shards, specks, frames and blobs: what is no object, in front of which or behind which objects stand. */
export function paintClutter(canvas: Canvas, draws: Draws): void {
  const short = Math.min(canvas.width, canvas.height);
  const kind = draws.below(5);
  const size = short * (kind === 2 ? draws.between(0.01, 0.04) : draws.between(0.08, 0.3));
  const contours = place(outlineOf(kind, draws), placed(canvas, draws, size));
  canvas.paint(contours, clutterPaint(draws, size));
}

/** A thin bar across the picture, which covers part of whatever it meets. */
export function paintBar(canvas: Canvas, draws: Draws): void {
  const short = Math.min(canvas.width, canvas.height);
  const width = short * draws.between(0.02, 0.06);
  const half = { ...placed(canvas, draws, 1), scale: [canvas.width + canvas.height, width / 2] as const };
  canvas.paint(place([rectangle(1, 1)], half), clutterPaint(draws, short));
}

function placed(canvas: Canvas, draws: Draws, size: number): Placement {
  return {
    x: draws.between(0, canvas.width),
    y: draws.between(0, canvas.height),
    scale: [size, size],
    turn: draws.between(0, 2 * Math.PI),
  };
}

const clutterPaint = (draws: Draws, size: number): Paint =>
  drawPaint(draws, drawColour(draws, [0, 0.8], [0.1, 1]), drawColour(draws, [0, 0.8], [0.1, 1]), size);

const rectangle = (x: number, y: number): Contour => [
  [-x, -y],
  [x, -y],
  [x, y],
  [-x, y],
];

/** None of them is like a class: bars and shards are too thin, specks too small, frames hollow, blobs crooked. */
function outlineOf(kind: number, draws: Draws): Contour[] {
  const thin = draws.between(0.05, 0.15);
  if (kind === 0) return [rectangle(1, thin)];
  if (kind === 1) {
    const shard: Contour = [
      [-1, -thin],
      [1, draws.between(-0.3, 0.3)],
      [-1, thin],
    ];
    return [shard];
  }
  if (kind === 2) return [rectangle(1, draws.between(0.5, 1))];
  if (kind === 3) return [rectangle(1, 0.7), rectangle(1 - thin, 0.7 - thin)];
  const corners = 6 + draws.below(4);
  const blob = Array.from({ length: corners }, (_, i): Point => {
    const [angle, radius] = [(2 * Math.PI * (i + draws.between(-0.3, 0.3))) / corners, draws.between(0.35, 1)];
    return [radius * Math.cos(angle), 0.6 * radius * Math.sin(angle)];
  });
  return [blob];
}
