import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { put, temporary, vocFolder } from '../data/folders';
import { errorOf, events, run } from './command';

const model = path.resolve(__dirname, '..', 'graphs', 'residual-resnet-legacy-17.onnx');

let data: string;
beforeAll(async () => {
  data = await vocFolder({
    // Edges 0 to 50 and 0 to 40: VOC counts pixels from 1, the last one inside.
    one: { width: 100, height: 80, objects: [{ name: 'dog', box: [1, 1, 50, 40] }] },
    two: { width: 100, height: 80, objects: [{ name: 'cat', box: [11, 11, 30, 30] }] },
  });
});

beforeAll(() => mkdirSync(path.join(data, 'ImageSets', 'Main', 'odd.txt')));

const save = (content: unknown): string => {
  const folder = put(temporary(), { 'found.json': typeof content === 'string' ? content : JSON.stringify(content) });
  return path.join(folder, 'found.json');
};
const score = (content: unknown, ...args: string[]) => run(['score', save(content), '--data', data, '--json', ...args]);

describe('score', () => {
  const dog = { image_id: 'one', category_id: 12, bbox: [0, 0, 50, 40], score: 0.9 };

  test('classes count by their index, pictures by their names', async () => {
    const ended = await score([dog, { ...dog, category_id: 8 }], '--protocol', 'voc', '--overlap-threshold', '1');
    expect(ended.status).toBe(0);
    const report = JSON.parse(ended.stdout);
    expect(report).toMatchObject({ schema: 'ssd-prune.eval/1', model: null, device: null, map: 0.5 });
    const classes = report.classes.filter((entry: { positives: number }) => entry.positives > 0);
    expect(classes).toEqual([
      { name: 'cat', ap: 0, positives: 1, detections: 1 },
      { name: 'dog', ap: 1, positives: 1, detections: 1 },
    ]);
  });

  test('no detection at all is a mean of 0', async () => {
    expect(JSON.parse((await score([])).stdout)).toMatchObject({ map: 0, images: 2 });
  });

  test('--classes gives the names in another order', async () => {
    const classes = path.join(put(temporary(), { 'names.txt': 'cat\r\ndog\n\n' }), 'names.txt');
    const ended = await score([{ ...dog, category_id: 2 }], '--classes', classes, '--bootstrap', '0');
    expect(JSON.parse(ended.stdout)).toMatchObject({ map: 0.5, classes: [{ name: 'cat' }, { name: 'dog', ap: 1 }] });
  });

  test.each([
    ['nothing', '', /the file ends where an array/],
    ['an object', '{}', /expected an array of detections, but this is an object/],
    ['a file cut short', '[{"image_id":"one","category_id":12,\n"bbox":[0,0', /json:2: entry 0: .*ends/],
    ['no score', [{ image_id: 'one', category_id: 12, bbox: [0, 0, 5, 5] }], /json:1: entry 0: no score/],
    [
      'a picture of another split',
      [dog, { ...dog, image_id: 'three' }],
      /entry 1: image_id "three" isn't in the split "val"/,
    ],
    ['a class that is not there', [{ ...dog, category_id: 21 }], /unknown category_id 21; there are: 1 aeroplane, /],
    ['background', [{ ...dog, category_id: 0 }], /unknown category_id 0/],
    ['three sides', [{ ...dog, bbox: [0, 0, 5] }], /bbox has 3 numbers/],
    ['a negative width', [{ ...dog, bbox: [0, 0, -5, 5] }], /width -5/],
    [
      'a score beyond doubles',
      '[{"image_id":"one","category_id":12,"bbox":[0,0,5,5],"score":1e999}]',
      /range of a double/,
    ],
    ['NaN', '[{"image_id":"one","category_id":12,"bbox":[0,0,5,5],"score":NaN}]', /a number for score but found "NaN/],
    ['something behind the end', '[] []', /something follows/],
    ['deep nesting', `[{"x":${'['.repeat(100000)}`, /nested deeper/],
    ['bytes that are no text', '\u0000\u0001\u0002', /expected an array/],
  ])('refuses %s', async (_, content, message) => {
    const ended = await score(content);
    expect([ended.status, ended.stdout, errorOf(ended).code]).toEqual([1, '', 'ERR_BAD_DATA']);
    expect(errorOf(ended).message).toMatch(message);
  });

  test('warns of pictures without a detection; --limit scores the first ones only', async () => {
    const warned = await score([dog], '--bootstrap', '0');
    expect(JSON.parse(warned.stdout)).toMatchObject({ map: 0.5, images: 2 });
    const [warning] = events(warned).filter(({ event }) => event === 'warning');
    expect(warning!.message).toMatch(/^1 of 2 pictures have no detection in .*found\.json and count as empty/);
    const cat = { image_id: 'two', category_id: 8, bbox: [10, 10, 20, 20], score: 0.8 };
    for (const found of [[dog], [cat, dog]]) {
      const limited = await score(found, '--bootstrap', '0', '--limit', '1');
      expect(JSON.parse(limited.stdout)).toMatchObject({ map: 1, images: 1 });
      expect(events(limited)).toEqual([]);
      const { classes } = JSON.parse(limited.stdout);
      expect(classes.find(({ name }: { name: string }) => name === 'cat')).toMatchObject({
        positives: 0,
        detections: 0,
      });
    }
  });

  test.each([
    ['score', ['score', '/tmp', '--data'], /Can't read detections \/tmp: it is a folder/],
    ['compare', ['compare', '/tmp', 'a.json'], /Can't read report \/tmp: it is a folder/],
    ['bench', ['bench', 'nope.onnx'], /Can't read model nope\.onnx: there is no such file/],
    [
      'init',
      ['init', '/tmp/never.onnx', '--class-names', 'nope'],
      /Can't read class names nope: there is no such file/,
    ],
    ['eval', ['eval', model, '--detector', '/tmp', '--data'], /Can't read detector settings \/tmp: it is a folder/],
    [
      'a split that is a folder',
      ['score', 'x.json', '--split', 'odd', '--data'],
      /Can't read split .*odd\.txt: it is a/,
    ],
  ])('%s says plainly what it cannot read', async (_, args, message) => {
    const ended = await run([...args, ...(args.at(-1) === '--data' ? [data] : []), '--json']);
    expect([ended.status, ended.stdout, errorOf(ended).code]).toEqual([1, '', 'ERR_IO']);
    expect(errorOf(ended).message).toMatch(message);
  });

  test('refuses a file that is not there', async () => {
    const ended = await run(['score', '/nowhere/found.json', '--data', data, '--json']);
    expect([ended.status, errorOf(ended).code]).toEqual([1, 'ERR_IO']);
  });
});
