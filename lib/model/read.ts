import type { FileHandle } from 'node:fs/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { allocateBytes } from '../buffers';
import { SsdPruneError } from '../errors';
import { readError } from '../files';
import { ModelProtoSchema } from './onnx_pb';
import { OnnxModel } from './onnx-model';
import { checkStructure } from './structure';
import { checkWire, decodeRelabelled, maxDepth } from './wire';

/**
 * Reads an ONNX model with its external data. Weights are views into the file's bytes, which are read once.
 * @throws {SsdPruneError} ERR_IO where a file can't be read, ERR_BAD_MODEL where it is no sound ONNX model
 */
export async function readModel(file: string): Promise<OnnxModel> {
  const model = decodeModel(await readWhole(file, `model ${file}`), file);
  const { loadExternalData } = require('./external-data') as typeof import('./external-data');
  await loadExternalData(model);
  return model;
}

/**
 * Decodes an ONNX model; its weights are views into `bytes`, which must stay as they are. External data isn't read.
 * Long float_data and double_data come out as raw_data: the same bytes, without a number object for each.
 * @param file for messages
 * @throws {SsdPruneError} ERR_BAD_MODEL
 */
export function decodeModel(bytes: Uint8Array, file?: string): OnnxModel {
  const name = file === undefined ? 'The model' : `Model ${file}`;
  if (bytes.length === 0) throw new SsdPruneError('ERR_BAD_MODEL', `${name} is empty`);
  try {
    const proto = decodeRelabelled(bytes, checkWire(bytes), () =>
      fromBinary(ModelProtoSchema, bytes, { recursionLimit: maxDepth + 1 }),
    );
    checkStructure(proto);
    return new OnnxModel(proto, file);
  } catch (error) {
    const known = error instanceof SsdPruneError;
    const message = (error as Error).message;
    throw new SsdPruneError(
      'ERR_BAD_MODEL',
      known ? `${name} is damaged or unsupported: ${message}` : `${name} is not an ONNX model, or damaged: ${message}`,
      { cause: error },
    );
  }
}

/**
 * All bytes of a regular file, in one buffer.
 * @param what it is, for messages: "model a.onnx"
 * @throws {SsdPruneError} ERR_IO, or ERR_BAD_MODEL for a folder, a pipe and the like
 */
export async function readWhole(file: string, what: string): Promise<Uint8Array> {
  const { constants: limits } = require('node:buffer') as typeof import('node:buffer');
  const { constants, promises } = require('node:fs') as typeof import('node:fs');
  let handle: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for its writer.
    handle = await promises.open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stat = await handle.stat();
    if (!stat.isFile())
      throw new SsdPruneError(
        'ERR_BAD_MODEL',
        `Can't read ${what}: it is ${stat.isDirectory() ? 'a folder' : 'not a regular file'}`,
      );
    if (stat.size > limits.MAX_LENGTH)
      throw new SsdPruneError(
        'ERR_BAD_MODEL',
        `Can't read ${what}: ${stat.size} bytes; at most ${limits.MAX_LENGTH} fit`,
      );
    const bytes = allocateBytes(stat.size);
    let filled = 0;
    while (filled < bytes.length) {
      // One read call moves at most 2^31 - 4096 bytes on Linux.
      const length = Math.min(bytes.length - filled, 2 ** 30);
      const { bytesRead } = await handle.read(bytes, filled, length, filled);
      if (bytesRead === 0) throw new SsdPruneError('ERR_IO', `Can't read ${what}: it shrank while it was read`);
      filled += bytesRead;
    }
    return bytes;
  } catch (error) {
    throw readError(what, error);
  } finally {
    await handle?.close();
  }
}
