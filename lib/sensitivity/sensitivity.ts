import { breathe } from '../abort';
import { allocateByError } from '../calibrate/allocation';
import { type Curves, errorCurves, fewPictures } from '../calibrate/calibrate';
import { type CalibrationOptions, openPictures } from '../calibrate/calibrate-file';
import { readersOf } from '../calibrate/readers';
import { groupStages, type Stage, whyUnread } from '../calibrate/stages';
import type { OnnxModel } from '../model/onnx-model';
import type { CostModel, CountMode } from '../prune/cost';
import { completeOptions, type PruneOptions } from '../prune/options';
import { openPruner } from '../prune/prune-file';
import { nearestStep } from '../prune/width-grid';

/** What of {@link PruneOptions} says which layers are measured, and at which widths. */
export type MeasuredLayers = Pick<
  PruneOptions,
  | 'prunedParams'
  | 'targetRatio'
  | 'align'
  | 'minChannels'
  | 'count'
  | 'tolerance'
  | 'skipLocked'
  | 'includeTied'
  | 'inputShapes'
>;

export interface SensitivityOptions extends MeasuredLayers {
  /** Pictures to measure on. `images` defaults to `64`, which `prune` allocates widths by. */
  calibrate: Omit<CalibrationOptions, 'repair'>;
}

/** A layer at one of its widths, all others whole. */
export interface SensitivityPoint {
  /** Channels that stay. */
  readonly kept: number;
  /** Share of the layer's channels that is gone. */
  readonly ratio: number;
  /** Share of their output's variance that the layers that read these channels miss even when refitted; the mean of them. */
  readonly errorKept: number;
  /** Share of the model's work that is gone. */
  readonly saved: number;
}

/** A layer at the width that a target gives it. */
export interface ChosenWidth extends Omit<SensitivityPoint, 'errorKept'> {
  /** null where the layer has no curve. */
  readonly errorKept: number | null;
  /** Share of all layers' errors, each summed over its readers: what the allocation keeps small. */
  readonly errorShare: number | null;
  /** Error, summed over readers, for the whole model's work; null where nothing is saved. */
  readonly price: number | null;
}

export interface LayerSensitivity {
  /** The layer; several that share their channels are joined by ` + `. */
  readonly name: string;
  /** Layers that read its channels and were measured. */
  readonly readers: readonly string[];
  /** Channels of the layer; those that can only go together count as one. */
  readonly channels: number;
  /** Share of the model's work that is the layer's own. */
  readonly share: number;
  /** At every width on the grid, the whole layer first; none where it can't be measured. */
  readonly points: readonly SensitivityPoint[];
  /** At the widths nearest to {@link sensitivityRatios}; none where it can't be measured. */
  readonly cuts: readonly SensitivityPoint[];
  /** With a target. */
  readonly chosen: ChosenWidth | null;
  /** Why the layer, or one of its readers, was not measured. */
  readonly reason?: string;
}

/** What `sensitivity --calibrate --json` prints. */
export interface SensitivityReport {
  readonly schema: 'ssd-prune.sensitivity/1';
  readonly model: string | null;
  readonly prunedParams: string;
  /** What the curves show: what reconstruction from pictures misses. */
  readonly measure: 'reconstruction';
  readonly pictures: string;
  readonly split: string | null;
  readonly images: number;
  readonly seed: number;
  /** What `share` and `saved` count. */
  readonly count: CountMode;
  readonly align: number;
  readonly minChannels: number;
  readonly targetRatio: number | null;
  /** Share of the work that the chosen widths save together. */
  readonly cut: number | null;
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** In network order. */
  readonly layers: readonly LayerSensitivity[];
  /** With a target: where it hurts, names of the layers that are cut, largest `errorShare` first. */
  readonly worst: readonly string[];
  seconds: number;
}

/** Shares of a layer's channels at which every report says the error. */
export const sensitivityRatios: readonly number[] = [0.1, 0.25, 0.5, 0.75];

/**
 * How much the model loses as each selected layer gets narrower, by itself and with the layers that read it refitted,
 * measured on unlabelled pictures; no mAP is evaluated. With a target also the widths that {@link allocateByError} gives,
 * as `prune` does with pictures.
 * @throws {SsdPruneError} what {@link Pruner.select}, {@link openPictures} and {@link errorCurves} throw; with a target
 * ERR_TARGET_UNREACHABLE
 */
