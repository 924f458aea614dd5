import { invalidArgument } from '../errors';
import { readDetectorSettings } from '../model/detector';
import type { OnnxModel } from '../model/onnx-model';
import type { PruneOptions } from '../prune/options';
import { type Calibrated, calibrate } from './calibrate';
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
  signal?: AbortSignal;
  onStage?: (layer: string, index: number, count: number) => void;
}

/**
 * The pictures that options draw, as the model's detector settings prepare them.
 * @throws {SsdPruneError} what {@link findPictures} and {@link readDetectorSettings} throw; ERR_USAGE for a bad draw
 */
export async function openPictures(model: OnnxModel, options: CalibrationOptions): Promise<PictureSource> {
  const { images = 256, seed = 0 } = options;
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalidArgument('calibrationSeed', 'a whole number from 0', seed);
  const { input } = readDetectorSettings(model, options.detector);
  return new PictureSource(drawPictures(await findPictures(options.pictures, options.split), images, seed), input);
}

/**
 * {@link calibrate} with pictures from disk, as the model's detector settings prepare them. Unless the options say
 * otherwise channels are chosen by `obs` and widths by `error`.
 * @throws {SsdPruneError} what {@link calibrate} and {@link openPictures} throw
 */
export async function calibrateWithPictures(
  model: OnnxModel,
  given: PruneOptions,
  options: CalibrationOptions,
): Promise<Calibrated> {
  const { seed = 0, repair = 'full' } = options;
  if (!repairs.includes(repair)) throw invalidArgument('repair', `one of ${repairs.join(', ')}`, repair);
  const source = await openPictures(model, options);
  const criterion = given.criterion ?? 'obs';
  const allocation = given.allocation ?? (criterion === 'obs' && !given.paddle1x ? 'error' : 'uniform');
  return calibrate(
    model,
    { ...given, criterion, allocation },
    { source, repair, seed, signal: options.signal, onStage: options.onStage },
  );
}
