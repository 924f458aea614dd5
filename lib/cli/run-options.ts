import type { DeviceChoice } from '../evaluate/providers';

/** The options of `eval` and `detect` that say how a detector runs. */
export interface RunArguments {
  detector?: string;
  device: DeviceChoice;
  batchSize: number;
  threads: number;
  skipBad: boolean;
}

export const runOptions = {
  detector: { type: 'string', describe: "Detector settings (JSON), where the model's metadata have none" },
  device: { choices: ['auto', 'cuda', 'cpu'] as const, default: 'auto', describe: 'Where to run' },
  'batch-size': { type: 'number', default: 8, describe: 'Pictures a run' },
  threads: { type: 'number', default: 0, describe: 'Threads of the session; 0: one a core' },
} as const;
