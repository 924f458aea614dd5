import { breathe } from '../abort';
import type { Dataset } from '../data/dataset';
import { invalidArgument, SsdPruneError } from '../errors';
import { type DetectDatasetOptions, evaluateModel } from '../evaluate/evaluate';
import type { EvaluateOptions } from '../evaluate/mean-ap';
import { chooseDevice } from '../evaluate/providers';
import type { DetectorSettings } from '../model/detector';
import type { OnnxModel } from '../model/onnx-model';
import { encodeModel } from '../model/write';
import type { PruneOptions, PrunePlanOptions, WeightCriterion } from '../prune/options';
import type { Pruner } from '../prune/prune';
import { openPruner } from '../prune/prune-model';
import { roundHalfEven } from '../prune/ratio-search';
import type { Selection } from '../prune/selection';
import { nearestStep, widthGrid } from '../prune/width-grid';
import type { LossCurves } from './loss-curves';
import { checkChannels, curveOf } from './loss-widths';
import { type MapPoint, MapPoints, type MapSensitivityReport, mapLayers } from './map-report';
import { differences, type MapSettings, mapSettings } from './map-settings';
import { type MeasuredGroup, measuredGroups } from './measured-groups';
import { type PointStore, resultsFile } from './results-file';

export interface MapSensitivityOptions
  extends Pick<
    PruneOptions,
    'prunedParams' | 'align' | 'minChannels' | 'count' | 'skipLocked' | 'includeTied' | 'inputShapes' | 'seed'
  > {
  detector: DetectorSettings;
  /** Pictures that every point is evaluated on. Its class names must be the detector's. */
  dataset: Dataset;
  /** Shares of a layer's channels to cut, each between 0 and 1; layers take the nearest width. Defaults to 0.2, 0.4, 0.6, 0.8. */
  ratios?: readonly number[];
  /** Which channels go. Defaults to `l1_norm`. */
  criterion?: WeightCriterion;
  /** How mAP is computed, as for {@link evaluateModel}. */
  metric?: Omit<EvaluateOptions, 'bootstrap'>;
  /** How the models run, as for {@link evaluateModel}. */
  run?: Omit<DetectDatasetOptions, 'signal' | 'onProgress'>;
  /** Where points are kept as they come: a JSON file, or a store of the caller's. What is there is not evaluated again. */
  results?: string | PointStore;
  /** Begin anew where `results` holds points of other settings, or something else. Defaults to `false`: refused. */
  force?: boolean;
  /** Losses that are known already: points as near to a ratio as Paddle's two digits say are not evaluated. */
  imported?: LossCurves;
  /** Ends the work with ERR_ABORTED; `results` holds every point that was finished. */
  signal?: AbortSignal;
  /** Told of each point that was evaluated, once it is in `results`, and how many of all are there. */
  onPoint?: (point: MapPoint & { readonly layer: string }, done: number, total: number) => void;
  /** Told of each picture: how many were evaluated, and how many there are for all points that are not there yet. */
  onProgress?: (pictures: number, total: number) => void;
  /** Told why the device is not CUDA, where `auto` was asked for, and of pictures of other sizes than annotated. */
  onNote?: (message: string) => void;
}

/** One model to evaluate: a group at one of its widths. */
interface WantedPoint extends MeasuredGroup {
  readonly kept: number;
  /** Ratios that this width is the nearest to. */
  readonly ratios: readonly number[];
}

const defaultRatios: readonly number[] = [0.2, 0.4, 0.6, 0.8];

/** PaddleSlim rounds ratios to two digits. */
const sameRatio = 0.005;

/** Smaller steps than PaddleSlim tells from each other would measure nothing but time. */
export const leastDelta = 0.01;

/** The steps of PaddleSlim's delta_rate: delta, 2 · delta, … below 1. */
export function ratiosOf(delta: number): number[] {
  if (!(delta >= leastDelta && delta < 1))
    throw invalidArgument('delta', `a number from ${leastDelta} to below 1`, delta);
  const ratios: number[] = [];
  for (let i = 1; i * delta < 1 - 1e-9; i++) ratios.push(Number((i * delta).toFixed(12)));
  return ratios;
}

/**
 * How much mAP the model loses as each selected layer gets narrower by itself. For each point one group of channels is
 * really cut from the original, as {@link Pruner.cut} does (what is left computes the same as with PaddleSlim's zeros,
 * in less time), and the model evaluated on all pictures of the dataset. Widths that several ratios lead to are
 * evaluated once. Points hang on nothing but the settings in the report: a run may be broken anywhere and called again,
 * with other layers or ratios, too.
 * @throws {SsdPruneError} what {@link Pruner.select}, {@link evaluateModel} and the store throw; ERR_OUTPUT_EXISTS where
 * the results hold points of other settings; ERR_BAD_DATA where the pictures give no mAP, the whole model's is 0, or
 * imported points are of another model; ERR_USAGE
 */
