import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { put, temporary, type VocObject, vocFolder, vocXml } from './folders';

const { openDataset, readClassList } = require('../../dist/lib/data/dataset') as typeof import('../../lib/data/dataset');

const dog: VocObject = { name: 'dog', box: [5, 6, 30, 40] };
/** A folder of one annotation, `p`, whose XML is given. */
const folderOf = (xml: string, split = 'p\n') =>
  put(temporary(), { 'Annotations/p.xml': xml, 'ImageSets/Main/val.txt': split, 'JPEGImages/p.jpg': '' });
const open = (directory: string, options = {}) => openDataset(directory, { split: 'val', ...options });

describe('VOC', () => {
  test('reads pictures in the order of the split', async () => {
    const hard: VocObject = { name: 'tvmonitor', box: [1, 1, 50, 40], difficult: 1 };
    const folder = await vocFolder({
      '000002': { width: 50, height: 40, objects: [dog, hard] },
      '000001': { width: 60, height: 30, objects: [] },
    });
    const dataset = await open(folder);
    expect(dataset).toMatchObject({ format: 'voc', split: 'val', warnings: [] });
    expect(dataset.classes).toHaveLength(21);
    expect(dataset.categoryIds.slice(0, 3)).toEqual([0, 1, 2]);
    expect(dataset.samples).toEqual([
      {
        ...{ id: '000002', image: path.join(folder, 'JPEGImages', '000002.jpg'), width: 50, height: 40 },
        boxes: Float32Array.of(5, 6, 30, 40, 1, 1, 50, 40),
        labels: Int32Array.of(12, 20),
        difficult: Uint8Array.of(0, 1),
        truncated: Uint8Array.of(0, 0),
      },
      expect.objectContaining({ id: '000001', width: 60, height: 30, labels: new Int32Array(0) }),
    ]);
  });

  test('takes the files of single classes, byte order marks and Windows line ends', async () => {
    const folder = folderOf(`\ufeff${vocXml(50, 50, [dog]).replaceAll('\n', '\r\n')}`, '\ufeffp  -1\r\n\r\n');
    expect((await open(folder)).samples[0]!.labels).toEqual(Int32Array.of(12));
  });

  test('classes may be others, and a class called 01 is a name', async () => {
    const folder = folderOf(vocXml(50, 50, [{ ...dog, name: '01' }]));
    const { samples, classes } = await open(folder, { classes: ['x', '01'] });
    expect([classes, [...samples[0]!.labels]]).toEqual([['background', 'x', '01'], [2]]);
  });

  test('a box that leaves its picture is kept, with a warning of file and line', async () => {
    const { samples, warnings } = await open(folderOf(vocXml(20, 50, [dog])));
    expect(samples[0]!.boxes).toEqual(Float32Array.of(5, 6, 30, 40));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/p\.xml:7: box \(5, 6, 30, 40\) of dog leaves the picture of 20x50/);
  });

  test.each([
    ['a file cut short', vocXml(50, 50, [dog]).slice(0, 200), /p\.xml:\d+: not well-formed XML/],
    ['no annotation', '<picture/>', /p\.xml:1: expected one <annotation>/],
    ['no size', '<annotation><folder/></annotation>', /p\.xml:1: the annotation needs one <size>/],
    ['a size of words', vocXml(50, 50, []).replace('50', 'wide'), /p\.xml:2: expected a number in <width> but found "wide"/],
    ['a size of nothing', vocXml(0, 50, []), /p\.xml:2: the picture's size is 0x50/],
    ['a class that is not there', vocXml(50, 50, [{ ...dog, name: 'Dog' }]), /p\.xml:5: unknown class "Dog"; the classes are: aeroplane, .*tvmonitor/],
    ['a box inside out', vocXml(50, 50, [{ ...dog, box: [30, 6, 5, 40] }]), /p\.xml:7: box \(30, 6, 5, 40\) of dog has xmax <= xmin/],
    ['a box without a side', vocXml(50, 50, [dog]).replace(/<ymax>.*<\/ymax>/, ''), /p\.xml:7: expected a number in <ymax> but found nothing/],
    ['half difficult', vocXml(50, 50, [dog]).replace('<difficult>0', '<difficult>0.5'), /p\.xml:6: expected 0 or 1 in <difficult>/],
  ])('refuses %s', async (_, xml, message) => {
    await expect(open(folderOf(xml))).rejects.toMatchObject({ code: 'ERR_BAD_DATA', message: expect.stringMatching(message) });
  });

  test('entities that grow without end are refused or left alone, quickly', async () => {
    const entities = Array.from({ length: 30 }, (_, i) => `<!ENTITY e${i + 1} "&e${i};&e${i};">`).join('');
    const xml = `<!DOCTYPE annotation [<!ENTITY e0 "ha">${entities}]>${vocXml(50, 50, [{ ...dog, name: '&e30;' }])}`;
    await expect(open(folderOf(xml))).rejects.toMatchObject({ code: 'ERR_BAD_DATA' });
  });

  test.each([
    ['a name twice', 'p\n\np\n', /val\.txt:3: p is already on line 1/],
    ['a way out of the folder', '../p\n', /val\.txt:1: "\.\.\/p" leads out/],
    ['words', 'p and q\n', /val\.txt:1: expected a picture's name/],
    ['nothing', '\n', /val\.txt names no picture/],
    ['a picture without annotation', 'p\nq\n', /q\.(jpg|xml) .*is not there; .*val\.txt:2 names it/],
  ])('refuses a split with %s', async (_, split, message) => {
    const folder = folderOf(vocXml(50, 50, [dog]), split);
    await expect(open(folder)).rejects.toMatchObject({ code: 'ERR_BAD_DATA', message: expect.stringMatching(message) });
  });

  test('a split that is not there names those that are', async () => {
    const folder = folderOf(vocXml(50, 50, []));
    writeFileSync(path.join(folder, 'ImageSets', 'Main', 'train.txt'), 'p\n');
    await expect(open(folder, { split: 'test' })).rejects.toMatchObject({
      code: 'ERR_BAD_DATA',
      message: expect.stringMatching(/No split "test".*there are: train, val/),
    });
  });

  test('pictures must be there unless nobody needs them', async () => {
    const folder = folderOf(vocXml(50, 50, []));
    rmSync(path.join(folder, 'JPEGImages', 'p.jpg'));
    await expect(open(folder)).rejects.toMatchObject({
      code: 'ERR_BAD_DATA',
      message: expect.stringMatching(/p\.jpg.*is not there; .*val\.txt:1 names it/),
    });
    expect((await open(folder, { requireImages: false })).samples).toHaveLength(1);
  });
});

test('a class list has a name a line, with background or without', async () => {
  const folder = put(temporary(), { a: '\ufeffbackground\r\ncat \r\n\r\ndog', b: 'cat\ncat\n', c: '\n' });
  expect(await readClassList(path.join(folder, 'a'))).toEqual(['background', 'cat', 'dog']);
  await expect(readClassList(path.join(folder, 'b'))).rejects.toMatchObject({ code: 'ERR_USAGE' });
  await expect(readClassList(path.join(folder, 'c'))).rejects.toMatchObject({ code: 'ERR_USAGE' });
  await expect(readClassList(path.join(folder, 'd'))).rejects.toMatchObject({ code: 'ERR_IO' });
});

test.each([
  ['', 'ERR_USAGE'],
  ['/nowhere', 'ERR_BAD_DATA'],
])('refuses the folder %j', async (folder, code) => {
  await expect(open(folder)).rejects.toMatchObject({ code });
});

test('a folder of neither layout says what both look like', async () => {
  await expect(open(temporary())).rejects.toMatchObject({
    code: 'ERR_BAD_DATA',
    message: expect.stringMatching(/neither a Pascal VOC folder.*nor a COCO folder/),
  });
});
