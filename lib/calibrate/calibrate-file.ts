import { invalidArgument, SsdPruneError } from '../errors';
import type { Device, DeviceChoice } from '../evaluate/providers';
import { readDetectorSettings } from '../model/detector';
import { graphInputs } from '../model/input-shapes';
import type { OnnxModel } from '../model/onnx-model';
import type { PruneOptions } from '../prune/options';
import { type Calibrated, type CalibrateOptions, calibrate } from './calibrate';
import { drawPictures, drawWholePictures, findPictures, PictureSource, splitOf } from './pictures';
import { needsPictures, type Repair, repairs } from './repair';
import { liveTensors } from './segment';
import { isWeighted } from './weighted-nodes';

/** Pictures to choose and repair channels by. */
export interface CalibrationOptions {
  /** Folder of pictures, VOC or COCO folder, or a text file with one picture a line, see {@link findPictures}. */
  pictures: string;
  /** Split of a VOC or COCO folder. Defaults to `train` for VOC; a COCO folder needs it. */
  split?: string;
  /** How many pictures are drawn. Defaults to `256`. */
  images?: number;
  /** Seed of the draw and of the places that are sampled. Defaults to `0`. */
  seed?: number;
  /** Go on without drawn pictures that are missing or broken. Defaults to `false`. */
  skipBad?: boolean;
  /** What is refitted. Defaults to `full`. */
  repair?: Repair;
  /** Detector settings, where the model's metadata have none. */
  detector?: string;
  /** Where the model runs on the pictures. Defaults to `cpu`. */
  device?: DeviceChoice;
  /** Chooses widths instead of a target ratio, see {@link calibrate}. */
  widths?: CalibrateOptions['widths'];
  signal?: AbortSignal;
  onStage?: (layer: string, index: number, count: number) => void;
}

/** What a cut's pictures were and what they were for, in reports. */
export interface CalibrationReport {
  readonly pictures: string;
  readonly split: string | null;
  /** How many were looked at: fewer than asked for where there are fewer, or where they fill no batch. */
  readonly images: number;
  readonly seed: number;
  readonly repair: Repair;
  /** Where the model ran on them. */
  readonly device: Device;
}

/**
 * The pictures that options draw, as the model's detector settings prepare them, and how many a model whose batch is
 * fixed takes a run.
 * @throws {SsdPruneError} what {@link findPictures} and {@link readDetectorSettings} throw; ERR_USAGE for a bad draw, and
 * where layers hang on inputs other than the pictures; ERR_BAD_DATA where the pictures fill no batch
 */
export async function openPictures(
  model: OnnxModel,
  options: CalibrationOptions,
): Promise<Pick<CalibrateOptions, 'source' | 'batchSize'>> {
  const { images = 256, seed = 0 } = options;
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalidArgument('calibrationSeed', 'a whole number from 0', seed);
  const { input } = readDetectorSettings(model, options.detector);
  refuseOtherInputs(model, input.name);
  const { pictures, split, skipBad } = options;
  const { files } = await (skipBad
    ? drawWholePictures(pictures, { split, images, seed, skipBad })
    : { files: drawPictures(await findPictures(pictures, split), images, seed) });
  const batch = graphInputs(model).find(({ name }) => name === input.name)?.dims[0];
  if (typeof batch !== 'number' || batch < 1) return { source: new PictureSource(files, input) };
  const whole = files.slice(0, files.length - (files.length % batch));
  if (whole.length === 0) {
    throw new SsdPruneError(
      'ERR_BAD_DATA',
      `${model.file ?? 'the model'} takes ${batch} pictures a run, but only ${files.length} were drawn from ${options.pictures}`,
    );
  }
  return { source: new PictureSource(whole, input), batchSize: batch };
}

/** What layers do not need, such as the size of a picture behind the heads, is never asked for. */
function refuseOtherInputs(model: OnnxModel, pictures: string): void {
  const layers = model.graph.node.filter(isWeighted).flatMap(({ output }) => output.slice(0, 1));
  const others = liveTensors(model, 0, layers).filter((name) => name !== pictures && model.isGraphInput(name));
  if (others.length === 0) return;
  const named = others.map((name) => `"${name}"`).join(', ');
  throw new SsdPruneError(
    'ERR_USAGE',
    `${model.file ?? 'the model'} computes its layers from ${named}, too, and calibration feeds "${pictures}" alone: store ${others.length > 1 ? 'them' : 'it'} as an initializer, or cut without pictures.`,
  );
}

/**
 * {@link calibrate} with pictures from disk, as the model's detector settings prepare them. Unless the options say
 * otherwise channels are chosen by `obs` and widths by `error`.
 * @throws {SsdPruneError} what {@link calibrate} and {@link openPictures} throw; ERR_USAGE where pictures change nothing
 */
export async function calibrateWithPictures(
  model: OnnxModel,
  given: PruneOptions,
  options: CalibrationOptions,
): Promise<Calibrated & { calibration: CalibrationReport }> {
  const { seed = 0, repair = 'full' } = options;
  if (!repairs.includes(repair)) throw invalidArgument('repair', `one of ${repairs.join(', ')}`, repair);
  if (given.paddle1x || given.ranking === 'sequential') {
    throw new SsdPruneError(
      'ERR_USAGE',
      `${given.paddle1x ? '--paddle1x' : '--ranking sequential'} ranks by weights alone: leave it or --calibrate off.`,
    );
  }
  const criterion = given.criterion ?? 'obs';
  // Ratios by hand leave nothing to allocate.
  const allocation = given.allocation ?? (criterion === 'obs' && !given.ratios ? 'error' : undefined);
  if (!needsPictures(criterion, allocation, repair)) {
    throw new SsdPruneError(
      'ERR_USAGE',
      `Pictures change nothing where channels are chosen by ${criterion} and nothing is refitted (--repair none): leave --calibrate or one of these off.`,
    );
  }
  const pictures = await openPictures(model, options);
  const calibrated = await calibrate(
    model,
    { ...given, criterion, ...(allocation && { allocation }) },
    {
      ...pictures,
      repair,
      seed,
      device: options.device,
      signal: options.signal,
      widths: options.widths,
      onStage: options.onStage,
    },
  );
  return {
    ...calibrated,
    calibration: {
      pictures: options.pictures,
      split: (await splitOf(options.pictures, options.split)) ?? null,
      images: pictures.source.count,
      seed,
      repair,
      device: calibrated.device,
    },
  };
}
