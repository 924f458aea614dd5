import { SsdPruneError } from '../errors';
import type { OnnxModel } from './onnx-model';

/** Where the metadata say which filters of the original's layers a cut model has. */
export const keptKey = 'ssd-prune.kept';

/** By the filters' name: numbers of the original's, in the order in which they lie here. Uncut layers are not in it. */
export type KeptChannels = ReadonlyMap<string, readonly number[]>;

/**
 * What earlier cuts left of each layer; nothing where there were none.
 * @throws {SsdPruneError} ERR_BAD_MODEL where the metadata hold something else
 */
export function readKept(model: OnnxModel): KeptChannels {
  const text = model.metadata(keptKey);
  if (text === undefined) return new Map();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw damaged(model, 'no JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw damaged(model, 'no object');
  for (const [name, places] of Object.entries(parsed)) {
    const whole = Array.isArray(places) && places.every((place) => Number.isSafeInteger(place) && place >= 0);
    if (!whole) throw damaged(model, `no list of filters for ${name}`);
  }
  return new Map(Object.entries(parsed as Record<string, number[]>));
}

/**
 * Notes a cut in the model's metadata: of each layer the filters that stayed, counted in the model as it was before it.
 * Together with earlier notes they say which of the original's they are.
 * @throws {SsdPruneError} ERR_BAD_MODEL where earlier notes are of another model
 */
export function recordKept(model: OnnxModel, cut: ReadonlyMap<string, Int32Array>): void {
  if (cut.size === 0) return;
  const all = new Map(readKept(model));
  for (const [name, places] of cut) {
    const before = all.get(name);
    const now = Array.from(places, (place) => (before ? before[place] : place));
    if (now.includes(undefined)) throw damaged(model, `${before!.length} filters for ${name}, which had more`);
    all.set(name, now as number[]);
  }
  model.setMetadata(keptKey, JSON.stringify(Object.fromEntries(all)));
}

const damaged = (model: OnnxModel, found: string): SsdPruneError =>
  new SsdPruneError(
    'ERR_BAD_MODEL',
    `${model.file ?? 'The model'}: the metadata "${keptKey}", which say what earlier cuts left, hold ${found}; without that entry they count as the original's`,
  );