export async function sensitivityByMap(
  model: OnnxModel,
  options: MapSensitivityOptions,
): Promise<MapSensitivityReport> {
  const { signal, results } = options;
  await breathe(signal);
  const pruner = openPruner(model, options.inputShapes);
  const { ratios: _, ...given } = options;
  const { selection, options: plan } = pruner.select(given);
  if (plan.criterion === 'obs') throw invalidArgument('criterion', 'one that needs no pictures', plan.criterion);
  const { device, note } = await chooseDevice(options.run?.device ?? 'cpu');
  if (note !== undefined) options.onNote?.(note);
  const settings = mapSettings({
    model,
    plan,
    device,
    detector: options.detector,
    dataset: options.dataset,
    metric: options.metric ?? {},
    nms: options.run?.nms ?? {},
    orient: options.run?.orient ?? false,
  });
  const store = typeof results === 'string' ? resultsFile(results) : results;
  const before = store && (await loadSame(store, settings, options.force ?? false));
  return new MapSensitivity(pruner, selection, plan, settings, store, options).run(before);
}

/** What the store has of the same settings. */
async function loadSame(
  store: PointStore,
  settings: MapSettings,
  force: boolean,
): Promise<MapSensitivityReport | undefined> {
  let before: MapSensitivityReport | undefined;
  try {
    before = await store.load();
  } catch (error) {
    if (force && error instanceof SsdPruneError && error.code === 'ERR_OUTPUT_EXISTS') return undefined;
    throw error;
  }
  const other = before ? differences(before.settings, settings) : [];
  if (other.length === 0) return before;
  if (force) return undefined;
  throw new SsdPruneError(
    'ERR_OUTPUT_EXISTS',
    `${store.name} holds points of other settings: ${other.join('; ')}. Name another file, or say --force to begin anew.`,
  );
}

class MapSensitivity {
  private readonly groups: readonly MeasuredGroup[];
  private readonly ratios: readonly number[];
  private readonly wanted: readonly WantedPoint[];
  private readonly points = new MapPoints();
  private pictures = 0;

  constructor(
    private readonly pruner: Pruner,
    private readonly selection: Selection,
    private readonly plan: PrunePlanOptions,
    private readonly settings: MapSettings,
    private readonly store: PointStore | undefined,
    private readonly options: MapSensitivityOptions,
  ) {
    this.ratios = options.ratios ?? defaultRatios;
    const wrong = this.ratios.find((ratio) => !(ratio > 0 && ratio < 1));
    if (wrong !== undefined || this.ratios.length === 0)
      throw invalidArgument('ratios', 'numbers between 0 and 1', wrong ?? 'none');
    this.groups = measuredGroups(pruner.groups);
    this.wanted = this.groups
      .filter(({ group }) => selection.groups.includes(group))
      .flatMap((own) => this.widths(own));
  }

  /** The widths nearest to the ratios, but for the whole layer, the widest first. */
  private widths(measured: MeasuredGroup): WantedPoint[] {
    const grid = widthGrid(measured.group, this.plan);
    const byWidth = new Map<number, number[]>();
    for (const ratio of [...this.ratios].sort((a, b) => a - b)) {
      const kept = grid.steps[nearestStep(grid, ratio)]!;
      if (kept === measured.group.classes.length) continue;
      byWidth.set(kept, [...(byWidth.get(kept) ?? []), ratio]);
    }
    return [...byWidth].map(([kept, ratios]) => ({ ...measured, kept, ratios }));
  }

  async run(before: MapSensitivityReport | undefined): Promise<MapSensitivityReport> {
    const started = performance.now();
    const { imported, onPoint } = this.options;
    if (before) this.addMeasured(before);
    if (imported) this.addImported(imported);
    const importedFrom = imported?.source ?? before?.importedFrom ?? null;
    const missing = this.missing();
    const evaluations = (before ? 0 : 1) + missing.length;
    const base = before?.base ?? (await this.evaluate(encodeModel(this.pruner.model), evaluations));
    if (base === 0) {
      throw new SsdPruneError(
        'ERR_BAD_DATA',
        'The whole model finds nothing on these pictures: its mAP is 0, and there is nothing to lose.',
      );
    }
    const save = async (): Promise<MapSensitivityReport> => {
      const report = this.report(base, importedFrom, (before?.seconds ?? 0) + (performance.now() - started) / 1000);
      await this.store?.save(report);
      return report;
    };
    let report = await save();
    for (const { name, group, kept } of missing) {
      await breathe(this.options.signal);
      const map = await this.evaluate(this.cut(group.id, kept), evaluations);
      this.points.add(name, kept, { map, imported: false });
      report = await save();
      const layer = report.layers.find((other) => other.name === name)!;
      const point = layer.points.find((other) => other.kept === kept)!;
      onPoint?.({ layer: name, ...point }, this.wanted.length - this.missing().length, this.wanted.length);
    }
    return report;
  }

