import { breathe } from '../abort';
import type { Calibrated } from '../calibrate/calibrate';
import type { CalibrationOptions, CalibrationReport } from '../calibrate/calibrate-file';
import { SsdPruneError } from '../errors';
import type { LatencyBudget, LatencySearch } from '../latency/latency-search';
import { checkInputShapes, graphInputs, readDetectorSize } from '../model/input-shapes';
import type { OnnxModel } from '../model/onnx-model';
import type { InferOptions } from '../model/shape-inference';
import type { CutResult } from './cut';
import type { PruneOptions } from './options';
import { type PrunePlan, Pruner } from './prune';
import { buildReport, type PruneReport } from './report';

export interface PruneModelOptions extends PruneOptions {
  /** Prove the cut. Defaults to `true`. */
  verify?: boolean;
  /** Only see what would go: nothing is proven, and widths that cut nothing are no error. Defaults to `false`. */
  dryRun?: boolean;
  /** Choose and repair channels by pictures. */
  calibrate?: CalibrationOptions;
  /** Latency as the budget, instead of a target ratio: widths are measured on this machine. */
  latency?: LatencyBudget;
  /** Called before each stage of the work. */
  onStage?: (stage: 'plan' | 'cut' | 'verify') => void;
  /** Looked at before each stage, and between the runs of the proof; ends the work with ERR_ABORTED. */
  signal?: AbortSignal;
}

/** What is known of a model's input size: by hand, or by its detector settings. */
export function inferOptions(model: OnnxModel, inputShapes?: InferOptions['inputShapes']): InferOptions {
  const openSize = readDetectorSize(model);
  if (inputShapes) checkInputShapes(model.file ?? 'model', graphInputs(model), inputShapes);
  return { ...(inputShapes && { inputShapes }), ...(openSize && { openSize }) };
}

/** A {@link Pruner} on a model, with the input size that the model or its detector settings say. */
export function openPruner(model: OnnxModel, inputShapes?: InferOptions['inputShapes']): Pruner {
  return new Pruner(model, inferOptions(model, inputShapes));
}

/**
 * Cuts a model, which stays as it is, and proves the cut.
 * @returns the cut, and its report without output and seconds
 * @throws {SsdPruneError} ERR_NO_MATCH where the widths chosen cut nothing; see {@link Pruner.plan}, {@link verifyCut};
 * with pictures {@link pictureShapes} and {@link calibrateWithPictures}
 */
export async function pruneModel(
  model: OnnxModel,
  given: PruneModelOptions,
): Promise<{ cut: CutResult; report: PruneReport }> {
  const begin = async (stage: 'plan' | 'cut' | 'verify'): Promise<void> => {
    await breathe(given.signal);
    given.onStage?.(stage);
  };
  await begin('plan');
  const options = withPictureShapes(model, given);
  const latency = openLatencySearch(model, options);
  const { pruner, plan, cut, calibration, repair } = options.calibrate
    ? await calibrated(model, options, options.calibrate, latency)
    : await planAndCut(model, options, begin, latency);
  const report = buildReport(pruner, plan, cut, { ...options, calibration, repair });
  if (latency && cut.tensors.length > 0) report.latency = await latency.report(cut.model);
  if (options.dryRun) return { cut, report };
  if (cut.tensors.length === 0) {
    throw new SsdPruneError(
      'ERR_NO_MATCH',
      'The widths chosen cut nothing; nothing was written. Ask for a larger cut or a smaller --align.',
    );
  }
  if (options.verify ?? true) {
    await begin('verify');
    // Loaded here: who opens a model to list its parameters proves nothing.
    const { verifyCut } = require('./verify') as typeof import('./verify');
    report.verified = await verifyCut(pruner.graph, cut, options.signal ? { signal: options.signal } : {});
  }
  return { cut, report };
}

async function planAndCut(
  model: OnnxModel,
  options: PruneModelOptions,
  begin: (stage: 'cut') => Promise<void>,
  latency: LatencySearch | undefined,
): Promise<Pick<Calibrated, 'pruner' | 'plan' | 'cut'> & { calibration?: undefined; repair?: undefined }> {
  const pruner = openPruner(model, options.inputShapes);
  const plan = latency ? await planByLatency(pruner, options, latency) : pruner.plan(options);
  await begin('cut');
  return { pruner, plan, cut: pruner.cut(plan) };
}

/** Options with the size of the pictures that a cut is calibrated on, see {@link pictureShapes}. */
function withPictureShapes(model: OnnxModel, options: PruneModelOptions): PruneModelOptions {
  if (!options.calibrate) return options;
  const { pictureShapes } = require('../calibrate/picture-shape') as typeof import('../calibrate/picture-shape');
  const inputShapes = pictureShapes(model, options.calibrate.detector, options.inputShapes);
  return { ...options, ...(inputShapes && { inputShapes }) };
}

/** @throws {SsdPruneError} ERR_USAGE where the cut is given in another way, too */
function openLatencySearch(model: OnnxModel, options: PruneModelOptions): LatencySearch | undefined {
  if (!options.latency) return undefined;
  if (options.targetRatio !== undefined || options.ratios) {
    throw new SsdPruneError('ERR_USAGE', 'Give a target latency, a target ratio or ratios by layer, one of them.');
  }
  if (options.paddle1x) {
    throw new SsdPruneError('ERR_USAGE', 'Paddle 1.x knows no latency: leave the target latency or --paddle1x off.');
  }
  const { LatencySearch } = require('../latency/latency-search') as typeof import('../latency/latency-search');
  return new LatencySearch(model, options.latency, options.inputShapes, options.signal);
}

async function planByLatency(pruner: Pruner, given: PruneOptions, latency: LatencySearch): Promise<PrunePlan> {
  const { selection, options } = pruner.select(given);
  const search = pruner.widthSearch(selection.groups, options);
  return { selection, options, search: await latency.widths({ pruner, selection, options, search }) };
}

function calibrated(
  model: OnnxModel,
  options: PruneModelOptions,
  calibration: CalibrationOptions,
  latency: LatencySearch | undefined,
): Promise<Calibrated & { calibration: CalibrationReport }> {
  const { calibrateWithPictures } =
    require('../calibrate/calibrate-file') as typeof import('../calibrate/calibrate-file');
  return calibrateWithPictures(model, options, {
    ...(options.signal && { signal: options.signal }),
    ...(latency && { widths: (plan) => latency.widths(plan) }),
    ...calibration,
  });
}
