import path from 'node:path';
import type { RunConfig } from '../../lib/config/config';
import { temporary } from '../data/folders';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { embeddedDetector } = dist('embedded/detector') as typeof import('../../lib/embedded/detector');
const { writeScenes } = dist('scenes/voc-folder') as typeof import('../../lib/scenes/voc-folder');

/** A folder of labelled scenes: 40 to train on, 12 to measure on. */
export async function scenesFolder(): Promise<string> {
  const folder = path.join(temporary(), 'scenes');
  await writeScenes(folder, { split: 'train', count: 40 });
  await writeScenes(folder, { split: 'val', count: 12 });
  return folder;
}

export const pattern = 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0';

/** The embedded detector, a fifth cut at the begin and a tenth of what is left in the second epoch. */
export function scenesRun(data: string, folder = temporary()): RunConfig {
  const cut = { prunedParams: pattern, criterion: 'l1_norm', repair: 'none', allocation: 'uniform' } as const;
  const uniform = (name: string, startEpoch: number, targetRatio: number) => ({
    ...{ name, class: 'UniformPruneStrategy', where: 'run.yaml:1:1' },
    options: { ...cut, startEpoch, endEpoch: 0, targetRatio, tolerance: 0.05, skipLocked: false, includeTied: false },
  });
  return {
    file: path.join(folder, 'run.yaml'),
    paddle1x: false,
    model: { file: embeddedDetector, teacher: embeddedDetector },
    data: { folder: data, train: 'train', evaluation: 'val', skipBad: false },
    training: { batchSize: 4, heldBack: 0.2, rate: 1e-3, recalibrate: 2 },
    evaluation: {},
    calibration: { pictures: data, split: 'train', images: 16, seed: 0 },
    device: { evaluation: 'cpu', threads: 0 },
    output: {
      model: path.join(folder, 'small.onnx'),
      report: null,
      page: null,
      log: null,
      tensorboard: null,
      keep: 'best',
    },
    compressor: {
      epochs: 3,
      checkpoints: { folder: path.join(folder, 'checkpoints'), keep: 2, minutes: 10 },
      evalEpoch: 1,
      strategies: [uniform('first', 0, 0.2), uniform('second', 1, 0.1)],
    },
    warnings: [],
  };
}
