import type { CalibrationOptions } from '../calibrate/calibrate-file';
import type { DeviceChoice } from '../evaluate/providers';
import type { Progress, Ui } from './ui';

/** The options of `prune` and `sensitivity` that say which pictures are looked at. */
export interface CalibrationArguments {
  calibrate?: string;
  split?: string;
  calibrationImages?: number;
  calibrationSeed: number;
  detector?: string;
  device: DeviceChoice;
}

export const calibrationOptions = {
  split: {
    type: 'string',
    describe: 'With --calibrate on a VOC or COCO folder: its split  [default: "train" of VOC]',
  },
  'calibration-images': { type: 'number', describe: 'Pictures drawn for --calibrate' },
  'calibration-seed': { type: 'number', default: 0, describe: 'Seed of the draw' },
  detector: { type: 'string', describe: "Detector settings for --calibrate, where the model's metadata have none" },
  device: {
    choices: ['auto', 'cuda', 'cpu'] as const,
    default: 'cpu' as const,
    describe: 'Where the model runs on the pictures',
  },
} as const;

/** The arguments as the library takes them, with a bar for the layers that are through. */
export function calibration(args: CalibrationArguments, pictures: string, ui: Ui): CalibrationOptions {
  let bar: Progress | undefined;
  let total = 0;
  return {
    pictures,
    seed: args.calibrationSeed,
    device: args.device,
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
