import { SsdPruneError } from '../errors';
import type { CutTensor } from '../prune/cut';
import { type SliceJob, sliceTensors } from '../prune/kernels';
import { decodeArrays, encodeArrays } from './array-file';

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

const kind = 'ssd-prune optimiser 1';

/** A state without its numbers, which follow in this order: planes and average of each parameter. */
export interface OptimizerHeader {
  readonly rule: string;
  readonly parameters: readonly (Omit<ParameterState, 'planes' | 'average'> & { planes: number; average: boolean })[];
}

export function describeOptimizerState({ rule, parameters }: OptimizerState): {
  header: OptimizerHeader;
  arrays: Float32Array[];
} {
  const entries = parameters.map(({ name, dims, steps, planes, average }) => ({
    ...{ name, dims, steps, planes: planes.length },
    average: average !== undefined,
  }));
  return { header: { rule, parameters: entries }, arrays: parameters.flatMap(arraysOf) };
}

/** The state that a header describes, with numbers from `take`. */
export function restoreOptimizerState(
  { rule, parameters }: OptimizerHeader,
  take: (size: number) => Float32Array,
): OptimizerState {
  const restored = parameters.map(({ planes, average, ...rest }): ParameterState => {
    const size = rest.dims.reduce((product, dim) => product * dim, 1);
    const taken = Array.from({ length: planes }, () => take(size));
    return { ...rest, planes: taken, ...(average && { average: take(size) }) };
  });
  return { rule, parameters: restored };
}

/** The state as bytes, float32 bit by bit. */
export function encodeOptimizerState(state: OptimizerState): Buffer {
  const { header, arrays } = describeOptimizerState(state);
  return Buffer.concat(encodeArrays(kind, header, arrays));
}

/**
 * The state that {@link encodeOptimizerState} wrote, with the same bits.
 * @param where what messages call the bytes, such as a file
 * @throws {SsdPruneError} ERR_BAD_DATA where they are cut short, changed or something else
 */
export function decodeOptimizerState(bytes: Uint8Array, where: string): OptimizerState {
  const { header, take } = decodeArrays<OptimizerHeader>(kind, bytes, where, "an optimiser's state");
  return restoreOptimizerState(header, take);
}

const arraysOf = ({ planes, average }: ParameterState): Float32Array[] => [...planes, ...(average ? [average] : [])];

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
