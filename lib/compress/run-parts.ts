import type { RunConfig } from '../config/config';
import type { Identity } from './checkpoint';
import type { CheckpointFolder } from './checkpoint-folder';
import type { CompressionEvent } from './events';
import type { RunInputs } from './run-inputs';
import type { Strategy } from './strategy';

/** What a run is made of. */
export interface RunParts {
  config: RunConfig;
  identity: Identity;
  inputs: RunInputs;
  strategies: readonly Strategy[];
  folder: CheckpointFolder;
  /** Go on though checkpoints were made with another instruction set. */
  otherInstructionSet: boolean;
  emit: (event: CompressionEvent) => void;
  signal: AbortSignal | undefined;
  /** Replace what strategies keep in files of another run. */
  force: boolean;
}
