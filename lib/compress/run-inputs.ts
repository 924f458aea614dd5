import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { RunConfig } from '../config/config';
import { lossesFile, lossesFiles } from '../config/losses-file';
import { errorInKeys } from '../config/option-keys';
import { checkDataset } from '../data/check';
import { type Dataset, datasetFiles, openDataset } from '../data/dataset';
import { modelDigest, sha256 } from '../digests';
import { SsdPruneError } from '../errors';
import { checkOutput, readError } from '../files';
import { type DetectorSettings, readDetectorSettings, settingsToCarry } from '../model/detector';
import type { OnnxModel } from '../model/onnx-model';
import { readModel } from '../model/read';
import { importedCurves } from '../sensitivity/loss-curves';
import { checkPrecision } from '../train/precision';
import { readTeacher, type Teacher } from '../train/teacher';
import { openTrainingData } from '../train/training-data';
import { CheckpointFolder } from './checkpoint-folder';
import { goesByPictures } from './cut-request';

/** What a run works on, opened and checked. */
export interface RunInputs {
  /** The network to begin with. */
  model: OnnxModel;
  /** SHA-256 of it. */
  digest: string;
  detector: DetectorSettings;
  /** Detector settings for the metadata of what is written, where the model has none of its own. */
  carried: string | undefined;
  teacher: Teacher | undefined;
  training: Pick<Dataset, 'classes' | 'samples'>;
  /** What was left out of the pictures, and why. */
  problems: readonly string[];
  /** Null where nothing is evaluated but what is held back of the training pictures. */
  evaluation: Dataset | null;
  /** SHA-256 of the pictures that cuts are calibrated on; null where no strategy of the configuration goes by any. */
  calibration: string | null;
  /** SHA-256 of files of PaddleSlim's that strategies read, by the strategy's number. */
  imported: ReadonlyMap<number, string>;
}

/**
 * Opens model, teacher and pictures of a configuration, and finds out whether its outputs may be written.
 * @throws {SsdPruneError} what {@link checkPrecision}, {@link readModel}, {@link readDetectorSettings}, {@link openTrainingData},
 * {@link openDataset}, {@link checkDataset}, `drawWholePictures`, {@link CheckpointFolder.refuseInputs} and
 * {@link checkOutput} throw
 */
export async function openInputs(config: RunConfig, options: OpenInputsOptions): Promise<RunInputs> {
  const { force, resume, signal, onCheck } = options;
  const { model: files, data, output } = config;
  const file = config.compressor.initModel ?? files.file;
  checkPrecision(config.training.precision ?? 'fp32');
  // Before what lets force replace it.
  const own = [file, files.file, ...(await filesOf(config))];
  await checkOutput(output.model, { inputs: own });
  await checkOutput(output.model, { force: force || resume });
  const model = await readModel(file);
  const detector = readDetectorSettings(model, files.detector);
  const carried = settingsToCarry(model, files.detector);
  // Before all pictures are decoded.
  options.onModel?.(modelDigest(model), detector);
  // Index 0 is background, whatever the settings call it.
  const classes = ['background', ...detector.classes.slice(1)];
  const training = await openTrainingData(data.folder, classes, {
    ...(data.train !== null && { split: data.train }),
    skipBad: data.skipBad,
    ...(config.training.labels !== undefined && { labels: config.training.labels }),
    ...(onCheck && { onProgress: onCheck }),
    ...(signal && { signal }),
  }).catch((error: unknown) => {
    throw errorInKeys(error, { '--split': 'data.train', '--split train2017': 'data.train: train2017' });
  });
  const { evaluation, problems } = await openEvaluation(config, classes, options);
  problems.unshift(...training.problems);
  if (evaluation && !evaluation.samples.some(({ labels }) => labels.length > 0)) {
    throw new SsdPruneError(
      'ERR_BAD_DATA',
      `${data.folder}: no picture of ${data.evaluation} has an object of these classes, so that there is no mAP: name another split (data.evaluation), or none`,
    );
  }
  const settings = [files.detector, detector.priorsFile, files.teacher].filter((read) => typeof read === 'string');
  const { folder } = config.compressor.checkpoints;
  const read = [...own, ...model.dataFiles, ...settings];
  await CheckpointFolder.refuseInputs(folder, read);
  read.push(...training.files, ...(evaluation ? datasetFiles(evaluation) : []));
  read.push(...(await CheckpointFolder.files(folder)));
  const made: string[] = [];
  for (const written of [output.model, output.report, output.page, output.log]) {
    if (written === null) continue;
    await checkOutput(written, { inputs: [...read, ...made] });
    // Logs ask themselves, before anything else is looked at.
    if (!(force || resume || written === output.log)) await checkOutput(written, { force });
    made.push(written);
  }
  const calibrated = await calibrationDigest(config, signal);
  problems.push(...calibrated.problems.filter((problem) => !problems.includes(problem)));
  return {
    ...{ model, digest: modelDigest(model), detector, carried, training: training.dataset },
    ...{ problems, evaluation, teacher: await openTeacher(config, file, model, detector) },
    ...{ calibration: calibrated.digest, imported: await importedDigests(config) },
  };
}

