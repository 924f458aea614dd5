import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeFolder } from '../lib/files';
import { temporary } from './data/folders';

test('a folder is made with those above it, whoever else makes them meanwhile, and what is there is left', async () => {
  const folder = temporary();
  const place = path.join(folder, 'a', 'b', 'c');
  await Promise.all(Array.from({ length: 8 }, () => makeFolder(place)));
  expect(statSync(place).isDirectory()).toBe(true);
  symlinkSync(place, path.join(folder, 'link'));
  await makeFolder(path.join(folder, 'link'));
  await makeFolder(path.join(folder, 'link', 'd'));
  expect(statSync(path.join(place, 'd')).isDirectory()).toBe(true);
});

test('where none can be made that is said', async () => {
  const folder = temporary();
  writeFileSync(path.join(folder, 'file'), '');
  mkdirSync(path.join(folder, 'real'));
  symlinkSync(path.join(folder, 'nowhere'), path.join(folder, 'dangling'));
  for (const name of ['file', 'file/below', 'dangling']) {
    await expect(makeFolder(path.join(folder, name))).rejects.toMatchObject({
      code: 'ERR_IO',
      message: expect.stringContaining('a file is in its place'),
    });
  }
});

const linux = process.platform === 'linux' ? test : test.skip;
linux('a file system that makes none is no endless search for one', async () => {
  for (const name of ['/proc/x', '/proc/x/y/z']) {
    await expect(makeFolder(name)).rejects.toMatchObject({
      code: 'ERR_IO',
      message: "Can't make the folder /proc/x: /proc takes none",
    });
  }
});
