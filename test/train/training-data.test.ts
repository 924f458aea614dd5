import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import path from 'node:path';
import { put, vocFolder } from '../data/folders';

const { openTrainingData } =
  require('../../dist/lib/train/training-data') as typeof import('../../lib/train/training-data');

const classes = ['background', 'car', 'dog'];
const object = { name: 'car', box: [3, 3, 40, 40] as [number, number, number, number] };

/** A VOC folder with two pictures in its split `val`. */
const twoPictures = () =>
  vocFolder({
    a: { width: 64, height: 48, objects: [object] },
    b: { width: 50, height: 60, objects: [{ ...object, name: 'dog' }] },
  });

test('with labels: what the split is annotated with', async () => {
  const folder = await twoPictures();
  const { dataset, files, problems } = await openTrainingData(folder, classes, { split: 'val' });
  expect(dataset.samples.map(({ id, labels }) => [id, ...labels])).toEqual([
    ['a', 1],
    ['b', 2],
  ]);
  expect(problems).toEqual([]);
  expect(files).toEqual(expect.arrayContaining([path.join(folder, 'Annotations')]));
});

describe('without labels', () => {
  const none = { labels: 'none' } as const;

  test('every picture below a folder, with its size, nothing on it, and a name that moves with the folder', async () => {
    const folder = await twoPictures();
    const open = async (place: string) => (await openTrainingData(place, classes, none)).dataset;
    const pictures = path.join(folder, 'JPEGImages');
    const { samples } = await open(pictures);
    expect(samples).toMatchObject([
      { id: 'a.jpg', image: path.join(pictures, 'a.jpg'), width: 64, height: 48 },
      { id: 'b.jpg', image: path.join(pictures, 'b.jpg'), width: 50, height: 60 },
    ]);
    for (const { boxes, labels } of samples) expect([boxes.length, labels.length]).toEqual([0, 0]);
    await rename(pictures, path.join(folder, 'moved'));
    expect((await open(path.join(folder, 'moved'))).samples.map(({ id }) => id)).toEqual(['a.jpg', 'b.jpg']);
  });

  test('a split of a VOC folder whose annotations are not there', async () => {
    const folder = await twoPictures();
    for (const name of readdirSync(path.join(folder, 'Annotations'))) rmSync(path.join(folder, 'Annotations', name));
    const { dataset } = await openTrainingData(folder, classes, { ...none, split: 'val' });
    expect(dataset.samples.map(({ image }) => path.basename(image))).toEqual(['a.jpg', 'b.jpg']);
  });

  test('a list, which no output may replace; a picture that it names twice is one', async () => {
    const folder = await twoPictures();
    put(folder, { 'list.txt': 'JPEGImages/b.jpg\nJPEGImages/a.jpg\n./JPEGImages/b.jpg\n' });
    const list = path.join(folder, 'list.txt');
    const { dataset, files } = await openTrainingData(list, classes, none);
    expect(dataset.samples.map(({ width }) => width)).toEqual([50, 64]);
    expect(files[0]).toBe(list);
  });

  test('broken pictures are named together, or left out', async () => {
    const folder = path.join(await twoPictures(), 'JPEGImages');
    for (const name of ['c.jpg', 'd.jpg']) writeFileSync(path.join(folder, name), 'not a picture');
    await expect(openTrainingData(folder, classes, none)).rejects.toMatchObject({
      code: 'ERR_BAD_DATA',
      message: expect.stringMatching(/2 problems.*\n.*c\.jpg.*\n.*d\.jpg/),
    });
    const { dataset, problems } = await openTrainingData(folder, classes, { ...none, skipBad: true });
    expect(dataset.samples).toHaveLength(2);
    expect(problems).toHaveLength(2);
    for (const name of ['a.jpg', 'b.jpg']) rmSync(path.join(folder, name));
    await expect(openTrainingData(folder, classes, { ...none, skipBad: true })).rejects.toMatchObject({
      code: 'ERR_BAD_DATA',
    });
  });
});
