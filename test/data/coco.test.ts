import path from 'node:path';
import { put, temporary } from './folders';

const { openDataset } = require('../../dist/lib/data/dataset') as typeof import('../../lib/data/dataset');
const { readDetections, writeDetections } = require('../../dist/lib/evaluate/results') as typeof import('../../lib/evaluate/results');

const images = [
  { id: 20, file_name: 'b.jpg', width: 40, height: 30 },
  { id: 3, file_name: 'a.jpg', width: 60, height: 50, license: [1, { x: null }] },
];
const categories = [
  { id: 7, name: 'zebra' },
  { id: 2, name: 'cat' },
];
const annotation = { id: 1, image_id: 3, category_id: 7, bbox: [1.25, 2, 10, 20.5], area: 99.5, iscrowd: 0 };
const instances = { info: {}, images, categories, annotations: [annotation] };

/** A COCO folder whose split `val` has these instances, or this text. */
const folderOf = (content: object | string) =>
  put(temporary(), {
    'annotations/instances_val.json': typeof content === 'string' ? content : JSON.stringify(content),
    'val/a.jpg': '',
    'val/b.jpg': '',
  });
const open = (content: object | string, options = {}) => openDataset(folderOf(content), { split: 'val', ...options });

describe('COCO', () => {
  test('pictures by id, classes by category id, boxes as they are', async () => {
    const crowd = { ...annotation, category_id: 2, iscrowd: 1, area: undefined, bbox: [0, 0, 4, 5] };
    const dataset = await open({ ...instances, annotations: [annotation, crowd] });
    expect(dataset).toMatchObject({ format: 'coco', classes: ['background', 'cat', 'zebra'], categoryIds: [0, 2, 7] });
    expect(dataset.samples.map(({ id }) => id)).toEqual(['3', '20']);
    expect(dataset.samples[0]).toMatchObject({
      ...{ image: path.join(dataset.directory, 'val', 'a.jpg'), width: 60, height: 50 },
      boxes: Float32Array.of(1.25, 2, 11.25, 22.5, 0, 0, 4, 5),
      bbox: Float64Array.of(1.25, 2, 10, 20.5, 0, 0, 4, 5),
      labels: Int32Array.of(2, 1),
      crowd: Uint8Array.of(0, 1),
      area: Float64Array.of(99.5, 20),
    });
  });

  test("a model's classes give the indexes; one that the file lacks has no objects", async () => {
    const dataset = await open(instances, { classes: ['zebra', 'yak', 'cat'] });
    expect(dataset.categoryIds).toEqual([0, 7, -1, 2]);
    expect(dataset.samples[0]!.labels).toEqual(Int32Array.of(1));
    await expect(open(instances, { classes: ['cat'] })).rejects.toMatchObject({
      code: 'ERR_BAD_DATA',
      message: expect.stringMatching(/instances_val\.json:1: unknown class "zebra" \(category 7\); the classes are: cat/),
    });
  });

  test('category 0 is a class like any other, in detections too', async () => {
    const zero = { ...instances, categories: [{ id: 0, name: 'ant' }, ...categories], annotations: [{ ...annotation, category_id: 0 }] };
    const dataset = await open(zero);
    expect(dataset.samples[0]!.labels).toEqual(Int32Array.of(1));
    const file = path.join(put(temporary(), { 'f.json': '[{"image_id":3,"category_id":0,"bbox":[0,0,1,1],"score":1}]' }), 'f.json');
    expect((await readDetections(file, dataset)).label).toEqual(Int32Array.of(1));
  });

  test('two categories of one name: the one that is used counts, two are refused', async () => {
    const twins = [{ id: 0, name: 'cat' }, { id: 2, name: 'cat' }, { id: 9, name: 'cat' }];
    const one = { ...instances, categories: twins, annotations: [{ ...annotation, category_id: 2 }] };
    expect((await open(one, { classes: ['cat'] })).samples[0]!.labels).toEqual(Int32Array.of(1));
    const two = { ...one, annotations: [...one.annotations, { ...annotation, category_id: 9 }] };
    await expect(open(two, { classes: ['cat'] })).rejects.toMatchObject({
      code: 'ERR_BAD_DATA',
      message: expect.stringContaining('categories 2 and 9 are both called "cat"'),
    });
  });

  const with_ = (change: object) => ({ ...instances, annotations: [{ ...annotation, ...change }] });
  test.each([
    ['a file cut short', JSON.stringify(instances, null, 1).slice(0, -30), /json:\d+: .*the file ends/],
    ['no JSON', 'hello', /json:1: expected an object/],
    ['no annotations', { images, categories }, /no annotations in it/],
    ['no pictures', { ...instances, images: [] }, /images is empty/],
    ['a picture twice', { ...instances, images: [images[0], images[0]] }, /images\[1\] has id 20, which an earlier/],
    ['a way out of the folder', { ...instances, images: [{ ...images[0], file_name: '../a.jpg' }] }, /leads out/],
    ['a picture of no size', { ...instances, images: [{ ...images[0], width: 0 }] }, /images\[0\] is 0x30/],
    ['an unknown picture', with_({ image_id: 5 }), /annotations\[0\] belongs to image 5/],
    ['an unknown category', with_({ category_id: 1 }), /unknown category 1; there are: 7 zebra, 2 cat/],
    ['three sides', with_({ bbox: [1, 2, 3] }), /annotations\[0\]\.bbox has 3 numbers/],
    ['a negative height', with_({ bbox: [1, 2, 3, -4] }), /negative width or height/],
    ['a crowd of two', with_({ iscrowd: 2 }), /iscrowd is 2, expected 0 or 1/],
    ['a bad number', JSON.stringify(instances).replace('99.5', '099.5'), /no zero in front/],
    ['an open string', JSON.stringify(instances).replace('zebra"', 'zebra\n"'), /a string is not closed/],
  ])('refuses %s', async (_, content, message) => {
    await expect(open(content)).rejects.toMatchObject({ code: 'ERR_BAD_DATA', message: expect.stringMatching(message) });
  });

  test('names the line of what it refuses', async () => {
    const text = JSON.stringify(with_({ category_id: 1 }), null, 1);
    // The line on which the annotation's brace opens.
    const line = text.slice(0, text.indexOf('{', text.indexOf('"annotations"'))).split('\n').length;
    await expect(open(text)).rejects.toMatchObject({ message: expect.stringContaining(`instances_val.json:${line}: `) });
  });

  test('a split that is not there names those that are; a picture that is not there is named', async () => {
    await expect(openDataset(folderOf(instances), { split: 'test2017' })).rejects.toMatchObject({
      code: 'ERR_BAD_DATA',
      message: expect.stringMatching(/No split "test2017".*there are: val/),
    });
    const lost = { ...instances, images: [...images, { ...images[0], id: 21, file_name: 'c.jpg' }] };
    await expect(open(lost)).rejects.toMatchObject({ message: expect.stringMatching(/c\.jpg is not there; image 21/) });
    expect((await open(lost, { requireImages: false })).samples).toHaveLength(3);
  });

  test('odd boxes are kept, with a warning', async () => {
    const { warnings, samples } = await open(with_({ bbox: [-5, 0, 10, 0] }));
    expect(samples[0]!.bbox).toEqual(Float64Array.of(-5, 0, 10, 0));
    expect(warnings).toEqual([expect.stringMatching(/json:1: annotations\[0\]: box \[-5,0,10,0\] leaves the picture of 60x50/)]);
  });
});

