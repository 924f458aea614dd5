import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { SsdPruneError } from '../errors';
import { readError } from '../files';
import type { Checkpoint } from './checkpoint';
import { unsealed } from './sealed-json';

/** Files of a checkpoint: the network that training went on with behind the last cut, and the training's state. */
export const networkFile = 'network.onnx';
export const stateFile = 'training';
export const documentFile = 'checkpoint.json';

/** With the length and CRC-32 of the files beside it; sealed itself, see `sealed`. */
export interface CheckpointDocument extends Checkpoint {
  files: Record<string, { bytes: number; crc32: number }>;
}

/** @throws {SsdPruneError} ERR_IO, ERR_BAD_DATA */
export async function readDocument(place: string): Promise<CheckpointDocument> {
  const file = path.join(place, documentFile);
  const text = await readFile(file, 'utf8').catch((error) => {
    throw readError(`checkpoint ${file}`, error);
  });
  const document = unsealed(text) as CheckpointDocument | undefined;
  if (document?.schema === 'ssd-prune.checkpoint/1') return document;
  throw new SsdPruneError('ERR_BAD_DATA', `${file} is cut short, changed, or of another version`);
}

/**
 * Length and CRC-32 of a file.
 * @throws {SsdPruneError} ERR_IO
 */
export async function measure(file: string): Promise<{ bytes: number; crc32: number }> {
  const failed = (error: unknown): never => {
    throw readError(`checkpoint ${file}`, error);
  };
  const handle = await open(file).catch(failed);
  let sum = 0;
  try {
    for await (const chunk of handle.createReadStream({ autoClose: false })) sum = crc32(chunk as Buffer, sum);
    return { bytes: (await handle.stat()).size, crc32: sum };
  } catch (error) {
    return failed(error);
  } finally {
    await handle.close();
  }
}

/** A rename is on disk when its folder is; where folders can't be synced (Windows) nothing is lost but that promise. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder).catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
