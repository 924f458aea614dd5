import { breathe } from '../abort';
import type { Calibrated } from '../calibrate/calibrate';
import type { CalibrationOptions, CalibrationReport } from '../calibrate/calibrate-file';
import { SsdPruneError } from '../errors';
import { checkOutput, replaceFile } from '../files';
import type { LatencyBudget, LatencySearch } from '../latency/latency-search';
import { detectorKey } from '../model/detector-key';
import { checkInputShapes, graphInputs, readDetectorSize } from '../model/input-shapes';
import type { OnnxModel } from '../model/onnx-model';
import { readModel } from '../model/read';
import type { InferOptions } from '../model/shape-inference';
import type { LossCurves } from '../sensitivity/loss-curves';
import type { PruneOptions } from './options';
import { type PrunePlan, Pruner } from './prune';
import { buildReport, type PruneReport } from './report';

export interface PruneFileOptions extends PruneOptions {
  /** Prove the cut before anything is written. Defaults to `true`. */
  verify?: boolean;
  /** Replace the output where it exists, even if it is the input. Defaults to `false`. */
  force?: boolean;
  /** Write the report to this file, too, as JSON. It replaces an older one, but nothing that is read. */
  report?: string;
  /** Choose and repair channels by pictures. */
  calibrate?: CalibrationOptions;
  /** Latency as the budget, instead of a target ratio: widths are measured on this machine. */
  latency?: LatencyBudget;
  /** Called before each stage of the work. */
  onStage?: (stage: PruneStage) => void;
  /** Looked at before each stage, and between the runs of the proof; ends the work with ERR_ABORTED. */
  signal?: AbortSignal;
}

export type PruneStage = 'read' | 'plan' | 'cut' | 'verify' | 'write';

/** What is known of a model's input size: by hand, or by its detector settings. */
export function inferOptions(model: OnnxModel, inputShapes?: InferOptions['inputShapes']): InferOptions {
  const openSize = readDetectorSize(model);
  if (inputShapes) checkInputShapes(model.file ?? 'model', graphInputs(model), inputShapes);
  return { ...(inputShapes && { inputShapes }), ...(openSize && { openSize }) };
}

/** A {@link Pruner} on a model file, with the input size that the file or its detector settings say. */
export function openPruner(model: OnnxModel, inputShapes?: InferOptions['inputShapes']): Pruner {
  return new Pruner(model, inferOptions(model, inputShapes));
}

/**
 * Reads a model, cuts it, proves the cut and writes the smaller model, with the detector settings that were given by a
 * file in its metadata. Without `output` nothing is written (a dry run, without a proof).
 * @throws {SsdPruneError} see {@link Pruner.plan}, {@link verifyCut}, {@link readModel}, {@link writeModel}; with pictures
 * {@link pictureShapes} and {@link calibrateWithPictures}.
 */
export async function pruneFile(
  input: string,
  output: string | undefined,
  given: PruneFileOptions,
): Promise<PruneReport> {
  const started = performance.now();
  const begin = async (stage: PruneStage): Promise<void> => {
    await breathe(given.signal);
    given.onStage?.(stage);
  };
  // Before the work: what can't be written must not be found out after it.
  if (output !== undefined) await checkOutput(output, { force: given.force ?? false });
  await begin('read');
  const model = await readModel(input);
  if (given.report !== undefined) await checkReport(given.report, model, { ...given, output });
  const settings = settingsFor(model, given.calibrate);
  await begin('plan');
  const options = withPictureShapes(model, given);
  const latency = openLatencySearch(model, options);
  const { pruner, plan, cut, calibration, repair } = options.calibrate
    ? await calibrated(model, options, options.calibrate, latency)
    : await planAndCut(model, options, begin, latency);
  const report = buildReport(pruner, plan, cut, { ...options, output, calibration, repair });
  if (latency && cut.tensors.length > 0) report.latency = await latency.report(cut.model);
  if (output !== undefined) {
    if (cut.tensors.length === 0) {
      throw new SsdPruneError(
        'ERR_NO_MATCH',
        'The widths chosen cut nothing; nothing was written. Ask for a larger cut or a smaller --align.',
      );
    }
    if (options.verify ?? true) {
      await begin('verify');
      // Loaded here: who opens a model to list its parameters neither proves nor writes.
      const { verifyCut } = require('./verify') as typeof import('./verify');
      report.verified = await verifyCut(pruner.graph, cut, options.signal ? { signal: options.signal } : {});
    }
    await begin('write');
    const { writeModel } = require('../model/write') as typeof import('../model/write');
    if (settings !== undefined) cut.model.setMetadata(detectorKey, settings);
    await writeModel(cut.model, output, { force: options.force ?? false });
  }
  report.seconds = (performance.now() - started) / 1000;
  if (options.report !== undefined) await saveReport(options.report, report);
  return report;
}