describe('detections in files', () => {
  test('come back as they were, to the last bit of their shares', async () => {
    const dataset = await open(instances);
    const detections = {
      image: Int32Array.of(0, 1, 1),
      label: Int32Array.of(2, 1, 2),
      score: Float32Array.of(0.1, 1 / 3, 1e-7),
      box: Float32Array.of(0.1, 0.2, 0.3, 0.7, -0.05, 1 / 3, 1.1, 2 / 3, 0.5, 0.5, 0.4, 0.6),
    };
    const file = path.join(temporary(), 'found.json');
    expect(await writeDetections(file, dataset, detections)).toBe(3);
    const back = await readDetections(file, dataset);
    expect(back).toMatchObject({ layout: 'coco', image: detections.image, label: detections.label });
    expect(Float32Array.from(back.score)).toEqual(detections.score);
    for (const i of [0, 1]) {
      const [x, y, w, h] = back.box.subarray(i * 4, i * 4 + 4) as unknown as [number, number, number, number];
      const { width, height } = dataset.samples[detections.image[i]!]!;
      const shares = Float32Array.of(x / width, y / height, (x + w) / width, (y + h) / height);
      expect(shares).toEqual(detections.box.slice(i * 4, i * 4 + 4));
    }
    // The third is inside out: it keeps its place and loses its width.
    expect(back.box[10]).toBe(0);
  });

  test('none at all is an empty list', async () => {
    const dataset = await open(instances);
    const none = { image: new Int32Array(0), label: new Int32Array(0), score: new Float32Array(0), box: new Float32Array(0) };
    const file = path.join(temporary(), 'found.json');
    expect(await writeDetections(file, dataset, none)).toBe(0);
    expect((await readDetections(file, dataset)).image).toHaveLength(0);
  });
});
