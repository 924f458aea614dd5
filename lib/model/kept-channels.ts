import { SsdPruneError } from '../errors';
import type { OnnxModel } from './onnx-model';

/** Where the metadata say which filters of the original's layers a cut model has. */
export const keptKey = 'ssd-prune.kept';

/** What cuts left of a layer's filters. */
export interface KeptFilters {
  /** How many the original had. */
  readonly of: number;
  /** Which of them are here, in the order in which they lie; no number twice. */
  readonly kept: readonly number[];
}

/** By the filters' name; layers that lost none are not in it. */
export type KeptChannels = ReadonlyMap<string, KeptFilters>;

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
  if (!isObject(parsed)) throw damaged(model, 'no object');
  const all = Object.entries(parsed);
  const strange = all.find(([, filters]) => !areFilters(filters));
  if (strange) throw damaged(model, `no list of filters for ${strange[0]}`);
  return new Map(all as [string, KeptFilters][]);
}

/**
 * Notes a cut in the model's metadata: of each layer the filters that stayed, counted in the model as it was before it.
 * Together with earlier notes they say which of the original's they are. Earlier notes that are damaged, or don't fit the
 * layer, are of no use to anybody: the layer before this cut then counts as the original.
 */
export function recordKept(model: OnnxModel, cut: ReadonlyMap<string, KeptFilters>): void {
  if (cut.size === 0) return;
  const all = new Map(readableKept(model));
  for (const [name, { of, kept }] of cut) {
    const before = all.get(name);
    const fits = before?.kept.length === of;
    all.set(name, fits ? { of: before.of, kept: kept.map((place) => before.kept[place]!) } : { of, kept });
  }
  model.setMetadata(keptKey, JSON.stringify(Object.fromEntries(all)));
}

function readableKept(model: OnnxModel): KeptChannels {
  try {
    return readKept(model);
  } catch (error) {
    if (error instanceof SsdPruneError) return new Map();
    throw error;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function areFilters(value: unknown): value is KeptFilters {
  if (!isObject(value) || !Number.isSafeInteger(value.of) || !Array.isArray(value.kept)) return false;
  const { of, kept } = value as { of: number; kept: unknown[] };
  const places = kept.every((place) => Number.isSafeInteger(place) && (place as number) >= 0 && (place as number) < of);
  return places && new Set(kept).size === kept.length;
}

const damaged = (model: OnnxModel, found: string): SsdPruneError =>
  new SsdPruneError(
    'ERR_BAD_MODEL',
    `${model.file ?? 'The model'}: the metadata "${keptKey}", which say what earlier cuts left, hold ${found}; without that entry its layers count as the original's`,
  );
