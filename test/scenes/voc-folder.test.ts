import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { openDataset } from '../../lib/data/dataset';
import { decodePicture } from '../../lib/data/images';
import { drawScene } from '../../lib/scenes/scene';
import { sceneClasses } from '../../lib/scenes/shapes';
import { writeScenes } from '../../lib/scenes/voc-folder';
import { temporary } from '../cli/command';
import { failure } from '../model/onnx-files';

test('a written split is the drawn scenes, and opens as a dataset without a warning', async () => {
  const folder = temporary();
  const told: number[] = [];
  await writeScenes(folder, { split: 'val', count: 6, seed: 5, onProgress: (done) => told.push(done) });
  expect(told).toEqual([1, 2, 3, 4, 5, 6]);
  const dataset = await openDataset(folder, { split: 'val', classes: sceneClasses });
  expect(dataset.warnings).toEqual([]);
  expect(dataset.samples.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5].map((i) => `val_00000${i}`));
  for (const [index, sample] of dataset.samples.entries()) {
    const { data, ...scene } = drawScene({ seed: 5, split: 'val', index });
    expect(sample).toMatchObject(scene);
    // JPEG changes a pixel a little; a wrong size, channel order or picture changes much more.
    const picture = await decodePicture(sample.image);
    const off = data.reduce((sum, value, i) => sum + Math.abs(value - picture.data[i]!), 0) / data.length;
    expect(off).toBeLessThan(4);
  }
  const classes = readFileSync(path.join(folder, 'classes.txt'), 'utf8').trim().split('\n');
  expect(classes).toEqual(sceneClasses.slice(1));
});

test('a folder takes several splits, and gives up none unasked', async () => {
  const folder = temporary();
  await writeScenes(folder, { count: 2 });
  await writeScenes(folder, { split: 'val', count: 1 });
  expect((await failure(() => writeScenes(folder, { count: 1 }))).code).toBe('ERR_OUTPUT_EXISTS');
  await writeScenes(folder, { count: 3, force: true });
  expect((await openDataset(folder, { split: 'train', classes: sceneClasses })).samples).toHaveLength(3);
  expect((await openDataset(folder, { split: 'val', classes: sceneClasses })).samples).toHaveLength(1);
});

test('a split that is called off is none', async () => {
  const folder = temporary();
  const controller = new AbortController();
  const onProgress = (): void => controller.abort();
  const broken = await failure(() => writeScenes(folder, { count: 50, signal: controller.signal, onProgress }));
  expect(broken.code).toBe('ERR_ABORTED');
  expect(readdirSync(path.join(folder, 'ImageSets', 'Main'))).toEqual([]);
  const written = readdirSync(path.join(folder, 'Annotations')).length;
  expect(written).toBeLessThan(50);
  // Nobody goes on behind the caller's back.
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(readdirSync(path.join(folder, 'Annotations'))).toHaveLength(written);
});

test.each([
  ['a split that names a path', { split: '../val', count: 1 }],
  ['no scenes', { count: 0 }],
  ['half a scene', { count: 1.5 }],
  ['a negative seed', { count: 1, seed: -1 }],
])('%s is refused', async (_, options) => {
  expect((await failure(() => writeScenes(temporary(), options))).code).toBe('ERR_USAGE');
});
