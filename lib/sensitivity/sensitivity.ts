import { breathe } from '../abort';
import { allocateByError, type GroupCurve } from '../calibrate/allocation';
import { type CalibrationOptions, openPictures } from '../calibrate/calibrate-file';
import { type Curves, errorCurves } from '../calibrate/error-curves';
import { pictureShapes } from '../calibrate/picture-shape';
import { readersOf } from '../calibrate/readers';
import { fewPictures } from '../calibrate/stage-samples';
import { groupStages, type Stage, whyUnread } from '../calibrate/stages';
import { invalidArgument } from '../errors';
import type { OnnxModel } from '../model/onnx-model';
import { layerNames } from '../prune/channel-groups';
import type { CostModel, CountMode } from '../prune/cost';
import { completeOptions, type PruneOptions } from '../prune/options';
import { openPruner } from '../prune/prune-model';

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
  /** At the widths nearest to {@link sensitivityRatios}, each once; none where it can't be measured. */
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
 * @throws {SsdPruneError} what {@link Pruner.select}, {@link pictureShapes}, {@link openPictures} and {@link errorCurves} throw; with a target
 * ERR_TARGET_UNREACHABLE
 */
export async function sensitivityByPictures(model: OnnxModel, asked: SensitivityOptions): Promise<SensitivityReport> {
  const started = performance.now();
  const { targetRatio, calibrate } = asked;
  if (!calibrate) throw invalidArgument('calibrate', 'pictures to measure on', calibrate);
  const inputShapes = pictureShapes(model, calibrate.detector, asked.inputShapes);
  const given = { ...asked, ...(inputShapes && { inputShapes }) };
  const options = { images: fewPictures, seed: 0, ...calibrate };
  // What is out of reach is found out before any picture is looked at.
  if (targetRatio !== undefined) openPruner(model, given.inputShapes).plan(given);
  const pictures = await openPictures(model, options);
  const { device, signal, onStage, seed } = options;
  const found = await errorCurves(model, given, { ...pictures, seed, device, signal, onStage });
  await breathe(signal);
  const { pruner, selection, grids, curves } = found;
  const plan = completeOptions(given);
  const cost = pruner.costOf(plan);
  const widths =
    targetRatio === undefined ? undefined : allocateByError(grids, curves, cost, targetRatio, plan.tolerance);
  const stages = groupStages(pruner.graph, selection.groups, readersOf(pruner.graph));
  const allocated = widths && { kept: widths.kept, missed: summedErrors(curves, widths.kept) };
  const layers = stages.map((stage) => measureLayer(stage, found, cost, allocated));
  return {
    schema: 'ssd-prune.sensitivity/1',
    model: model.file ?? null,
    prunedParams: given.prunedParams,
    measure: 'reconstruction',
    pictures: options.pictures,
    split: options.split ?? null,
    images: pictures.source.count,
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

/** What a report's shares of work are shares of. */
export const workOf = ({ count }: Pick<SensitivityReport, 'count'>): string =>
  count === 'macs' ? 'MACs' : 'Paddle 1.x FLOPs';

/** Layers that a target cuts, those whose cut hurts most first. */
export function worstFirst(layers: readonly LayerSensitivity[]): LayerSensitivity[] {
  const shareOf = ({ chosen }: LayerSensitivity): number => chosen?.errorShare ?? 0;
  return layers
    .filter(({ chosen }) => chosen && chosen.ratio > 0 && chosen.errorShare !== null)
    .sort((a, b) => shareOf(b) - shareOf(a));
}

/** A layer's point nearest to losing a share of its channels, of two equally near ones the wider; undefined without any. */
export function nearestPoint<Point extends { readonly kept: number }>(
  { points, channels }: { readonly points: readonly Point[]; readonly channels: number },
  ratio: number,
): Point | undefined {
  const away = ({ kept }: Point): number => Math.abs(kept - channels * (1 - ratio));
  let nearest = points[0];
  for (const point of points) if (away(point) < away(nearest!)) nearest = point;
  return nearest;
}

const summedErrors = (curves: readonly GroupCurve[], kept: readonly number[]): number =>
  curves.reduce((sum, { group, errors }) => sum + errors[group.classes.length - kept[group.id]!]!, 0);

/** Widths that a target gives, and the errors of all layers at them, summed. */
interface Allocated {
  readonly kept: readonly number[];
  readonly missed: number;
}

function measureLayer(
  stage: Stage,
  { grids, curves }: Curves,
  cost: CostModel,
  allocated: Allocated | undefined,
): LayerSensitivity {
  const group = stage.group!;
  const { steps } = grids.find((other) => other.group === group)!;
  const curve = curves.find((other) => other.group === group);
  const whole = cost.whole();
  const channels = group.classes.length;
  const names = group.layers.map(({ producer }) => producer.name);
  const placeAt = (kept: number) => ({
    kept,
    ratio: 1 - kept / channels,
    saved: cost.cut(whole.map((members, id) => (id === group.id ? kept : members))),
  });
  const chosenAt = ({ kept, missed }: Allocated): ChosenWidth => {
    const place = placeAt(kept[group.id]!);
    if (!curve) return { ...place, errorKept: null, errorShare: null, price: null };
    const error = curve.errors[channels - place.kept]!;
    return {
      ...place,
      errorKept: error / curve.readers.length,
      errorShare: missed > 0 ? error / missed : null,
      price: place.saved > 0 ? error / place.saved : null,
    };
  };
  const points = [...steps].reverse().flatMap((kept): SensitivityPoint[] => {
    if (!curve) return [];
    return [{ ...placeAt(kept), errorKept: curve.errors[channels - kept]! / curve.readers.length }];
  });
  const cuts = sensitivityRatios.flatMap((ratio) => nearestPoint({ points, channels }, ratio) ?? []);
  const reason = whyUnread(stage);
  return {
    name: layerNames(group),
    readers: curve?.readers ?? [],
    channels,
    share: names.reduce((sum, name) => sum + cost.ofLayer(name, whole), 0) / cost.total(whole),
    points,
    cuts: [...new Set(cuts)],
    chosen: allocated ? chosenAt(allocated) : null,
    ...(reason !== undefined && { reason }),
  };
}
