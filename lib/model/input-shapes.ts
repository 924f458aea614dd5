import { invalidArgument } from '../errors';
import { detectorKey } from './detector-key';
import type { OnnxModel } from './onnx-model';

/** Height of the input that a model's detector settings give, for models that leave it open; undefined without them. */
export function readDetectorSize(model: OnnxModel): number | undefined {
  const text = model.metadata(detectorKey);
  if (text === undefined) return undefined;
  try {
    const size = (JSON.parse(text) as { input?: { height?: unknown } }).input?.height;
    return typeof size === 'number' && size > 0 ? size : undefined;
  } catch {
    return undefined;
  }
}

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
