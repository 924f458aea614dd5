import { constants, mkdtempSync, rmSync } from 'node:fs';
import { access, type FileHandle, mkdir, open, realpath, rename, rm, stat, unlink } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { invalidArgument, SsdPruneError } from './errors';

/** Where this package keeps what it can make again. */
export const cacheFolder = (): string =>
  path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'ssd-prune');

/** What an output must not replace. */
export interface OutputOptions {
  /** Files that are read, and folders whose files are: none of them is replaced. Those that aren't there are passed over. */
  inputs?: readonly string[];
  /** `true`: replace whatever is there, inputs too. `false`: refuse whatever is there. By default only inputs are refused. */
  force?: boolean;
}

/**
 * Whether a file may be written, asked before the work that it is to hold.
 * @returns where it really lies, links followed
 * @throws {SsdPruneError} ERR_OUTPUT_EXISTS for a file that must stay, by whatever path or link it is named; ERR_USAGE
 * for what can name no file; ERR_IO for what a rename would destroy (folders, devices, pipes), and in a folder that is
 * missing or may not be written into
 */
export async function checkOutput(file: string, { inputs = [], force }: OutputOptions = {}): Promise<string> {
  const target = await outputPath(file);
  await checkFolder(path.dirname(target), file);
  if (force) return target;
  const own = await identity(target);
  // A file of an input folder may be a link that leads out of it.
  const places = [target, path.join(await realpath(path.dirname(file)), path.basename(file))];
  for (const input of inputs) {
    if (await isOrHolds(input, places, own))
      throw new SsdPruneError(
        'ERR_OUTPUT_EXISTS',
        `Writing ${file} would replace a file that belongs to this command (${input}): name another one`,
      );
  }
  if (force === false && own !== undefined)
    throw new SsdPruneError(
      'ERR_OUTPUT_EXISTS',
      `${file} exists: name another file, or say --force, in Node { force: true }, to replace it`,
    );
  return target;
}

/** Where `file` really lies, links followed. */
async function outputPath(file: string): Promise<string> {
  if (typeof file !== 'string' || file === '') throw invalidArgument('the output', 'the name of a file', file);
  if (/(^|[/\\])\.{0,2}$/.test(path.sep === '/' ? file.replaceAll('\\', '_') : file))
    throw new SsdPruneError('ERR_USAGE', `Can't write ${file}: that names a folder, not a file`);
  try {
    const stats = await stat(file);
    if (stats.isFile()) return await realpath(file);
    throw new SsdPruneError(
      'ERR_IO',
      `Can't write ${file}: it is ${stats.isDirectory() ? 'a folder' : 'no regular file'}`,
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw writeError(file, error);
  }
  const folder = await realpath(path.dirname(file)).catch((error) => {
    throw writeError(file, error);
  });
  return path.join(folder, path.basename(file));
}

/** Whether files may be made in a folder; a file that is there is replaced, so its own mode says nothing. */
async function checkFolder(folder: string, output: string): Promise<void> {
  await access(folder, constants.W_OK | constants.X_OK).catch((error) => {
    throw writeError(output, error);
  });
}

/** Device and inode of a file, which are equal through any path, symbolic or hard link; undefined where it isn't there. */
export async function identity(file: string): Promise<string | undefined> {
  const stats = await stat(file, { bigint: true }).catch(() => undefined);
  return stats && `${stats.dev}:${stats.ino}`;
}

/** Whether the output is the input, or an existing file in it. */
async function isOrHolds(input: string, places: readonly string[], own: string | undefined): Promise<boolean> {
  // What isn't there yet can only be another output of the same command.
  if (own === undefined) {
    const same = path.basename(input) === path.basename(places[0]!);
    return same && (await outputPath(input).catch(() => undefined)) === places[0];
  }
  const real = await realpath(input).catch(() => undefined);
  if (real === undefined) return false;
  const folder = real.endsWith(path.sep) ? real : real + path.sep;
  return places.some((place) => place.startsWith(folder)) || (await identity(real)) === own;
}

/**
 * Makes a folder and those above it, for files to be written into.
 * @throws {SsdPruneError} ERR_USAGE without a name, ERR_IO where it can't be made, or is there and can't be written into
 */
export async function makeFolder(folder: string): Promise<void> {
  if (folder === '') throw invalidArgument('the output', 'the name of a folder', folder);
  await makeFolders(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST' && error.code !== 'ENOTDIR') throw writeError(folder, error);
    throw new SsdPruneError('ERR_IO', `Can't make the folder ${folder}: a file is in its place`, { cause: error });
  });
  await checkFolder(folder, `into ${folder}`);
}

