import type { RepairReport } from '../calibrate/calibrate';
import type { CalibrationReport } from '../calibrate/calibrate-file';
import type { LatencyReport } from '../latency/report';
import { countElements, listParameters } from '../model/parameters';
import type { CutResult, CutTensor } from './cut';
import type { PrunePlan, Pruner } from './prune';
import type { Trial } from './ratio-search';

export interface CountChange {
  readonly before: number;
  readonly after: number;
  /** Share that is gone. */
  readonly cut: number;
}

export interface LayerReport {
  readonly name: string;
  readonly shapeBefore: readonly number[];
  readonly shapeAfter: readonly number[];
  /** Axis of the weight along which channels were cut: 0 for convolutions. */
  readonly axis: number;
  /** Share of the layer's channels that is gone. */
  readonly ratio: number;
  /** Multiply-accumulates of the layer's nodes. */
  readonly macs: CountChange;
  /** Sorted original indexes of the channels that stay. */
  readonly kept: readonly number[];
}

export interface TiedReport {
  readonly name: string;
  readonly axis: number;
  readonly shapeBefore: readonly number[];
  readonly shapeAfter: readonly number[];
  readonly kept: readonly number[];
  /** Where the tensor was shared with layers that keep their channels: the constant that this is a copy of. */
  readonly copyOf?: string;
}

/** Result of masked equality, see {@link verifyCut}. */
export interface Verification {
  readonly maxAbsDiff: number;
  readonly tolerance: number;
  readonly images: number;
  readonly vacuous: boolean;
}

/** What `prune --json` prints. */
export interface PruneReport {
  readonly schema: 'ssd-prune.prune/1';
  readonly model: string | null;
  readonly output: string | null;
  readonly prunedParams: string;
  readonly criterion: string;
  readonly allocation: string;
  /** The file by which `sensitivity` spread the cut; null without. */
  readonly sensitivities: string | null;
  readonly ranking: string;
  readonly order: readonly string[];
  readonly targetRatio: number | null;
  readonly tolerance: number;
  readonly count: string;
  readonly align: number;
  readonly seed: number;
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly trials: readonly Trial[];
  readonly macs: CountChange;
  readonly paddleFlops: CountChange;
  readonly parameters: CountChange;
  readonly layers: readonly LayerReport[];
  readonly tied: readonly TiedReport[];
  /** Which pictures chose and repaired channels; null without them. */
  readonly calibration: CalibrationReport | null;
  /** What pictures did for each group of channels; null without them. */
  readonly repair: readonly RepairReport[] | null;
  verified: Verification | null;
  /** What the smaller model takes beside the original; null where latency was no target. */
  latency: LatencyReport | null;
  seconds: number;
}

const change = (before: number, after: number): CountChange => ({ before, after, cut: 1 - after / before });

/** The report of a plan; with the cut that carried it out, or of a dry run without. */
export function buildReport(
  pruner: Pruner,
  plan: PrunePlan,
  cut: CutResult | undefined,
  given: {
    prunedParams: string;
    targetRatio?: number | undefined;
    output?: string | undefined;
    calibration?: CalibrationReport | undefined;
    repair?: readonly RepairReport[] | undefined;
  },
): PruneReport {
  const { options, search, selection } = plan;
  const whole = pruner.macs.whole();
  const count = (cost: typeof pruner.macs) => change(cost.total(whole), cost.totalAfterCut(search.kept));
  const before = countElements(pruner.parameters);
  const tensors = new Map(cut?.tensors.map((tensor) => [tensor.name, tensor]));
  const layers = selection.layers.map((name) => layerReport(pruner, plan, name, tensors.get(name)));
  return {
    schema: 'ssd-prune.prune/1',
    model: pruner.model.file ?? null,
    output: given.output ?? null,
    prunedParams: given.prunedParams,
    criterion: options.criterion,
    allocation: options.allocation,
    sensitivities: options.sensitivities?.source ?? null,
    ranking: options.ranking,
    order: options.order ?? layers.map(({ name }) => name),
    targetRatio: given.targetRatio ?? null,
    tolerance: options.tolerance,
    count: options.count,
    align: options.align,
    seed: options.seed,
    skipped: selection.skipped,
    trials: search.trials,
    macs: count(pruner.macs),
    paddleFlops: count(pruner.paddle),
    parameters: change(before, cut ? countElements(listParameters(cut.model)) : before),
    layers,
    tied: tiedReports(cut, new Map(layers.map(({ name, axis }) => [name, axis]))),
    calibration: given.calibration ?? null,
    repair: given.repair ?? null,
    verified: null,
    latency: null,
    seconds: 0,
  };
}

function layerReport(pruner: Pruner, { search }: PrunePlan, name: string, tensor: CutTensor | undefined): LayerReport {
  const producer = pruner.graph.producers.get(name)!;
  const shapeBefore = [...pruner.graph.sharedConstant(name)!.dims];
  const width = shapeBefore[producer.axis]!;
  const left = pruner.groups.ofLayer(name).reduce((sum, group) => {
    const perMember = group.layers.find((layer) => layer.producer === producer)!.channels[0]!.length;
    return sum - perMember * (group.classes.length - search.kept[group.id]!);
  }, width);
  const shapeAfter = tensor
    ? [...tensor.shapeAfter]
    : shapeBefore.map((dim, axis) => (axis === producer.axis ? left : dim));
  return {
    name,
    axis: producer.axis,
    shapeBefore,
    shapeAfter,
    ratio: 1 - left / width,
    macs: change(pruner.macs.ofLayer(name, pruner.macs.whole()), pruner.macs.ofLayer(name, search.kept)),
    kept: Array.from(tensor?.kept[producer.axis] ?? Array(width).keys()),
  };
}

/** Every cut axis that is not the one a selected layer is listed by. */
function tiedReports(cut: CutResult | undefined, layerAxes: ReadonlyMap<string, number>): TiedReport[] {
  return (cut?.tensors ?? []).flatMap(({ name, shapeBefore, shapeAfter, kept, copyOf }) =>
    kept.flatMap((places, axis) => {
      if (!places || layerAxes.get(name) === axis) return [];
      const tied = { name, axis, shapeBefore, shapeAfter, kept: Array.from(places) };
      return [copyOf ? { ...tied, copyOf } : tied];
    }),
  );
}