/**
 * Refuses a report that would replace the model with its weights, the smaller model, or what is read for it.
 * @throws {SsdPruneError} what {@link checkOutput} throws
 */
export async function checkReport(
  report: string,
  model: OnnxModel,
  {
    output,
    calibrate,
    sensitivities,
  }: {
    output?: string | undefined;
    calibrate?: CalibrationOptions | undefined;
    sensitivities?: LossCurves | undefined;
  },
): Promise<void> {
  const inputs = [...model.dataFiles];
  if (model.file !== undefined) inputs.push(model.file);
  if (output !== undefined) inputs.push(output, `${output}.data`);
  if (sensitivities) inputs.push(sensitivities.source);
  if (calibrate) {
    const { readDetectorSettings } = require('../model/detector') as typeof import('../model/detector');
    const { findPictures } = require('../calibrate/pictures') as typeof import('../calibrate/pictures');
    const { priorsFile } = readDetectorSettings(model, calibrate.detector);
    inputs.push(calibrate.pictures, ...(await findPictures(calibrate.pictures, calibrate.split)));
    if (calibrate.detector !== undefined) inputs.push(calibrate.detector);
    if (priorsFile !== undefined) inputs.push(priorsFile);
  }
  await checkOutput(report, { inputs });
}

/** Writes a report as JSON for people and programs to read. */
export async function saveReport(file: string, document: object): Promise<void> {
  await replaceFile(file, [Buffer.from(`${JSON.stringify(document, null, 2)}\n`)]);
}

async function planAndCut(
  model: OnnxModel,
  options: PruneFileOptions,
  begin: (stage: PruneStage) => Promise<void>,
  latency: LatencySearch | undefined,
): Promise<Pick<Calibrated, 'pruner' | 'plan' | 'cut'> & { calibration?: undefined; repair?: undefined }> {
  const pruner = openPruner(model, options.inputShapes);
  const plan = latency ? await planByLatency(pruner, options, latency) : pruner.plan(options);
  await begin('cut');
  return { pruner, plan, cut: pruner.cut(plan) };
}

/** Detector settings for the smaller model's metadata, where they came by a file: it is of no use without them. */
function settingsFor(model: OnnxModel, calibrate: CalibrationOptions | undefined): string | undefined {
  if (!calibrate) return undefined;
  const { settingsToCarry } = require('../model/detector') as typeof import('../model/detector');
  return settingsToCarry(model, calibrate.detector);
}

/** Options with the size of the pictures that a cut is calibrated on, see {@link pictureShapes}. */
function withPictureShapes(model: OnnxModel, options: PruneFileOptions): PruneFileOptions {
  if (!options.calibrate) return options;
  const { pictureShapes } = require('../calibrate/picture-shape') as typeof import('../calibrate/picture-shape');
  const inputShapes = pictureShapes(model, options.calibrate.detector, options.inputShapes);
  return { ...options, ...(inputShapes && { inputShapes }) };
}

/** @throws {SsdPruneError} ERR_USAGE where the cut is given in another way, too */
function openLatencySearch(model: OnnxModel, options: PruneFileOptions): LatencySearch | undefined {
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
  options: PruneFileOptions,
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