  /** Points that are neither measured nor imported. */
  private missing(): WantedPoint[] {
    return this.wanted.filter(({ name, group, kept, ratios }) => {
      if (this.points.get(name, kept)) return false;
      const gone = this.points.of(name).filter(([, { imported }]) => imported);
      const shares = gone.map(([other]) => 1 - other / group.classes.length);
      // Paddle's width is not on the grid: what it loses at a ratio is what was asked for.
      return !ratios.every((ratio) =>
        shares.some((share) => Math.abs(share - ratio) <= sameRatio + 0.5 / group.classes.length),
      );
    });
  }

  private cut(group: number, kept: number): Uint8Array {
    const cost = this.pruner.costOf(this.plan);
    const widths = cost.whole().map((members, id) => (id === group ? kept : members));
    const search = { kept: widths, cut: cost.cut(widths), ratio: 0, trials: [] };
    return encodeModel(this.pruner.cut({ selection: this.selection, options: this.plan, search }).model);
  }

  /** mAP of a model on all pictures. */
  private async evaluate(model: Uint8Array, evaluations: number): Promise<number> {
    const { detector, dataset, metric, run, signal, onProgress, onNote } = this.options;
    const total = evaluations * dataset.samples.length;
    const again = this.pictures > 0;
    const { result, resized } = await evaluateModel(model, detector, dataset, {
      ...run,
      // What is wrong with a picture is told once.
      ...(again && run?.onBadPicture && { onBadPicture: () => {} }),
      ...metric,
      device: this.settings.device,
      ...(this.pruner.model.file !== undefined && { name: this.pruner.model.file }),
      ...(signal && { signal }),
      onProgress: () => {
        this.pictures++;
        onProgress?.(this.pictures, total);
      },
    });
    if (!again && resized.length > 0)
      onNote?.(`${resized.length} pictures are not of the size that their annotation says, ${resized[0]} first`);
    if (result.map === null)
      throw new SsdPruneError(
        'ERR_BAD_DATA',
        `${dataset.directory}, split ${dataset.split}: no object on the ${dataset.samples.length} pictures counts, so there is no mAP.`,
      );
    return result.map;
  }

  private addMeasured({ layers }: MapSensitivityReport): void {
    for (const { name, points } of layers) {
      for (const { kept, map, imported } of points) this.points.add(name, kept, { map, imported });
    }
  }

  /** @throws {SsdPruneError} ERR_BAD_DATA for points that can't be of this model with these settings */
  private addImported({ source, relative, curves, report }: LossCurves): void {
    if (report) {
      const other = differences(report.settings, this.settings);
      if (other.length > 0)
        throw new SsdPruneError('ERR_BAD_DATA', `${source} holds points of other settings: ${other.join('; ')}.`);
      this.addMeasured(report);
      return;
    }
    for (const measured of this.groups) {
      const curve = curveOf(measured, curves);
      if (!curve) continue;
      checkChannels(measured, curve, source);
      const channels = measured.group.classes.length;
      for (const { ratio, loss } of curve.points) {
        const kept = channels - roundHalfEven(channels * ratio);
        if (kept > 0 && kept < channels) this.points.add(measured.name, kept, { loss, relative, imported: true });
      }
    }
  }

  private report(base: number, importedFrom: string | null, seconds: number): MapSensitivityReport {
    const { dataset, prunedParams } = this.options;
    const { count, align, minChannels } = this.plan;
    const cost = this.pruner.costOf(this.plan);
    return {
      schema: 'ssd-prune.sensitivity-map/1',
      model: this.pruner.model.file ?? null,
      prunedParams,
      measure: 'map',
      data: dataset.directory,
      split: dataset.split,
      images: dataset.samples.length,
      count,
      align,
      minChannels,
      ratios: this.ratios,
      settings: this.settings,
      base,
      importedFrom,
      skipped: this.selection.skipped,
      layers: mapLayers(this.groups, ({ group }) => this.selection.groups.includes(group), this.points, base, cost),
      complete: this.missing().length === 0,
      seconds,
    };
  }
}
