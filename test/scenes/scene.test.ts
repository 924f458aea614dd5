import { Canvas } from '../../lib/scenes/canvas';
import { plain } from '../../lib/scenes/paint';
import { boundsOf, place } from '../../lib/scenes/polygon';
import { drawScene, type Scene } from '../../lib/scenes/scene';
import { sceneClasses, shapeOf } from '../../lib/scenes/shapes';
import { failure } from '../model/onnx-files';

const black = plain([0, 0, 0]);
const white = plain([255, 255, 255]);
const labels = sceneClasses.slice(1).map((name, i) => [name, i + 1] as const);

/** First and last column and row that hold anything, from 0, and the sum of what they hold as a share of white. */
function inked(canvas: Canvas) {
  const data = canvas.pixels(() => 0);
  const box = [Infinity, Infinity, -1, -1];
  let area = 0;
  for (let y = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++) {
      const value = data[3 * (y * canvas.width + x)]!;
      area += value / 255;
      if (value === 0) continue;
      box[0] = Math.min(box[0]!, x);
      box[1] = Math.min(box[1]!, y);
      box[2] = Math.max(box[2]!, x);
      box[3] = Math.max(box[3]!, y);
    }
  }
  return { box, area };
}

describe('a shape alone', () => {
  test.each(labels)('%s: the bounds of its outline are those of its pixels', (_, label) => {
    for (const turn of [0, 0.3, -0.7]) {
      const contours = place(shapeOf(label).contours, { x: 50.3, y: 48.8, scale: [37, 31], turn });
      const canvas = new Canvas(100, 100, black);
      canvas.paint(contours, white);
      const { box } = inked(canvas);
      const [left, top, right, bottom] = boundsOf(contours);
      // A corner thinner than a line of samples may leave its last pixel untouched.
      for (const [edge, pixel] of [
        [Math.floor(left), box[0]],
        [Math.floor(top), box[1]],
        [Math.ceil(right) - 1, box[2]],
        [Math.ceil(bottom) - 1, box[3]],
      ] as const) {
        expect(Math.abs(edge - pixel!)).toBeLessThanOrEqual(1);
      }
    }
  });

  // Areas of the outlines at radius 30, by plane geometry.
  const regularArea = (points: number) => (points / 2) * Math.sin((2 * Math.PI) / points) * 900;
  const lens = 2 * Math.acos(0.375) - 0.75 * Math.sqrt(1 - 0.375 ** 2);
  test.each([
    ['circle', regularArea(64)],
    ['square', 2 * 900],
    ['triangle', ((3 * Math.sqrt(3)) / 4) * 900],
    ['star', 10 * 0.5 * 0.42 * Math.sin(Math.PI / 5) * 900],
    ['cross', (2 * 2 * 0.64 - 0.64 ** 2) * 900],
    ['ring', regularArea(64) * (1 - 0.58 ** 2)],
    ['moon', (Math.PI - lens) * 900],
  ])('%s: covers as many pixels as its outline holds', (name, expected) => {
    const { contours, turn } = shapeOf(sceneClasses.indexOf(name));
    const canvas = new Canvas(80, 80, black);
    canvas.paint(place(contours, { x: 40, y: 40, scale: [30, 30], turn: turn / 2 }), white);
    expect(inked(canvas).area / expected).toBeGreaterThan(0.99);
    expect(inked(canvas).area / expected).toBeLessThan(1.01);
  });

  test('edges are soft, and what is painted last is in front', () => {
    const canvas = new Canvas(4, 1, black);
    const bar = (left: number, right: number): [number, number][][] => [
      [
        [left, 0],
        [right, 0],
        [right, 1],
        [left, 1],
      ],
    ];
    const row = () => [...canvas.pixels(() => 0)].filter((_, i) => i % 3 === 0);
    canvas.paint(bar(0.75, 3), white);
    expect(row()).toEqual([64, 255, 255, 0]);
    canvas.paint(bar(1.5, 4), black);
    expect(row()).toEqual([64, 128, 0, 0]);
  });
});

describe('scenes', () => {
  // Few: the global Math of a test costs more than drawing does.
  const scenes = Array.from({ length: 40 }, (_, index) => drawScene({ seed: 7, split: 'train', index }));
  const objects = scenes.reduce((sum, scene) => sum + scene.labels.length, 0);

  test('are what seed, split and index say, and nothing else', () => {
    // Buffers are compared at once, arrays one number at a time.
    const plain = ({ data, ...rest }: Scene) => ({ ...rest, data: Buffer.from(data) });
    const again = plain(drawScene({ seed: 7, split: 'train', index: 3 }));
    expect(again).toEqual(plain(scenes[3]!));
    for (const other of [
      { seed: 8, split: 'train', index: 3 },
      { seed: 7, split: 'val', index: 3 },
      { seed: 7, split: 'train', index: 4 },
    ]) {
      expect(plain(drawScene(other))).not.toEqual(again);
    }
  });

  test('have boxes on the picture that are no slivers', () => {
    for (const { width, height, boxes, labels: own, data } of scenes) {
      expect(data).toHaveLength(3 * width * height);
      expect(own.length).toBeGreaterThanOrEqual(1);
      expect(own.length).toBeLessThanOrEqual(3);
      for (let i = 0; i < own.length; i++) {
        const [xmin, ymin, xmax, ymax] = boxes.subarray(4 * i, 4 * i + 4) as unknown as number[];
        expect(Math.min(xmin!, ymin!)).toBeGreaterThanOrEqual(1);
        expect([xmax! <= width, ymax! <= height]).toEqual([true, true]);
        expect(Math.min(xmax! - xmin!, ymax! - ymin!)).toBeGreaterThan(8);
      }
    }
  });

  test('show all classes about equally often, and every size of picture', () => {
    const counts = new Array<number>(sceneClasses.length).fill(0);
    for (const scene of scenes) for (const label of scene.labels) counts[label]! += 1;
    expect(counts[0]).toBe(0);
    const mean = objects / (sceneClasses.length - 1);
    // Four standard deviations of a class's share.
    for (const count of counts.slice(1)) expect(Math.abs(count - mean)).toBeLessThan(4 * Math.sqrt(mean));
    expect(Math.min(...scenes.map(({ width }) => width))).toBeLessThan(136);
    expect(Math.max(...scenes.map(({ height }) => height))).toBeGreaterThan(168);
  });

  test('have whole objects and some that leave the picture', () => {
    const truncated = scenes.flatMap((scene) => [...scene.truncated]).filter((flag) => flag === 1).length;
    expect(truncated).toBeGreaterThan(objects / 10);
    expect(truncated).toBeLessThan(objects / 2);
  });

  test('stay what the embedded model was trained on', () => {
    const { width, height, labels: own, boxes, data } = drawScene({ seed: 1, split: 'train', index: 0 });
    expect({ width, height, labels: [...own], boxes: [...boxes] }).toEqual({
      width: 131,
      height: 130,
      labels: [7],
      boxes: [75, 61, 113, 99],
    });
    expect(data.reduce((sum, value) => sum + value, 0) / data.length).toBeCloseTo(33.5, 0);
  });

  test.each([
    ['a negative seed', { seed: -1, split: 'train', index: 0 }],
    ['half an index', { seed: 0, split: 'train', index: 0.5 }],
  ])('refuse %s', async (_, key) => {
    expect((await failure(() => drawScene(key))).code).toBe('ERR_USAGE');
  });
});
