import path from 'node:path';
import { XMLParser } from 'fast-xml-parser';
import sharp from 'sharp';
import { temporary } from '../data/folders';

const { drawDetections, overlaySvg } =
  require('../../dist/lib/evaluate/draw') as typeof import('../../lib/evaluate/draw');

const picture = (name: string, box: [number, number, number, number]) => ({
  ...{ file: 'a.png', width: 200, height: 100 },
  detections: [{ class: name, score: 0.456, box }],
});

test('names of classes are text, whatever they hold', () => {
  const name = `</text><script>"&'\u0007\ud800 Füchse 猫`;
  const svg = overlaySvg(picture(name, [10, 20, 60, 80]));
  const parsed = new XMLParser({ ignoreAttributes: false }).parse(svg);
  expect(Object.keys(parsed.svg)).toEqual(expect.arrayContaining(['rect', 'text']));
  expect(parsed.svg.script).toBeUndefined();
  expect(svg).toContain('&lt;/text&gt;&lt;script&gt;&quot;&amp;&apos;?? Füchse 猫 0.46');
});

test('the box stands where it was found, in a colour of the class', async () => {
  const file = path.join(temporary(), 'a.png');
  await sharp({ create: { width: 200, height: 100, channels: 3, background: '#000' } })
    .png()
    .toFile(file);
  const out = path.join(path.dirname(file), 'b.png');
  await drawDetections({ ...picture('dog', [50, 30, 150, 90]), file }, out);
  const { data, info } = await sharp(out).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const bright = (x: number, y: number) =>
    Math.max(...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3));
  for (const [x, y] of [
    [50, 60],
    [149, 60],
    [100, 89],
  ] as const)
    expect(bright(x, y)).toBeGreaterThan(100);
  for (const [x, y] of [
    [40, 60],
    [100, 60],
    [160, 60],
    [100, 96],
  ] as const)
    expect(bright(x, y)).toBe(0);
});

test('a class has the same colour everywhere, and others have others', () => {
  const colour = (name: string) => overlaySvg(picture(name, [0, 0, 9, 9])).match(/stroke="(.*?)"/)![1];
  expect(colour('dog')).toBe(colour('dog'));
  expect(new Set(['dog', 'cat', 'person', 'car', 'boat'].map(colour)).size).toBe(5);
});
