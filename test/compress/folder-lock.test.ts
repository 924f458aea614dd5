import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { temporary } from '../data/folders';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { FolderLock } = dist('compress/folder-lock') as typeof import('../../lib/compress/folder-lock');

/** Nobody has this number. */
const dead = JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), begun: null });

test.each([
  ['none was there', undefined],
  ['a dead process left its own', dead],
  ['a process ended as it wrote its own', '{"pid":'],
])('of many that want the lock at once one has it: %s', async (_, left) => {
  for (let round = 0; round < 40; round++) {
    const folder = temporary();
    if (left !== undefined) writeFileSync(path.join(folder, '.lock'), left);
    const found = await Promise.allSettled(Array.from({ length: 4 }, () => FolderLock.take(folder)));
    const taken = found.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(taken).toHaveLength(1);
    for (const one of found) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'ERR_USAGE' });
    expect(JSON.parse(readFileSync(path.join(folder, '.lock'), 'utf8')).pid).toBe(process.pid);
    expect(readdirSync(folder)).toEqual(['.lock']);
    await taken[0]!.release();
    expect(readdirSync(folder)).toEqual([]);
  }
});

test.each([
  ['a folder', (file: string) => mkdirSync(file)],
  ['a link to nothing', (file: string) => symlinkSync('nowhere', file)],
])('%s in its place is named, and waited for by nobody', async (_, make) => {
  const folder = temporary();
  make(path.join(folder, '.lock'));
  await expect(FolderLock.take(folder)).rejects.toMatchObject({
    code: 'ERR_IO',
    message: expect.stringContaining('.lock'),
  });
  expect(readdirSync(folder)).toEqual(['.lock']);
});

test('a lock of another machine stands', async () => {
  const folder = temporary();
  writeFileSync(path.join(folder, '.lock'), JSON.stringify({ pid: 1, host: 'elsewhere', begun: null }));
  await expect(FolderLock.take(folder)).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('Process 1 on elsewhere'),
  });
});
