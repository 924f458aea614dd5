import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';

const { drawPictures, findPictures, PictureSource, splitOf } =
  require('../../dist/lib/calibrate/pictures') as typeof import('../../lib/calibrate/pictures');
const { spread } = require('../../dist/lib/calibrate/samples') as typeof import('../../lib/calibrate/samples');

const grey = (file: string, value: number) =>
  sharp({ create: { width: 8, height: 6, channels: 3, background: { r: value, g: value, b: value } } })
    .png()
    .toFile(file);

async function folderOfThree(): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-pictures-'));
  mkdirSync(path.join(folder, 'deep'));
  await grey(path.join(folder, 'b.png'), 50);
  await grey(path.join(folder, 'a.png'), 100);
  await grey(path.join(folder, 'deep', 'c.png'), 150);
  writeFileSync(path.join(folder, 'notes.txt'), 'no picture');
  return folder;
}

describe('where pictures are found', () => {
  test('a folder: everything below it, by path', async () => {
    const folder = await folderOfThree();
    expect(await findPictures(folder)).toEqual(
      ['a.png', 'b.png', path.join('deep', 'c.png')].map((name) => path.join(folder, name)),
    );
  });

  test('a list: its lines, from where it lies', async () => {
    const folder = await folderOfThree();
    const list = path.join(folder, 'list.txt');
    const elsewhere = path.join(mkdtempSync(path.join(tmpdir(), 'ssd-prune-pictures-')), 'd.png');
    await grey(elsewhere, 10);
    writeFileSync(list, `\uFEFF# from here\ndeep/c.png\r\n\n  \n${elsewhere}\n # and there\n./a.png`);
    expect(await findPictures(list)).toEqual([
      path.join(folder, 'deep', 'c.png'),
      elsewhere,
      path.join(folder, 'a.png'),
    ]);
  });

  test.each<[string, string | Buffer, string]>([
    [
      'a picture that is not there',
      '# pictures\r\n\r\na.png\r\nz.png\r\ny.png\r\n',
      'z.png is not there; LIST:4 names it',
    ],
    ['a folder', 'a.png\ndeep\n', 'deep is no file; LIST:2 names it'],
    ['a path through a file', 'a.png\nb.png/c.png\n', "b.png/c.png can't be read (ENOTDIR); LIST:2 names it"],
    ['far behind', `${'a.png\n'.repeat(1000)}\nz.png`, 'z.png is not there; LIST:1002 names it'],
    ['nothing', '', 'LIST names no picture'],
    ['comments and blank lines alone', '\n# a.png\n\t\r\n', 'LIST names no picture'],
    ['what is a picture itself', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 13]), 'LIST is no text'],
  ])('a list that names %s is refused with its line', async (_, text, message) => {
    const folder = await folderOfThree();
    const list = path.join(folder, 'list.txt');
    writeFileSync(list, text);
    const error = await findPictures(list).catch((reason) => reason);
    expect(error.code).toBe('ERR_BAD_DATA');
    expect(error.message).toContain(message.replace('LIST', list));
  });

  test('a list has no splits', async () => {
    const list = path.join(await folderOfThree(), 'list.txt');
    writeFileSync(list, 'a.png\n');
    await expect(findPictures(list, 'train')).rejects.toMatchObject({ code: 'ERR_USAGE' });
  });

  test('a VOC folder: the split asked for, train by default', async () => {
    const folder = await folderOfThree();
    for (const name of ['Annotations', 'JPEGImages', path.join('ImageSets', 'Main')])
      mkdirSync(path.join(folder, name), { recursive: true });
    // Annotations are never read: there are none.
    for (const id of ['a', 'b']) {
      symlinkSync(path.join(folder, `${id}.png`), path.join(folder, 'JPEGImages', `${id}.png`));
    }
    writeFileSync(path.join(folder, 'ImageSets', 'Main', 'train.txt'), 'b\n');
    writeFileSync(path.join(folder, 'ImageSets', 'Main', 'val.txt'), 'a\n');
    expect(await findPictures(folder)).toEqual([path.join(folder, 'JPEGImages', 'b.png')]);
    expect(await findPictures(folder, 'val')).toEqual([path.join(folder, 'JPEGImages', 'a.png')]);
    expect([
      await splitOf(folder),
      await splitOf(folder, 'val'),
      await splitOf(path.join(folder, 'JPEGImages')),
    ]).toEqual([...['train', 'val', undefined]]);
  });

  test('no pictures, no such place, a COCO folder without a split: codes', async () => {
    const empty = mkdtempSync(path.join(tmpdir(), 'ssd-prune-pictures-'));
    await expect(findPictures(empty)).rejects.toMatchObject({ code: 'ERR_BAD_DATA' });
    await expect(findPictures(path.join(empty, 'none'))).rejects.toMatchObject({ code: 'ERR_BAD_DATA' });
    mkdirSync(path.join(empty, 'annotations'));
    await expect(findPictures(empty)).rejects.toMatchObject({ code: 'ERR_USAGE' });
  });
});

describe('draws', () => {
  const files = Array.from({ length: 100 }, (_, i) => `${i}`);

  test('depend on the seed, repeat nothing, and begin alike whatever their number', () => {
    const drawn = drawPictures(files, 20, 1);
    expect(new Set(drawn).size).toBe(20);
    expect(drawPictures(files, 20, 1)).toEqual(drawn);
    expect(drawPictures(files, 5, 1)).toEqual(drawn.slice(0, 5));
    expect(drawPictures(files, 20, 2)).not.toEqual(drawn);
    expect(drawPictures(files, 500, 1).sort()).toEqual([...files].sort());
    expect(() => drawPictures(files, 0, 1)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
  });

  test('places: one in each equal part, all of them where there are few', () => {
    const places = spread(7, 3, 1000, 10);
    expect(Array.from(places, (place) => Math.floor(place / 100))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(spread(7, 3, 1000, 10)).toEqual(places);
    expect(spread(7, 4, 1000, 10)).not.toEqual(places);
    expect(Array.from(spread(7, 3, 4, 10))).toEqual([0, 1, 2, 3]);
  });
});

test('pictures come as the detector sees them', async () => {
  const folder = await folderOfThree();
  const source = new PictureSource(await findPictures(folder), {
    name: 'in',
    width: 4,
    height: 3,
    channels: 'RGB',
    mean: [50, 50, 50],
    std: [50, 50, 50],
    resize: { kernel: 'bilinear', antialias: false },
  });
  const { in: input } = await source.feeds(1, 3);
  expect(input!.dims).toEqual([2, 3, 3, 4]);
  expect(Array.from(input!.data)).toEqual([...new Array(36).fill(0), ...new Array(36).fill(2)]);
});
