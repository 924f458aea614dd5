import type { Contour } from './polygon';

/** What scenes show, by index; index 0 is the background. */
export const sceneClasses: readonly string[] = [
  'background',
  'circle',
  'square',
  'triangle',
  'star',
  'cross',
  'ring',
  'heart',
  'moon',
];

/** A class's outline about the origin, about 1 from it; inside is what an odd number of contours holds. */
export interface Shape {
  readonly contours: readonly Contour[];
  /** How far it may be turned to either side, in radians: a square that stands on its corner stays a square. */
  readonly turn: number;
}

/** Points of a regular polygon, the first one on top; radii take turns. */
function regular(points: number, ...radii: number[]): Contour {
  return Array.from({ length: points }, (_, i) => {
    const angle = (2 * Math.PI * i) / points;
    const radius = radii[i % radii.length]!;
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
}

/** Points on the arc about (x, 0) from one angle to another, measured from the right, clockwise. */
function arc(x: number, radius: number, from: number, to: number, points: number): Contour {
  return Array.from({ length: points }, (_, i) => {
    const angle = from + ((to - from) * i) / (points - 1);
    return [x + radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

/** A plus whose bars are 2·`half` wide. */
function plus(half: number): Contour {
  const quarter: Contour = [
    [half, -1],
    [half, -half],
    [1, -half],
  ];
  return [0, 1, 2, 3].flatMap((turns) =>
    quarter.map(([x, y]): [number, number] => {
      if (turns === 0) return [x, y];
      if (turns === 1) return [-y, x];
      return turns === 2 ? [-x, -y] : [y, -x];
    }),
  );
}

function heart(points: number): Contour {
  return Array.from({ length: points }, (_, i) => {
    const t = (2 * Math.PI * i) / points;
    const x = 16 * Math.sin(t) ** 3;
    const y = 13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t);
    return [x / 17, -(y + 2.5) / 17];
  });
}

/** A disc without a second disc of the same size to its right; tips lie on both circles. */
function moon(points: number): Contour {
  const shift = 0.75;
  const tip = Math.acos(shift / 2);
  const outer = arc(0, 1, tip, 2 * Math.PI - tip, points);
  const inner = arc(shift, 1, Math.PI + tip, Math.PI - tip, points);
  // Both tips belong to the outer arc already. The crescent is moved to the middle.
  return [...outer, ...inner.slice(1, -1)].map(([x, y]): [number, number] => [x + 0.3, y]);
}

const anyTurn = Math.PI;
const shapes: readonly Shape[] = [
  { contours: [regular(64, 1)], turn: 0 },
  { contours: [arc(0, 1, Math.PI / 4, (7 * Math.PI) / 4, 4)], turn: Math.PI / 9 },
  { contours: [regular(3, 1)], turn: Math.PI / 6 },
  { contours: [regular(10, 1, 0.42)], turn: anyTurn },
  { contours: [plus(0.32)], turn: anyTurn },
  { contours: [regular(64, 1), regular(64, 0.58)], turn: 0 },
  { contours: [heart(64)], turn: Math.PI / 7 },
  { contours: [moon(32)], turn: anyTurn },
];

/** The outline of a class, by its index in {@link sceneClasses}. */
export const shapeOf = (label: number): Shape => shapes[label - 1]!;