/** The split that mAP is reported on, and what of it was left out. Without `skip_bad` the first evaluation finds out. */
async function openEvaluation(
  { data }: RunConfig,
  classes: readonly string[],
  { signal, onCheck }: OpenInputsOptions,
): Promise<{ evaluation: Dataset | null; problems: string[] }> {
  const { folder, evaluation: split, skipBad } = data;
  if (split === null) return { evaluation: null, problems: [] };
  if (!skipBad) return { evaluation: await openDataset(folder, { split, classes }), problems: [] };
  const { dataset, problems } = await checkDataset(folder, {
    ...{ split, classes, skipBad },
    ...(onCheck && { onProgress: onCheck }),
    ...(signal && { signal }),
  });
  return { evaluation: dataset, problems: [...problems] };
}

/** The configuration's own files, and those that it names besides model and pictures. */
async function filesOf({ file, included = [], calibration, compressor }: RunConfig): Promise<string[]> {
  const lists = (await stat(calibration.pictures).catch(() => undefined))?.isFile() ? [calibration.pictures] : [];
  return [file, ...included, ...lists, ...compressor.strategies.flatMap(lossesFiles)];
}

export interface OpenInputsOptions {
  /** Whether outputs may replace what is there, but nothing that the run reads. */
  force: boolean;
  /** Whether they may be there, from an earlier call. */
  resume: boolean;
  signal?: AbortSignal | undefined;
  /** Told of the model before anything of the data is opened; what it throws ends it there. */
  onModel?: ((digest: string, detector: DetectorSettings) => void) | undefined;
  /** Told as the pictures are checked. */
  onCheck?: ((done: number, total: number) => void) | undefined;
}

/**
 * Names and content of the pictures that are drawn: no annotations stand for them, and they are few. They are decoded,
 * too: one that can't be would end the run at its cut.
 */
async function calibrationDigest(
  { compressor, calibration, data: { skipBad } }: RunConfig,
  signal?: AbortSignal,
): Promise<{ digest: string | null; problems: string[] }> {
  if (!compressor.strategies.some(({ options }) => goesByPictures(options))) return { digest: null, problems: [] };
  const { drawWholePictures } = require('../calibrate/pictures') as typeof import('../calibrate/pictures');
  const { pictures, split, images, seed } = calibration;
  const { files, problems } = await drawWholePictures(pictures, { split, images, seed, skipBad, signal });
  const parts: string[] = [];
  for (const file of files) {
    const content = await readFile(file).catch((error) => {
      throw readError(`picture ${file}`, error);
    });
    parts.push(JSON.stringify([path.basename(file), sha256([content])]));
  }
  return { digest: sha256(parts), problems };
}

/** Of sensitivities that no run of ours has measured: our own files say of which network they are. */
async function importedDigests({ compressor }: RunConfig): Promise<ReadonlyMap<number, string>> {
  const digests = new Map<number, string>();
  for (const [i, strategy] of compressor.strategies.entries()) {
    const file = lossesFile(strategy);
    // What is wrong with it the strategy says, by its name.
    const curves = file !== undefined && (await importedCurves(file).catch(() => undefined));
    if (curves) digests.set(i, sha256([await readFile(curves.source)]));
  }
  return digests;
}

async function openTeacher(
  { model: { teacher, detector: detectorFile } }: RunConfig,
  file: string,
  model: OnnxModel,
  detector: DetectorSettings,
): Promise<Teacher | undefined> {
  if (teacher === null) return undefined;
  return teacher === file ? { model, detector } : readTeacher(teacher, detectorFile);
}