/** A place with links followed, as far as anything of it is there. */
export async function realPlace(place: string): Promise<string> {
  const whole = path.resolve(place);
  const real = await realpath(whole).catch(() => undefined);
  if (real !== undefined || path.dirname(whole) === whole) return real ?? whole;
  return path.join(await realPlace(path.dirname(whole)), path.basename(whole));
}

/** The first name of a place below a folder, links of both followed; `..` where it lies elsewhere. */
export async function entryOf(folder: string, place: string): Promise<string> {
  return path.relative(await realPlace(folder), await realPlace(place)).split(path.sep)[0]!;
}

/** Node's own recursive mkdir never ends where a folder can't be made in one that is there, as in /proc. */
async function makeFolders(folder: string, again = false): Promise<void> {
  const isFolder = async (place: string): Promise<boolean> => {
    const stats = await stat(place).catch(() => undefined);
    return stats?.isDirectory() ?? false;
  };
  try {
    await mkdir(folder);
  } catch (error) {
    if (await isFolder(folder)) return;
    const parent = path.dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    // Somebody else may have made it meanwhile.
    if (!(await isFolder(parent))) await makeFolders(parent);
    else if (again) {
      throw new SsdPruneError('ERR_IO', `Can't make the folder ${folder}: ${parent} takes none`, { cause: error });
    }
    await makeFolders(folder, true);
  }
}

/** Temporary files and folders in use: removed where the process is ended meanwhile. */
const unfinished = new Set<string>();

function removeUnfinished(): void {
  for (const place of unfinished) rmSync(place, { force: true, recursive: true });
}

function begun(place: string): void {
  if (unfinished.size === 0) process.on('exit', removeUnfinished);
  unfinished.add(place);
}

function done(place: string): void {
  unfinished.delete(place);
  if (unfinished.size === 0) process.removeListener('exit', removeUnfinished);
}

/** Does work that needs a folder of its own, which is removed behind it, and where the process is ended meanwhile. */
export async function inTemporaryFolder<T>(name: string, work: (folder: string) => Promise<T>): Promise<T> {
  // At once: an interruption between a folder made and a folder known would leave it there.
  const folder = mkdtempSync(path.join(tmpdir(), `ssd-prune-${name}-`));
  begun(folder);
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
    done(folder);
  }
}

/**
 * Writes chunks, one behind the other, under a temporary name beside the file, then renames: no half-written file ever
 * carries the final name. Where `file` is a symbolic link, the file it points to is replaced.
 * @throws {SsdPruneError} ERR_IO with the path and the reason; what {@link checkOutput} throws for what is no file
 */
export async function replaceFile(file: string, chunks: readonly Uint8Array[]): Promise<void> {
  const target = await outputPath(file);
  // Loaded here: who only reads needs none.
  const { randomBytes } = require('node:crypto') as typeof import('node:crypto');
  // Short, or a long output name would have none: 255 bytes are all that file systems give.
  const name = `.${path.basename(target).slice(0, 40)}.${randomBytes(6).toString('hex')}.tmp`;
  const temporary = path.join(path.dirname(target), name);
  let handle: FileHandle | undefined;
  try {
    begun(temporary);
    handle = await open(temporary, 'wx');
    await writeAll(handle, chunks);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, target);
  } catch (error) {
    await handle?.close().catch(() => {});
    await unlink(temporary).catch(() => {});
    throw writeError(file, error);
  } finally {
    done(temporary);
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
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new SsdPruneError('ERR_IO', `Can't write ${file}: ${writeProblems[code] ?? message}`, { cause: error });
}

const writeProblems: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOSPC: 'the disk is full',
  EACCES: 'permission denied',
  EROFS: 'its file system is read-only',
};

/** What the system said of a file that could not be read, as an error of this package; `what` it is: "model a.onnx". */
export function readError(what: string, error: unknown): SsdPruneError {
  if (error instanceof SsdPruneError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new SsdPruneError('ERR_IO', `Can't read ${what}: ${readProblems[code] ?? message}`, { cause: error });
}

const readProblems: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
};
