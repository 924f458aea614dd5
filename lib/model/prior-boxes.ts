/** Prior boxes of one feature map. Sizes are in pixels of the input image. */
export interface PriorLayer {
  /** Columns and rows of the feature map. */
  map: readonly [width: number, height: number];
  minSizes: readonly number[];
  /** Beside each minimum a square of √(min·max); empty for none, else as many as minimums. */
  maxSizes: readonly number[];
  /** Ratios width / height besides 1. */
  aspectRatios: readonly number[];
  /** Distance of centres in pixels. Defaults to image size / map size. */
  step?: readonly [width: number, height: number] | undefined;
}

export interface PriorSettings {
  /** Size of the input image in pixels. */
  image: readonly [width: number, height: number];
  layers: readonly PriorLayer[];
  /** Add 1/ratio after each ratio. Defaults to `true`. */
  flip?: boolean | undefined;
  /** Cut boxes at the image's border. Defaults to `false`. */
  clip?: boolean | undefined;
  /** Where in its cell a centre lies, 0 to 1. Defaults to `0.5`. */
  offset?: number | undefined;
}

/**
 * Prior boxes in the order of Paddle's `prior_box` with `min_max_aspect_ratios_order=False`: layer, row, column; then
 * for each minimum size the square, each ratio with its inverse, and the √(min·max) square.
 * @returns cx, cy, w, h of each box, as shares of the image's size
 */
export function generatePriors(settings: PriorSettings): Float32Array {
  const { image, layers, flip = true, clip = false, offset = 0.5 } = settings;
  const boxes: number[] = [];
  for (const layer of layers) {
    const shapes = shapesOf(layer, flip);
    const [columns, rows] = layer.map;
    const [stepX, stepY] = layer.step ?? [image[0] / columns, image[1] / rows];
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        for (const [w, h] of shapes) {
          const cx = ((column + offset) * stepX) / image[0];
          const cy = ((row + offset) * stepY) / image[1];
          boxes.push(...box(cx, cy, w / image[0], h / image[1], clip));
        }
  }
  return Float32Array.from(boxes);
}

/** Widths and heights in pixels of the boxes that every cell of a layer has. */
function shapesOf(layer: PriorLayer, flip: boolean): [number, number][] {
  const ratios: number[] = [1];
  for (const ratio of layer.aspectRatios) {
    if (ratios.some((known) => Math.abs(known - ratio) < 1e-6)) continue;
    ratios.push(ratio);
    if (flip) ratios.push(1 / ratio);
  }
  return layer.minSizes.flatMap((min, i) => {
    const shapes = ratios.map((ratio): [number, number] => [min * Math.sqrt(ratio), min / Math.sqrt(ratio)]);
    const max = layer.maxSizes[i];
    if (max !== undefined) shapes.push([Math.sqrt(min * max), Math.sqrt(min * max)]);
    return shapes;
  });
}

function box(cx: number, cy: number, w: number, h: number, clip: boolean): [number, number, number, number] {
  if (!clip) return [cx, cy, w, h];
  const inside = (value: number) => Math.min(1, Math.max(0, value));
  const [left, right] = [inside(cx - w / 2), inside(cx + w / 2)];
  const [top, bottom] = [inside(cy - h / 2), inside(cy + h / 2)];
  return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top];
}
