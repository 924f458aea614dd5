import { types } from 'node:util';
import { invalidArgument, SsdPruneError } from '../errors';
import { detectorKey } from './detector-key';
import type { OnnxModel } from './onnx-model';

/** Of the pictures that a model takes. */
export interface PictureSize {
  readonly height: number;
  readonly width: number;
}

/** What a model's detector settings say, for models that leave it open; undefined without them. */
export function readDetectorSize(model: OnnxModel): PictureSize | undefined {
  const text = model.metadata(detectorKey);
  if (text === undefined) return undefined;
  try {
    const { height, width } = (JSON.parse(text) as { input: { height?: unknown; width?: unknown } }).input;
    const sound = (size: unknown): size is number => typeof size === 'number' && size > 0;
    return sound(height) && sound(width) ? { height, width } : undefined;
  } catch {
    return undefined;
  }
}

/** A dimension of an open input of batch, channels, height and width. */
export const openDim = ({ height, width }: PictureSize, axis: number): number => (axis === 2 ? height : width);

/**
 * `NAME=1,3,300,300` from the command line.
 * @throws {SsdPruneError} ERR_USAGE
 */
export function parseInputShapes(given: readonly string[]): Map<string, number[]> {
  return new Map(
    given.map((text) => {
      const at = text.lastIndexOf('=');
      const dims = text
        .slice(at + 1)
        .split(',')
        .map(Number);
      if (at < 1 || dims.some((dim) => !Number.isSafeInteger(dim) || dim < 1)) {
        throw invalidArgument('--input-shape', 'NAME=N,C,H,W with whole numbers', text);
      }
      return [text.slice(0, at), dims];
    }),
  );
}

/** An input of a model; a dimension that is no positive number is open. */
export interface InputDims {
  readonly name: string;
  readonly dims: readonly (number | string | undefined)[];
}

export const isOpen = (dim: number | string | undefined): boolean => typeof dim !== 'number' || dim < 1;

/** What the caller feeds a model. */
export function graphInputs(model: OnnxModel): InputDims[] {
  return model.graph.input.flatMap(({ name, type }) => {
    if (model.constant(name) || type?.value.case !== 'tensorType') return [];
    const dims = type.value.value.shape?.dim ?? [];
    return { name, dims: dims.map(({ value }) => (value.case === 'dimValue' ? Number(value.value) : undefined)) };
  });
}

/** An input as messages show it. */
export const showInput = ({ name, dims }: InputDims): string =>
  `input "${name}" (${dims.map((dim) => dim || '?').join(', ')})`;

/** @throws {SsdPruneError} ERR_USAGE for what is no Map, and a shape that is for none of the inputs */
export function checkInputNames(given: ReadonlyMap<string, unknown> | undefined, inputs: readonly InputDims[]): void {
  if (given && !types.isMap(given)) throw invalidArgument('inputShapes', 'a Map of shapes by input', given);
  const names = new Set(inputs.map(({ name }) => name));
  for (const name of given?.keys() ?? []) {
    if (!names.has(name)) throw invalidArgument('--input-shape', `an input's name (${[...names].join(', ')})`, name);
  }
}

/**
 * A shape may differ from what the model fixes in the batch only: one that is given for several models need not be
 * right for each.
 * @throws {SsdPruneError} ERR_USAGE
 */
export function checkInputShape(model: string, input: InputDims, given: readonly number[]): void {
  const fits = given.length === input.dims.length;
  if (fits && input.dims.every((dim, axis) => axis === 0 || isOpen(dim) || dim === given[axis])) return;
  throw new SsdPruneError(
    'ERR_USAGE',
    `${model}: ${showInput(input)} can't be (${given.join(', ')}) as --input-shape says`,
  );
}

/** {@link checkInputNames} and {@link checkInputShape} for all inputs of one model. */
export function checkInputShapes(
  model: string,
  inputs: readonly InputDims[],
  given: ReadonlyMap<string, readonly number[]>,
): void {
  checkInputNames(given, inputs);
  for (const input of inputs) {
    const shape = given.get(input.name);
    // Without a rank in the file any shape may be right.
    if (shape && input.dims.length > 0) checkInputShape(model, input, shape);
  }
}
