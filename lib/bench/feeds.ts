import { SsdPruneError } from '../errors';
import type { Feeds, ValueInfo } from '../evaluate/session';
import { checkInputShape, isOpen, openDim, type PictureSize, showInput } from '../model/input-shapes';
import { uniform } from '../model/random';

/** An input with all its dimensions; the first is replaced by the batch size where the model leaves it open. */
export interface BenchInput {
  name: string;
  type: string;
  dims: number[];
  openBatch: boolean;
}

export interface InputChoices {
  /** Dimensions by input name for what the model leaves open. */
  inputShapes?: ReadonlyMap<string, readonly number[]>;
  /** Height and width of pictures where the model leaves them open and nobody says more. */
  openSize?: PictureSize;
}

/** Whether anything but the batch is open, so that {@link InputChoices} are needed. */
export const leavesSizesOpen = (inputs: readonly ValueInfo[]): boolean =>
  inputs.some(({ dims }) => dims.slice(1).some(isOpen));

/**
 * Gives every input of a model all its dimensions.
 * @param model for messages
 * @throws {SsdPruneError} ERR_USAGE where a size is open and not given, or given and not what the model has
 */
export function completeInputs(
  model: string,
  inputs: readonly ValueInfo[],
  { inputShapes, openSize }: InputChoices,
): BenchInput[] {
  return inputs.map(({ name, type, dims: found }) => {
    const given = inputShapes?.get(name);
    if (given) checkInputShape(model, { name, dims: found }, given);
    const dims = found.map((dim, axis) => {
      if (!isOpen(dim)) return dim as number;
      if (axis === 0) return 1;
      const size = given?.[axis] ?? (openSize && found.length === 4 && axis >= 2 ? openDim(openSize, axis) : undefined);
      if (size === undefined) throw openDimension(model, { name, type, dims: found });
      return size;
    });
    return { name, type, dims, openBatch: found.length > 0 && isOpen(found[0]) };
  });
}

/** The one batch size that a model has, or null where it takes any. */
export function fixedBatchOf(inputs: readonly BenchInput[]): number | null {
  if (inputs.some(({ openBatch }) => openBatch)) return null;
  const picture = inputs.find(({ dims }) => dims.length === 4) ?? inputs[0];
  return picture?.dims[0] ?? 1;
}

/**
 * Values for all inputs at a batch size, the same at every call: pictures (four dimensions) get noise from -1 to 1, or
 * from 0 to 255 where the model takes integers; everything else, such as Paddle's `scale_factor`, gets ones.
 */
export function benchFeeds(inputs: readonly BenchInput[], batchSize: number): Feeds {
  return Object.fromEntries(
    inputs.map(({ name, type, dims: shape, openBatch }) => {
      const dims = openBatch ? [batchSize, ...shape.slice(1)] : [...shape];
      const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(1);
      if (dims.length === 4) {
        const noise = uniform(0, name);
        const isFloat = type.startsWith('float');
        for (let i = 0; i < data.length; i++) data[i] = isFloat ? 2 * noise(i) - 1 : Math.floor(256 * noise(i));
      }
      return [name, { dims, data }];
    }),
  );
}

function openDimension(model: string, input: ValueInfo): SsdPruneError {
  const example = input.dims.map((dim, axis) => (isOpen(dim) ? (axis === 0 ? 1 : 300) : dim)).join(',');
  return new SsdPruneError(
    'ERR_USAGE',
    `${model}: ${showInput(input)} leaves its size open. Say it, for instance: --input-shape ${input.name}=${example}`,
  );
}
