import { crc32 } from 'node:zlib';
import { SsdPruneError } from '../errors';
import type { CutTensor } from '../prune/cut';
import { type SliceJob, sliceTensors } from '../prune/kernels';

/** What an optimiser remembers of one parameter, in the layout that the model has it. */
export interface ParameterState {
  readonly name: string;
  readonly dims: readonly number[];
  /** Steps that it was trained for. */
  readonly steps: number;
  /** Velocity, mean square, … in the order of native/train/optimizer.h; each has the parameter's shape. */
  readonly planes: readonly Float32Array[];
  /** Its averaged weights, where an average is kept. */
  readonly average?: Float32Array;
}

/** What has to be kept beside the weights to go on as if nothing had happened. */
export interface OptimizerState {
  /** The rule that the planes belong to. */
  readonly rule: string;
  readonly parameters: readonly ParameterState[];
}

/**
 * The state after channels were cut: what belongs to a slice that stays, stays with it. Parameters that the cut leaves
 * alone keep theirs; constants that were copied for the cut take that of the constant they come from.
 * @param tensors what the cut did, as `cutChannels` returns it
 * @throws {SsdPruneError} ERR_BAD_MODEL where a state has not the shape that was cut
 */
export function sliceOptimizerState(state: OptimizerState, tensors: readonly CutTensor[]): OptimizerState {
  const parameters = new Map(state.parameters.map((parameter) => [parameter.name, parameter]));
  const cuts = tensors.flatMap((tensor) => {
    // Names of copies are new: state is found under the original, which another reader may still use whole.
    const before = state.parameters.find(({ name }) => name === (tensor.copyOf ?? tensor.name));
    return before ? [{ before, tensor }] : [];
  });
  const jobs: SliceJob[] = [];
  for (const { before, tensor } of cuts) {
    if (String(before.dims) !== String(tensor.shapeBefore)) {
      throw new SsdPruneError(
        'ERR_BAD_MODEL',
        `The optimiser's state of ${before.name} has the shape (${before.dims.join(', ')}), but (${tensor.shapeBefore.join(', ')}) was cut`,
      );
    }
    for (const plane of arraysOf(before)) {
      jobs.push({ bytes: bytesOf(plane), elementSize: 4, dims: [...before.dims], keep: [...tensor.kept] });
    }
  }
  const sliced = sliceTensors(jobs).map((bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));
  for (const { before, tensor } of cuts) {
    const planes = sliced.splice(0, before.planes.length);
    const average = before.average && sliced.shift()!;
    const { name, shapeAfter: dims } = tensor;
    parameters.set(name, { name, dims, steps: before.steps, planes, ...(average && { average }) });
  }
  return { rule: state.rule, parameters: [...parameters.values()] };
}

const magic = Buffer.from('ssd-prune optimiser 1\n');

/** The state as bytes: a line that says what it is, a JSON header with its length in front, float32 bit by bit, CRC32. */
export function encodeOptimizerState({ rule, parameters }: OptimizerState): Buffer {
  const entries = parameters.map(({ name, dims, steps, planes, average }) => ({
    ...{ name, dims, steps, planes: planes.length },
    average: average !== undefined,
  }));
  const header = Buffer.from(JSON.stringify({ rule, parameters: entries }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const body = Buffer.concat([magic, length, header, ...parameters.flatMap(arraysOf).map(bytesOf)]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(body));
  return Buffer.concat([body, sum]);
}

/**
 * The state that {@link encodeOptimizerState} wrote, with the same bits.
 * @param where what messages call the bytes, such as a file
 * @throws {SsdPruneError} ERR_BAD_DATA where they are cut short, changed or something else
 */
export function decodeOptimizerState(bytes: Uint8Array, where: string): OptimizerState {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const begin = magic.length + 4;
  if (!buffer.subarray(0, magic.length).equals(magic)) throw unreadable(where, "is not an optimiser's state");
  const end = buffer.length - 4;
  if (end < begin || crc32(buffer.subarray(0, end)) !== buffer.readUInt32LE(end)) {
    throw unreadable(where, 'is cut short or was changed');
  }
  const headerEnd = begin + buffer.readUInt32LE(magic.length);
  const header = JSON.parse(buffer.toString('utf8', begin, headerEnd)) as {
    rule: string;
    parameters: (Omit<ParameterState, 'planes' | 'average'> & { planes: number; average: boolean })[];
  };
  let at = headerEnd;
  const take = (size: number): Float32Array => {
    const values = new Float32Array(size);
    buffer.copy(bytesOf(values), 0, at, at + 4 * size);
    at += 4 * size;
    return values;
  };
  const parameters = header.parameters.map(({ planes, average, ...rest }): ParameterState => {
    const size = rest.dims.reduce((product, dim) => product * dim, 1);
    const taken = Array.from({ length: planes }, () => take(size));
    return { ...rest, planes: taken, ...(average && { average: take(size) }) };
  });
  return { rule: header.rule, parameters };
}

const arraysOf = ({ planes, average }: ParameterState): Float32Array[] => [...planes, ...(average ? [average] : [])];

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function unreadable(where: string, what: string): SsdPruneError {
  return new SsdPruneError('ERR_BAD_DATA', `${where} ${what}; start from a whole checkpoint`);
}
