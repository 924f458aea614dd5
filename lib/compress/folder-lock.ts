import { createHash, randomBytes } from 'node:crypto';
import { constants, readFileSync } from 'node:fs';
import { copyFile, link, lstat, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { SsdPruneError } from '../errors';
import { writeError } from '../files';
import { lockFile } from './checkpoint-names';

interface Holder {
  pid: number;
  host: string;
  /** When the process began, in the system's own terms; a number of another process that took its id differs. */
  begun: string | null;
}

/** A folder that one run writes into at a time. A lock that its process took to the grave is taken over. */
export class FolderLock {
  private constructor(private readonly file: string) {}

  /** @throws {SsdPruneError} ERR_USAGE where another process holds it; ERR_IO */
  static async take(folder: string): Promise<FolderLock> {
    const file = path.join(folder, lockFile);
    await hold(file, folder).catch((error) => {
      throw writeError(file, error);
    });
    return new FolderLock(file);
  }

  async release(): Promise<void> {
    await unlink(this.file).catch(() => {});
  }
}

/** Makes a lock, whole from its first moment, or takes over a dead one, of several processes one. */
async function hold(file: string, folder: string): Promise<void> {
  const own: Holder = { pid: process.pid, host: hostname(), begun: beginOf(process.pid) };
  const aside = `${file}-${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(aside, JSON.stringify(own), { flag: 'wx' });
    while (!(await putInPlace(aside, file))) {
      const found = await readLock(file);
      // Given back meanwhile.
      if (found === undefined) continue;
      refuseAlive(found, file, folder);
      // Only who holds this one may replace what was found, and nobody sees a moment without a lock.
      const heir = `${file}-after-${createHash('sha256').update(found).digest('hex').slice(0, 12)}`;
      await hold(heir, folder);
      try {
        if ((await readFile(file, 'utf8').catch(() => undefined)) !== found) continue;
        await rename(aside, file);
        return;
      } finally {
        await unlink(heir);
      }
    }
  } finally {
    await unlink(aside).catch(() => {});
  }
}

/**
 * @returns undefined where there is none
 * @throws {SsdPruneError} ERR_IO for what can't be read, or is no file
 */
async function readLock(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (!(await lstat(file).catch(() => undefined))) return undefined;
    throw new SsdPruneError(
      'ERR_IO',
      `Can't read ${file}, by which runs tell that they write into a folder: remove it, if no run does`,
      { cause: error },
    );
  }
}

/** @returns false where there is one of the name */
async function putInPlace(lock: string, file: string): Promise<boolean> {
  try {
    await link(lock, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') throw error;
      // File systems without hard links.
      return copyFile(lock, file, constants.COPYFILE_EXCL);
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** @throws {SsdPruneError} ERR_USAGE where a lock's process lives */
function refuseAlive(lock: string, file: string, folder: string): void {
  let holder: Holder;
  try {
    holder = JSON.parse(lock) as Holder;
    if (!isAlive(holder)) return;
  } catch {
    // Its process ended before it had written it.
    return;
  }
  throw new SsdPruneError(
    'ERR_USAGE',
    `Process ${holder.pid} on ${holder.host} writes checkpoints into ${folder}: wait for it, or name another folder. If it is no more, remove ${file}.`,
  );
}

/** Of another machine nothing is known: its lock stands. */
function isAlive({ pid, host, begun }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return begun === null || begun === beginOf(pid);
}

/** Linux: the 22nd field of /proc/PID/stat, clock ticks since the system began; null elsewhere. */
function beginOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is a name in brackets, which may hold spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
