import { invalidArgument } from '../errors';
import type { RecipeOptions } from './recipe';
import type { Teacher } from './teacher';
import type { TrainEvent } from './trainer-events';

export interface TrainerOptions extends RecipeOptions {
  /** The network that the trained one is to be like: same pictures, classes and prior boxes. */
  teacher?: Teacher;
  /** Threads of evaluations; training has those of SSD_PRUNE_THREADS. Defaults to 0: one a core. */
  threads?: number;
}

export interface RunOptions {
  /** Steps after which this call ends, for runs in parts. Defaults to no limit. */
  maxSteps?: number;
  /** File that the state is saved to after each epoch but the last, in case the process ends. */
  checkpoint?: string;
  /** Awaited after each step; the state may be saved in it. */
  afterStep?: () => Promise<void> | void;
  onEvent?: (event: TrainEvent) => void;
  /** Looked at between passes of a step; the run ends with ERR_ABORTED, in the state after its last whole step. */
  signal?: AbortSignal;
}

export interface ResumeOptions {
  /** Go on though the state was made with another instruction set: the last bits will differ. Defaults to `false`. */
  otherInstructionSet?: boolean;
}

/** @throws {SsdPruneError} ERR_USAGE */
export function checkMaxSteps(maxSteps: number): void {
  if (typeof maxSteps !== 'number' || !(maxSteps >= 0))
    throw invalidArgument('maxSteps', 'a number of steps', maxSteps);
}