export async function sensitivityByPictures(model: OnnxModel, given: SensitivityOptions): Promise<SensitivityReport> {
  const started = performance.now();
  const { targetRatio, calibrate } = given;
  const options = { images: fewPictures, seed: 0, ...calibrate };
  // What is out of reach is found out before any picture is looked at.
  if (targetRatio !== undefined) openPruner(model, given.inputShapes).plan(given);
  const source = await openPictures(model, options);
  const { signal, onStage, seed } = options;
  const found = await errorCurves(model, given, { source, seed, signal, onStage });
  await breathe(signal);
  const { pruner, selection, grids, curves } = found;
  const plan = completeOptions(given);
  const cost = pruner.costOf(plan);
  const widths =
    targetRatio === undefined ? undefined : allocateByError(grids, curves, cost, targetRatio, plan.tolerance);
  const stages = groupStages(pruner.graph, selection.groups, readersOf(pruner.graph));
  const layers = shareErrors(stages.map((stage) => measureLayer(stage, found, cost, widths?.kept)));
  return {
    schema: 'ssd-prune.sensitivity/1',
    model: model.file ?? null,
    prunedParams: given.prunedParams,
    measure: 'reconstruction',
    pictures: options.pictures,
    split: options.split ?? null,
    images: source.count,
    seed,
    count: plan.count,
    align: plan.align,
    minChannels: plan.minChannels,
    targetRatio: targetRatio ?? null,
    cut: widths?.cut ?? null,
    skipped: selection.skipped,
    layers,
    worst: worstFirst(layers).map(({ name }) => name),
    seconds: (performance.now() - started) / 1000,
  };
}

/** Layers that a target cuts, those whose cut hurts most first. */
export function worstFirst(layers: readonly LayerSensitivity[]): LayerSensitivity[] {
  const shareOf = ({ chosen }: LayerSensitivity): number => chosen?.errorShare ?? 0;
  return layers
    .filter(({ chosen }) => chosen && chosen.ratio > 0 && chosen.errorShare !== null)
    .sort((a, b) => shareOf(b) - shareOf(a));
}

type Measured = Omit<LayerSensitivity, 'chosen'> & { readonly chosen: SensitivityPoint | UnmeasuredPoint | null };
type UnmeasuredPoint = Omit<SensitivityPoint, 'errorKept'> & { readonly errorKept: null };

/** @param widths members kept in each group by id, where a target gives them */
function measureLayer(
  stage: Stage,
  { grids, curves }: Curves,
  cost: CostModel,
  widths: readonly number[] | undefined,
): Measured {
  const group = stage.group!;
  const grid = grids.find((other) => other.group === group)!;
  const curve = curves.find((other) => other.group === group);
  const whole = cost.whole();
  const channels = group.classes.length;
  const names = group.layers.map(({ producer }) => producer.name);
  const placeAt = (kept: number): UnmeasuredPoint => ({
    kept,
    ratio: 1 - kept / channels,
    errorKept: null,
    saved: cost.cut(whole.map((members, id) => (id === group.id ? kept : members))),
  });
  const pointsAt = (all: readonly number[]): SensitivityPoint[] =>
    curve
      ? all.map((kept) => ({ ...placeAt(kept), errorKept: curve.errors[channels - kept]! / curve.readers.length }))
      : [];
  const kept = widths?.[group.id];
  const reason = whyUnread(stage);
  return {
    name: names.join(' + '),
    readers: curve?.readers ?? [],
    channels,
    share: names.reduce((sum, name) => sum + cost.ofLayer(name, whole), 0) / cost.total(whole),
    points: pointsAt([...grid.steps].reverse()),
    cuts: pointsAt(sensitivityRatios.map((ratio) => grid.steps[nearestStep(grid, ratio)]!)),
    chosen: kept === undefined ? null : (pointsAt([kept])[0] ?? placeAt(kept)),
    ...(reason !== undefined && { reason }),
  };
}

/** Adds to chosen widths what they are of the whole: their share of all error, and the price of what they save. */
function shareErrors(layers: readonly Measured[]): LayerSensitivity[] {
  const errorOf = ({ chosen, readers }: Measured): number => (chosen?.errorKept ?? 0) * readers.length;
  const all = layers.reduce((sum, layer) => sum + errorOf(layer), 0);
  return layers.map((layer) => {
    const { chosen } = layer;
    if (!chosen) return { ...layer, chosen };
    const known = chosen.errorKept !== null;
    return {
      ...layer,
      chosen: {
        ...chosen,
        errorShare: known && all > 0 ? errorOf(layer) / all : null,
        price: known && chosen.saved > 0 ? errorOf(layer) / chosen.saved : null,
      },
    };
  });
}
