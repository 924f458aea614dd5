import { SsdPruneError } from '../errors';
import { readDetectorSettings } from '../model/detector';
import { checkInputNames, graphInputs, isOpen, showInput } from '../model/input-shapes';
import type { OnnxModel } from '../model/onnx-model';

export type InputShapes = ReadonlyMap<string, readonly number[]>;

/**
 * Shapes of a model's inputs where it leaves them open: those that are given, and for the input that takes pictures the
 * size in which its detector settings prepare them, so that whatever is counted and proven is so at that size.
 * @param detector a file of detector settings, where the model's metadata have none
 * @throws {SsdPruneError} what {@link readDetectorSettings} throws, ERR_BAD_CONFIG where the model takes no pictures of
 * that size, ERR_USAGE where the shape given is of another
 */
export function pictureShapes(
  model: OnnxModel,
  detector: string | undefined,
  given: InputShapes | undefined,
): InputShapes | undefined {
  const { name, width, height } = readDetectorSettings(model, detector).input;
  const input = graphInputs(model).find((other) => other.name === name)!;
  const wanted = [3, height, width];
  const size = `(n, ${wanted.join(', ')})`;
  checkInputNames(given, graphInputs(model));
  const shape = given?.get(name);
  if (shape) {
    if (shape.length === 4 && wanted.every((dim, i) => shape[i + 1] === dim)) return given;
    throw new SsdPruneError(
      'ERR_USAGE',
      `--input-shape gives "${name}" (${shape.join(', ')}), but its detector settings prepare pictures of ${size}: leave it off, or change the settings.`,
    );
  }
  const { dims } = input;
  // Without a rank in the file any size may be right.
  if (dims.length > 0 && !(dims.length === 4 && wanted.every((dim, i) => isOpen(dims[i + 1]) || dims[i + 1] === dim))) {
    throw new SsdPruneError(
      'ERR_BAD_CONFIG',
      `${detector ?? model.file ?? 'the model'}: the detector settings prepare pictures of ${size}, but ${model.file ?? 'the model'} takes ${showInput(input)}`,
    );
  }
  if (dims.length > 0 && !dims.slice(1).some(isOpen)) return given;
  const batch = dims.length > 0 && !isOpen(dims[0]) ? (dims[0] as number) : 1;
  return new Map([...(given ?? []), [name, [batch, ...wanted]]]);
}
