import { readFileSync } from 'node:fs';
import { open, readFile, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { SsdPruneError } from '../errors';
import { writeError } from '../files';

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
    const file = path.join(folder, '.lock');
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        const handle = await open(file, 'wx');
        const own: Holder = { pid: process.pid, host: hostname(), begun: beginOf(process.pid) };
        await handle.writeFile(JSON.stringify(own)).finally(() => handle.close());
        return new FolderLock(file);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw writeError(file, error);
      }
      const holder = await readHolder(file);
      if (holder && isAlive(holder)) {
        throw new SsdPruneError(
          'ERR_USAGE',
          `Process ${holder.pid} on ${holder.host} writes checkpoints into ${folder}: wait for it, or name another folder. If it is no more, remove ${file}.`,
        );
      }
      await unlink(file).catch(() => {});
    }
    throw new SsdPruneError('ERR_USAGE', `Another process has just begun to write checkpoints into ${folder}.`);
  }

  async release(): Promise<void> {
    await unlink(this.file).catch(() => {});
  }
}

async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Holder;
  } catch {
    // Its process ended before it had written it.
    return undefined;
  }
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
