import type { CalibrationOptions } from '../calibrate/calibrate-file';
import { SsdPruneError } from '../errors';
import type { DeviceChoice } from '../evaluate/providers';
import type { Progress, Ui } from './ui';

/** The options of `prune` and `sensitivity` that say which pictures are looked at. */
export interface CalibrationArguments {
  calibrate?: string;
  split?: string;
  calibrationImages?: number;
  calibrationSeed?: number;
  detector?: string;
  device?: DeviceChoice;
}

/** Without defaults, which the library has: what is given without pictures is refused. */
export const calibrationOptions = {
  split: {
    type: 'string',
    describe: 'With --calibrate on a VOC or COCO folder: its split  [default: "train" of VOC]',
  },
  'calibration-images': { type: 'number', describe: 'Pictures drawn for --calibrate' },
  'calibration-seed': { type: 'number', describe: 'Seed of the draw  [default: 0]' },
  detector: { type: 'string', describe: "Detector settings for --calibrate, where the model's metadata have none" },
  device: {
    choices: ['auto', 'cuda', 'cpu'] as const,
    describe: 'Where the model runs on the pictures  [default: "cpu"]',
  },
} as const;

/**
 * Refuses options that change nothing without another one.
 * @param names as they are typed
 * @throws {SsdPruneError} ERR_USAGE with those of them that are given
 */
export function refuseWithout(needed: string, names: readonly string[], args: object): void {
  const given = names.filter((name) => {
    const key = name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    return (args as Record<string, unknown>)[key] !== undefined;
  });
  if (given.length === 0) return;
  const [named, change] = [given.map((name) => `--${name}`).join(', '), given.length > 1 ? 'change' : 'changes'];
  throw new SsdPruneError('ERR_USAGE', `${named} ${change} nothing without --${needed}: add that or leave it off.`);
}

/** The arguments as the library takes them, with a bar for the layers that are through. */
export function calibration(args: CalibrationArguments, pictures: string, ui: Ui): CalibrationOptions {
  let bar: Progress | undefined;
  let total = 0;
  return {
    pictures,
    ...(args.calibrationSeed !== undefined && { seed: args.calibrationSeed }),
    ...(args.device !== undefined && { device: args.device }),
    ...(args.calibrationImages !== undefined && { images: args.calibrationImages }),
    ...(args.split !== undefined && { split: args.split }),
    ...(args.detector !== undefined && { detector: args.detector }),
    // Error curves and repairs are counted apart: a new total is a new bar.
    onStage: (layer, index, count) => {
      if (count !== total) {
        bar?.stop();
        bar = ui.progress('layers', count);
        total = count;
      }
      bar?.update(index, { layer });
      if (index < count) return;
      bar?.stop();
      total = 0;
    },
  };
}
