const { max, min } = Math;

/** xmin, ymin, xmax, ymax. */
export type Box = readonly [xmin: number, ymin: number, xmax: number, ymax: number];

/** A rectangle by its upper left corner and size. */
export interface Rectangle {
  left: number;
  top: number;
  width: number;
  height: number;
}

export const area = ([xmin, ymin, xmax, ymax]: Box): number => max(0, xmax - xmin) * max(0, ymax - ymin);

/** Intersection over union; 0 where boxes do not meet. */
export function overlap(a: Box, b: Box): number {
  const common = area([max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])]);
  return common === 0 ? 0 : common / (area(a) + area(b) - common);
}

/** Whether the centre of a box lies in a rectangle, its border included. */
export function holdsCentre({ left, top, width, height }: Rectangle, [xmin, ymin, xmax, ymax]: Box): boolean {
  const [x, y] = [(xmin + xmax) / 2, (ymin + ymax) / 2];
  return x >= left && x <= left + width && y >= top && y <= top + height;
}

/** A box in shares of a rectangle, cut off at its border; may be left without area. */
export function within({ left, top, width, height }: Rectangle, [xmin, ymin, xmax, ymax]: Box): Box {
  const share = (value: number): number => min(1, max(0, value));
  return [
    share((xmin - left) / width),
    share((ymin - top) / height),
    share((xmax - left) / width),
    share((ymax - top) / height),
  ];
}

export const mirrored = ([xmin, ymin, xmax, ymax]: Box): Box => [1 - xmax, ymin, 1 - xmin, ymax];
