import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { SsdPruneError } from './errors';

/**
 * Writes a file under a temporary name beside it, then renames: no half-written file ever carries the final name.
 * @throws {SsdPruneError} ERR_IO with the path and the system's reason.
 */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.tmp`);
  try {
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new SsdPruneError('ERR_IO', `${file} can't be written: ${(error as Error).message}`, { cause: error });
  }
}
