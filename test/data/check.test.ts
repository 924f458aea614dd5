import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { put, temporary, vocFolder, vocXml } from './folders';

const { checkDataset } = require('../../dist/lib/data/check') as typeof import('../../lib/data/check');

const cat = (...box: [number, number, number, number]) => ({ name: 'cat', box });
const picture = { width: 60, height: 40, objects: [cat(5, 5, 30, 30)] };

async function spoiltFolder() {
  const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const folder = await vocFolder(Object.fromEntries(ids.map((id) => [id, picture])));
  const at = (...parts: string[]) => path.join(folder, ...parts);
  const jpeg = readFileSync(at('JPEGImages', 'b.jpg'));
  writeFileSync(at('JPEGImages', 'b.jpg'), jpeg.subarray(0, jpeg.length / 2));
  rmSync(at('JPEGImages', 'c.jpg'));
  writeFileSync(at('Annotations', 'd.xml'), vocXml(60, 40, [cat(30, 5, 10, 30)]));
  writeFileSync(at('Annotations', 'e.xml'), vocXml(40, 60, [cat(5, 5, 30, 30)]));
  writeFileSync(at('Annotations', 'f.xml'), vocXml(60, 40, [cat(5, 5, 30, 30), cat(70, 5, 80, 30)]));
  return { folder, at };
}

test('all that is wrong is named at once, with its file', async () => {
  const { folder, at } = await spoiltFolder();
  const failure = await checkDataset(folder, { split: 'val' }).catch((error) => error);
  expect(failure.code).toBe('ERR_BAD_DATA');
  const [head, ...lines] = failure.message.split('\n  ');
  expect(head).toBe(`${folder}: 5 problems; mend them, or leave them out by --skip-bad:`);
  const expected = [
    [at('Annotations', 'd.xml'), 'box (30, 5, 10, 30) of cat has xmax <= xmin'],
    [at('JPEGImages', 'b.jpg'), 'cannot read this picture'],
    [at('JPEGImages', 'c.jpg'), 'is not there'],
    [at('JPEGImages', 'e.jpg'), 'the picture is 60x40, but its annotation says 40x60'],
    [at('JPEGImages', 'f.jpg'), 'box (70, 5, 80, 30) of cat has no area on the picture of 60x40'],
  ];
  expect(lines).toHaveLength(5);
  for (const [i, [file, message]] of expected.entries()) {
    expect(lines[i]).toContain(file);
    expect(lines[i]).toContain(message);
  }
});

test('skipBad leaves them out and still names them', async () => {
  const { folder } = await spoiltFolder();
  const progress: [number, number][] = [];
  const onProgress = (done: number, total: number) => progress.push([done, total]);
  const { dataset, problems } = await checkDataset(folder, { split: 'val', skipBad: true, onProgress });
  expect(dataset.samples.map(({ id }) => id)).toEqual(['a', 'g']);
  expect(problems).toHaveLength(5);
  expect(progress.map(([done]) => done)).toEqual([1, 2, 3, 4, 5]);
  expect(progress[0]![1]).toBe(5);
});

test('what classes there are is said once, though all annotations are of others', async () => {
  const yeti = { ...picture, objects: [{ name: 'yeti', box: [5, 5, 30, 30] as [number, number, number, number] }] };
  const folder = await vocFolder({ a: yeti, b: yeti, c: picture });
  const classes = ['background', 'cat', 'dog'];
  const failure = await checkDataset(folder, { split: 'val', classes }).catch((error) => error);
  const [, ...lines] = failure.message.split('\n  ');
  expect(lines).toEqual([
    expect.stringMatching(/a\.xml:\d+: unknown class "yeti"$/),
    expect.stringMatching(/b\.xml:\d+: unknown class "yeti"$/),
    'the classes are: cat, dog',
  ]);
});

test('nothing wrong, nothing said', async () => {
  const folder = await vocFolder({ a: picture, b: picture });
  const { dataset, problems } = await checkDataset(folder, { split: 'val' });
  expect(problems).toEqual([]);
  expect(dataset.samples).toHaveLength(2);
});

test('no picture left is an error even with skipBad', async () => {
  const folder = await vocFolder({ a: { ...picture, objects: [cat(30, 5, 10, 30)] } });
  const failure = checkDataset(folder, { split: 'val', skipBad: true });
  await expect(failure).rejects.toMatchObject({
    code: 'ERR_BAD_DATA',
    message: expect.stringContaining('no picture is left'),
  });
});

test('COCO: a missing picture and a box without area', async () => {
  const sharp = require('sharp') as typeof import('sharp');
  const jpeg = await sharp({ create: { width: 8, height: 6, channels: 3, background: '#888' } })
    .jpeg()
    .toBuffer();
  const image = (id: number) => ({ id, file_name: `${id}.jpg`, width: 8, height: 6 });
  const annotation = (image_id: number, bbox: number[]) => ({ id: image_id, image_id, category_id: 1, bbox, iscrowd: 0 });
  const instances = {
    images: [1, 2, 3].map(image),
    annotations: [annotation(1, [1, 1, 4, 4]), annotation(2, [1, 1, 4, 4]), annotation(3, [1, 1, 0, 4])],
    categories: [{ id: 1, name: 'cat' }],
  };
  const folder = put(temporary(), {
    'annotations/instances_val.json': JSON.stringify(instances),
    'val/1.jpg': jpeg,
    'val/3.jpg': jpeg,
  });
  const { dataset, problems } = await checkDataset(folder, { split: 'val', skipBad: true });
  expect(dataset.samples.map(({ id }) => id)).toEqual(['1']);
  expect(problems).toEqual([
    expect.stringMatching(/2\.jpg is not there; image 2 of/),
    expect.stringMatching(/3\.jpg: box \(1, 1, 1, 5\) of cat has no area/),
  ]);
});

test('a signal ends it with its reason', async () => {
  const folder = await vocFolder({ a: picture });
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(checkDataset(folder, { split: 'val', signal })).rejects.toMatchObject({ code: 'ERR_ABORTED', message: expect.stringContaining('enough') });
});
