import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { SsdPruneError } from './errors';

/** Temporary files that are being written: removed where the process is ended meanwhile. */
const unfinished = new Set<string>();

function removeUnfinished(): void {
  for (const file of unfinished) rmSync(file, { force: true });
}

/**
 * Writes chunks, one behind the other, under a temporary name beside the file, then renames: no half-written file ever
 * carries the final name.
 * @throws {SsdPruneError} ERR_IO with the path and the reason
 */
export async function replaceFile(file: string, chunks: readonly Uint8Array[]): Promise<void> {
  // Short, or a long output name would have none: 255 bytes are all that file systems give.
  const name = `.${path.basename(file).slice(0, 40)}.${randomBytes(6).toString('hex')}.tmp`;
  const temporary = path.join(path.dirname(file), name);
  let handle: FileHandle | undefined;
  try {
    if (unfinished.size === 0) process.on('exit', removeUnfinished);
    unfinished.add(temporary);
    handle = await open(temporary, 'wx');
    await writeAll(handle, chunks);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, file);
  } catch (error) {
    await handle?.close().catch(() => {});
    await unlink(temporary).catch(() => {});
    throw writeError(file, error);
  } finally {
    unfinished.delete(temporary);
    if (unfinished.size === 0) process.removeListener('exit', removeUnfinished);
  }
}

/** Bytes and buffers a single call is given: the system takes at most 2^31 - 4096 bytes and 1024 buffers at once. */
const batchBytes = 2 ** 30;
const batchBuffers = 512;

async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  const queue = chunks.filter((chunk) => chunk.length > 0);
  let next = 0;
  while (next < queue.length) {
    const batch: Uint8Array[] = [];
    for (let i = next, room = batchBytes; i < queue.length && batch.length < batchBuffers && room > 0; i++) {
      batch.push(queue[i]!.subarray(0, room));
      room -= batch[batch.length - 1]!.length;
    }
    let { bytesWritten } = await handle.writev(batch);
    // A short write may end inside any buffer.
    while (next < queue.length && bytesWritten >= queue[next]!.length) bytesWritten -= queue[next++]!.length;
    if (bytesWritten > 0) queue[next] = queue[next]!.subarray(bytesWritten);
  }
}

/** What the system said of a file that could not be written, as an error of this package. */
export function writeError(file: string, error: unknown): SsdPruneError {
  if (error instanceof SsdPruneError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const why = code === 'ENOENT' ? 'its folder does not exist' : code === 'ENOSPC' ? 'the disk is full' : message;
  return new SsdPruneError('ERR_IO', `Can't write ${file}: ${why}`, { cause: error });
}
