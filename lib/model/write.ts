import path from 'node:path';
import { clearField, create } from '@bufbuild/protobuf';
import { allocateBytes } from '../buffers';
import { SsdPruneError } from '../errors';
import { checkOutput, replaceFile } from '../files';
import { frameModel, totalLength } from './frame';
import { StringStringEntryProtoSchema, type TensorProto, TensorProto_DataLocation, TensorProtoSchema } from './onnx_pb';
import type { OnnxModel } from './onnx-model';

/** Protobuf ends here; a bigger model needs its weights in a file of their own. */
const maxInlineBytes = 2 ** 31 - 1;
/** Readers map external data into memory, which wants page borders (64 KiB covers every system's). */
const externalAlignment = 65536;

export interface WriteOptions {
  /** Replace what is there. Defaults to `false`. */
  force?: boolean;
  /** Bytes from which weights go to `OUT.data`. Defaults to protobuf's limit of 2 GiB. */
  inlineLimit?: number;
}

/** The model's encoding as chunks to be joined. Weights are the model's own arrays, not copies. */
export function encodeChunks(model: OnnxModel): Uint8Array[] {
  return frameModel(model.proto);
}

/**
 * The model's encoding in one buffer, as ONNX Runtime sessions take it.
 * @throws {SsdPruneError} ERR_BAD_MODEL where it passes 2 GiB
 */
export function encodeModel(model: OnnxModel): Uint8Array {
  const chunks = encodeChunks(model);
  const total = totalLength(chunks);
  if (total > maxInlineBytes)
    throw new SsdPruneError('ERR_BAD_MODEL', `The model takes ${total} bytes; more than 2 GiB don't fit in one buffer`);
  const bytes = allocateBytes(total);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/**
 * Writes a model under a temporary name in the same folder and renames it when it is complete and on disk. Where
 * `file` is a symbolic link, the file it points to is replaced. Weights are inline; a model over 2 GiB gets them in
 * `FILE.data` beside it.
 * @throws {SsdPruneError} ERR_OUTPUT_EXISTS where `file` is there and `force` isn't set; ERR_IO where it can't be written
 */
export async function writeModel(model: OnnxModel, file: string, options: WriteOptions = {}): Promise<void> {
  const { force = false, inlineLimit = maxInlineBytes } = options;
  const target = await checkOutput(file, { force });
  let chunks = encodeChunks(model);
  const outputs: [file: string, chunks: Uint8Array[]][] = [];
  if (totalLength(chunks) > inlineLimit) {
    const data = await checkOutput(`${target}.data`, { force });
    const external = new ExternalData(path.basename(data));
    chunks = frameModel(model.proto, (tensor) => external.moved(tensor));
    outputs.push([data, external.chunks]);
  }
  // The model last: whoever sees it finds its data.
  outputs.push([target, chunks]);
  for (const [output, content] of outputs) await replaceFile(output, content);
}

/** Collects weights for the file beside the model, and hands out the references that stay in it. */
class ExternalData {
  readonly chunks: Uint8Array[] = [];
  readonly #location: string;
  #offset = 0;

  constructor(location: string) {
    this.#location = location;
  }

  /** A copy of a tensor without data that says where its data went. */
  moved(tensor: TensorProto): TensorProto {
    const { rawData } = tensor;
    const padding = (externalAlignment - (this.#offset % externalAlignment)) % externalAlignment;
    this.chunks.push(new Uint8Array(padding), rawData);
    const offset = this.#offset + padding;
    this.#offset = offset + rawData.length;
    const entries = { location: this.#location, offset: String(offset), length: String(rawData.length) };
    const moved: TensorProto = Object.assign(Object.create(Object.getPrototypeOf(tensor)), tensor, {
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: Object.entries(entries).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value })),
    });
    clearField(moved, TensorProtoSchema.field.rawData);
    return moved;
  }
}
