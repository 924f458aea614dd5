import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { clearField } from '@bufbuild/protobuf';
import { SsdPruneError } from '../errors';
import { type TensorProto, TensorProto_DataLocation, TensorProtoSchema } from './onnx_pb';
import type { OnnxModel } from './onnx-model';
import { readWhole } from './read';
import { byteLengthOf, elementCount, tensorDims } from './tensor';
import { modelTensors } from './walk';

/**
 * Replaces references to external files by views of their bytes; each file is read once however many tensors lie in
 * it. Only files in the model's own folder (or below) are opened, symbolic links followed.
 * @throws {SsdPruneError} ERR_BAD_MODEL for a forbidden path, a missing file or a range outside it
 */
export async function loadExternalData(model: OnnxModel): Promise<void> {
  const files = new Map<string, Promise<Uint8Array>>();
  for (const [tensor, where] of modelTensors(model.proto)) {
    if (tensor.dataLocation !== TensorProto_DataLocation.EXTERNAL) continue;
    try {
      const location = entry(tensor, 'location') ?? '';
      let bytes = files.get(location);
      if (!bytes) {
        bytes = open(model, location);
        files.set(location, bytes);
      }
      attach(tensor, await bytes, location);
    } catch (error) {
      throw new SsdPruneError(
        'ERR_BAD_MODEL',
        `Model ${model.file}: ${where()}: tensor ${JSON.stringify(tensor.name)}: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
}

const entry = (tensor: TensorProto, key: string): string | undefined =>
  tensor.externalData.find((e) => e.key === key)?.value;

async function open(model: OnnxModel, location: string): Promise<Uint8Array> {
  const quoted = JSON.stringify(location);
  const parts = location.split(/[\\/]/);
  if (path.isAbsolute(location) || path.win32.isAbsolute(location) || location.includes('\0') || parts.includes('..'))
    throw new Error(`external data at ${quoted}: only paths inside the model's folder are read`);
  const folder = path.dirname(path.resolve(model.file ?? '.'));
  const file = path.join(folder, location);
  let real: string;
  let realFolder: string;
  try {
    [real, realFolder] = await Promise.all([realpath(file), realpath(folder)]);
  } catch (error) {
    throw new Error(`external data file ${quoted} is not there (looked in ${folder})`, { cause: error });
  }
  if (!real.startsWith(realFolder.endsWith(path.sep) ? realFolder : realFolder + path.sep))
    throw new Error(`external data at ${quoted}: a link leads out of the model's folder`);
  model.dataFiles.push(real);
  return readWhole(real, `external data file ${quoted}`);
}

function attach(tensor: TensorProto, bytes: Uint8Array, location: string): void {
  const wanted = byteLengthOf(tensor.dataType, elementCount(tensorDims(tensor)));
  if (wanted === undefined) throw new Error('external data of a type without fixed size');
  const offset = number(tensor, 'offset') ?? 0;
  const length = number(tensor, 'length') ?? wanted;
  if (length !== wanted)
    throw new Error(`its external data has ${length} bytes, shape [${tensor.dims}] needs ${wanted}`);
  if (offset + length > bytes.length)
    throw new Error(`bytes ${offset} to ${offset + length} lie outside "${location}" of ${bytes.length} bytes`);
  tensor.rawData = bytes.subarray(offset, offset + length);
  tensor.externalData = [];
  clearField(tensor, TensorProtoSchema.field.dataLocation);
}

function number(tensor: TensorProto, key: string): number | undefined {
  const text = entry(tensor, key);
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new Error(`the ${key} of its external data is ${JSON.stringify(text)}`);
  return Number(text);
}
