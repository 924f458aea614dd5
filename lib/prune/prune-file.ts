import { breathe } from '../abort';
import type { CalibrationOptions } from '../calibrate/calibrate-file';
import { checkOptions } from '../errors';
import { checkOutput, replaceFile } from '../files';
import { detectorKey } from '../model/detector-key';
import type { OnnxModel } from '../model/onnx-model';
import { readModel } from '../model/read';
import type { LossCurves } from '../sensitivity/loss-curves';
import { type PruneModelOptions, pruneModel } from './prune-model';
import type { PruneReport } from './report';

export interface PruneFileOptions extends Omit<PruneModelOptions, 'dryRun' | 'onStage'> {
  /** Replace the output where it exists, even if it is the input. Defaults to `false`. */
  force?: boolean;
  /**
   * Detector settings (JSON) for the smaller model's metadata, where the model's own have none: it is of no use without
   * them. Defaults to those of `calibrate`.
   */
  detector?: string;
  /** Write the report to this file, too, as JSON. It replaces an older one, but nothing that is read. */
  report?: string;
  /** Called before each stage of the work. */
  onStage?: (stage: PruneStage) => void;
}

export type PruneStage = 'read' | 'plan' | 'cut' | 'verify' | 'write';

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
  checkOptions(given, 'prunedParams');
  const started = performance.now();
  const begin = async (stage: 'read' | 'write'): Promise<void> => {
    await breathe(given.signal);
    given.onStage?.(stage);
  };
  // Before the work: what can't be written must not be found out after it.
  if (output !== undefined) await checkOutput(output, { force: given.force ?? false });
  await begin('read');
  const model = await readModel(input);
  if (given.report !== undefined) await checkReport(given.report, model, { ...given, output });
  const settings = settingsFor(model, given.detector ?? given.calibrate?.detector);
  const { cut, report } = await pruneModel(model, { ...given, dryRun: output === undefined });
  if (output !== undefined) {
    await begin('write');
    const { writeModel } = require('../model/write') as typeof import('../model/write');
    if (settings !== undefined) cut.model.setMetadata(detectorKey, settings);
    await writeModel(cut.model, output, { force: given.force ?? false });
  }
  const whole: PruneReport = {
    ...{ ...report, output: output ?? null },
    seconds: (performance.now() - started) / 1000,
  };
  if (given.report !== undefined) await saveReport(given.report, whole);
  return whole;
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
    detector,
    calibrate,
    sensitivities,
  }: {
    output?: string | undefined;
    detector?: string | undefined;
    calibrate?: CalibrationOptions | undefined;
    sensitivities?: LossCurves | undefined;
  },
): Promise<void> {
  const inputs = [...model.dataFiles];
  if (model.file !== undefined) inputs.push(model.file);
  if (output !== undefined) inputs.push(output, `${output}.data`);
  if (sensitivities) inputs.push(sensitivities.source);
  const settings = detector ?? calibrate?.detector;
  if (calibrate || settings !== undefined) {
    const { readDetectorSettings } = require('../model/detector') as typeof import('../model/detector');
    const { priorsFile } = readDetectorSettings(model, settings);
    if (settings !== undefined) inputs.push(settings);
    if (priorsFile !== undefined) inputs.push(priorsFile);
  }
  if (calibrate) {
    const { findPictures } = require('../calibrate/pictures') as typeof import('../calibrate/pictures');
    inputs.push(calibrate.pictures, ...(await findPictures(calibrate.pictures, calibrate.split)));
  }
  await checkOutput(report, { inputs });
}

/** Writes a report as JSON for people and programs to read. */
export async function saveReport(file: string, document: object): Promise<void> {
  await replaceFile(file, [Buffer.from(`${JSON.stringify(document, null, 2)}\n`)]);
}

function settingsFor(model: OnnxModel, detector: string | undefined): string | undefined {
  if (detector === undefined) return undefined;
  const { settingsToCarry } = require('../model/detector') as typeof import('../model/detector');
  return settingsToCarry(model, detector);
}
