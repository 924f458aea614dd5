import { writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { temporary } from './folders';

const { decodePicture } = require('../../dist/lib/data/images') as typeof import('../../lib/data/images');

const folder = temporary();
const save = async (name: string, picture: sharp.Sharp): Promise<string> => {
  const file = path.join(folder, name);
  await picture.toFile(file);
  return file;
};
/** Two pixels: red and blue. */
const two = () => sharp(Uint8Array.of(255, 0, 0, 0, 0, 255), { raw: { width: 2, height: 1, channels: 3 } });

test('pixels come as RGB', async () => {
  const picture = await decodePicture(await save('rgb.png', two().png()));
  expect(picture).toMatchObject({ width: 2, height: 1 });
  expect([...picture.data]).toEqual([255, 0, 0, 0, 0, 255]);
});

test.each([
  ['grey', () => sharp(Uint8Array.of(9, 200), { raw: { width: 2, height: 1, channels: 1 } }).toColourspace('b-w').png(), [9, 9, 9, 200, 200, 200]],
  ['palette', () => two().png({ palette: true }), [255, 0, 0, 0, 0, 255]],
  ['16 bits', () => two().toColourspace('rgb16').png(), [255, 0, 0, 0, 0, 255]],
  ['transparent', () => sharp(Uint8Array.of(1, 2, 3, 0), { raw: { width: 1, height: 1, channels: 4 } }).png(), [1, 2, 3]],
])('%s pictures too', async (name, make, expected) => {
  const { data } = await decodePicture(await save(`${name}.png`, make()));
  expect([...data]).toEqual(expected);
});

test('EXIF orientation counts only where asked for', async () => {
  const file = await save('turned.png', two().withMetadata({ orientation: 6 }).png());
  expect(await decodePicture(file)).toMatchObject({ width: 2, height: 1 });
  const upright = await decodePicture(file, { orient: true });
  expect(upright).toMatchObject({ width: 1, height: 2 });
  expect([...upright.data]).toEqual([255, 0, 0, 0, 0, 255]);
});

test.each(['nothing', 'text', 'cut', 'huge', 'folder', 'missing'])('a hostile picture is named: %s', async (kind) => {
  const file = path.join(folder, kind === 'folder' ? '.' : `${kind}.bad`);
  const noise = sharp({ create: { width: 90, height: 90, channels: 3, background: '#000', noise: { type: 'gaussian', mean: 128, sigma: 60 } } });
  if (kind === 'nothing') writeFileSync(file, '');
  if (kind === 'text') writeFileSync(file, 'JFIF? no');
  if (kind === 'cut') writeFileSync(file, (await noise.jpeg().toBuffer()).subarray(0, 900));
  if (kind === 'huge') writeFileSync(file, '<svg xmlns="http://www.w3.org/2000/svg" width="60000" height="60000"/>');
  await expect(decodePicture(file)).rejects.toMatchObject({
    code: 'ERR_BAD_DATA',
    message: expect.stringContaining(`${file}: cannot read this picture: `),
  });
});
