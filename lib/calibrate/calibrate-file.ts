import { invalidArgument } from '../errors';
import { readDetectorSettings } from '../model/detector';
import type { OnnxModel } from '../model/onnx-model';
import type { PruneOptions } from '../prune/options';
import { type Calibrated, type CalibrateOptions, calibrate } from './calibrate';
import { drawPictures, findPictures, PictureSource } from './pictures';
import { type Repair, repairs } from './repair';

/** Pictures to choose and repair channels by. */
export interface CalibrationOptions {
  /** Folder of pictures, VOC or COCO folder, or a text file with one picture a line. Labels are never read. */
  pictures: string;
  /** Split of a VOC or COCO folder. Defaults to `train` for VOC; a COCO folder needs it. */
  split?: string;
  /** How many pictures are drawn. Defaults to `256`. */
  images?: number;
  /** Seed of the draw and of the places that are sampled. Defaults to `0`. */
  seed?: number;
  /** What is refitted. Defaults to `full`. */
  repair?: Repair;
  /** Detector settings, where the model's metadata have none. */
  detector?: string;
  /** Chooses widths instead of a target ratio, see {@link calibrate}. */
  widths?: CalibrateOptions['widths'];
  signal?: AbortSignal;
  onStage?: (layer: string, index: number, count: number) => void;
}

/**
 * {@link calibrate} with pictures from disk, as the model's detector settings prepare them. Unless the options say
 * otherwise channels are chosen by `obs` and widths by `error`.
 * @throws {SsdPruneError} what {@link calibrate}, {@link findPictures} and {@link readDetectorSettings} throw
 */
export async function calibrateWithPictures(
  model: OnnxModel,
  given: PruneOptions,
  options: CalibrationOptions,
): Promise<Calibrated> {
  const { images = 256, seed = 0, repair = 'full' } = options;
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalidArgument('calibrationSeed', 'a whole number from 0', seed);
  if (!repairs.includes(repair)) throw invalidArgument('repair', `one of ${repairs.join(', ')}`, repair);
  const { input } = readDetectorSettings(model, options.detector);
  const files = drawPictures(await findPictures(options.pictures, options.split), images, seed);
  const criterion = given.criterion ?? 'obs';
  const allocation = given.allocation ?? (criterion === 'obs' && !given.paddle1x ? 'error' : 'uniform');
  return calibrate(
    model,
    { ...given, criterion, allocation },
    {
      source: new PictureSource(files, input),
      repair,
      seed,
      signal: options.signal,
      widths: options.widths,
      onStage: options.onStage,
    },
  );
}
