import { spawnSync } from 'node:child_process';
import path from 'node:path';
import sharp from 'sharp';
import { command, root } from '../cli/command';
import { temporary } from '../data/folders';

const { openDataset } = require('../../dist/lib/data/dataset') as typeof import('../../lib/data/dataset');
const { embeddedDetector } =
  require('../../dist/lib/embedded/detector') as typeof import('../../lib/embedded/detector');
const { sceneClasses } = require('../../dist/lib/scenes/shapes') as typeof import('../../lib/scenes/shapes');

interface Found {
  id: string;
  boxes: number[];
  labels: number[];
  difficult: number[];
}

/** What the embedded detector finds, in a process of its own: jest's arrays are not those that ONNX Runtime gives. */
function truthOf(samples: { id: string; image: string; width: number; height: number }[]): Found[] | { error: string } {
  const script = `
    const library = (name) => require(${JSON.stringify(path.join(root, 'dist', 'lib'))} + '/' + name);
    const { teacherTruth } = library('train/teacher-truth');
    const { readDetectorSettings } = library('model/detector');
    library('model/read').readModel(${JSON.stringify(embeddedDetector)}).then(async (model) => {
      const found = await teacherTruth({ model }, readDetectorSettings(model), ${JSON.stringify(samples)}, { confidence: 0.5, threads: 1 });
      return found.map(({ boxes, labels, difficult, ...rest }) => ({ ...rest, boxes: [...boxes], labels: [...labels], difficult: [...difficult] }));
    }).catch(({ code, message }) => ({ error: code + ' ' + message })).then((result) => console.log(JSON.stringify(result)));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

test('objects are what the teacher finds', async () => {
  const folder = temporary();
  expect(command(['scenes', folder, '--split', 'val', '--count', '6']).status).toBe(0);
  const { samples } = await openDataset(folder, { split: 'val', classes: sceneClasses });
  const bare = samples.map(({ id, image, width, height }) => ({ id, image, width, height }));
  const found = truthOf(bare) as Found[];
  expect(found).toMatchObject(bare);

  const files = samples.map(({ image }) => image);
  const detected = command(['detect', embeddedDetector, ...files, '--score-threshold', '0.5', '--json', '--quiet']);
  const { pictures } = JSON.parse(detected.stdout) as {
    pictures: { detections: { class: string; box: number[] }[] }[];
  };
  expect(pictures.flatMap(({ detections }) => detections).length).toBeGreaterThan(6);
  const rounded = (box: number[]) => box.map((value) => value.toFixed(2)).join(' ');
  for (const [i, { boxes, labels, difficult }] of found.entries()) {
    const { width, height } = samples[i]!;
    // `detect` cuts boxes at the edges.
    const cut = (value: number, k: number) => Math.min(k % 2 === 0 ? width : height, Math.max(0, value));
    const own = labels.map(
      (label, at) => `${sceneClasses[label]} ${rounded(boxes.slice(4 * at, 4 * at + 4).map(cut))}`,
    );
    const others = pictures[i]!.detections.map(({ class: name, box }) => `${name} ${rounded(box)}`);
    expect(own.sort()).toEqual(others.sort());
    expect(difficult).toEqual(own.map(() => 0));
  }
});

test('a teacher that finds nothing is no judge', async () => {
  const image = path.join(temporary(), 'grey.png');
  await sharp({ create: { width: 128, height: 128, channels: 3, background: '#808080' } })
    .png()
    .toFile(image);
  expect(truthOf([{ id: 'grey', image, width: 128, height: 128 }])).toEqual({
    error: expect.stringMatching(/^ERR_BAD_DATA The teacher finds nothing .*the 1 pictures held back.*--held-back 0/),
  });
});
