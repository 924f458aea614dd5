export type Point = readonly [x: number, y: number];

/** A closed polygon; the last point joins the first. */
export type Contour = readonly Point[];

/** How a shape lies in a picture: stretched along its own axes, turned clockwise, moved. */
export interface Placement {
  x: number;
  y: number;
  /** Pixels that a distance of 1 becomes along each axis of the shape. */
  scale: readonly [x: number, y: number];
  /** Radians. */
  turn: number;
}

export function place(contours: readonly Contour[], { x, y, scale, turn }: Placement): Contour[] {
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  return contours.map((contour) =>
    contour.map(([u, v]): Point => {
      const [sx, sy] = [u * scale[0], v * scale[1]];
      return [x + cos * sx - sin * sy, y + sin * sx + cos * sy];
    }),
  );
}

/** Smallest rectangle that holds the polygons, as left, top, right, bottom. */
export function boundsOf(contours: readonly Contour[]): [number, number, number, number] {
  const bounds: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const contour of contours) {
    for (const [x, y] of contour) {
      bounds[0] = Math.min(bounds[0], x);
      bounds[1] = Math.min(bounds[1], y);
      bounds[2] = Math.max(bounds[2], x);
      bounds[3] = Math.max(bounds[3], y);
    }
  }
  return bounds;
}
