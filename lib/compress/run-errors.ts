import { SsdPruneError, withState } from '../errors';
import type { Strategy } from './strategy';

/** Whether an error ends a run without a fault in its state, which is saved then. */
function isEnding(error: unknown): boolean {
  return error instanceof SsdPruneError && ['ERR_ABORTED', 'ERR_DIVERGED'].includes(error.code);
}

/**
 * An error that ends a run, with where its state is.
 * @param step of the newest checkpoint
 */
export function withHint(error: unknown, step: number, folder: string): unknown {
  return error instanceof SsdPruneError ? withState(error, step, folder) : error;
}

/** An error of a strategy, with its name in front: there may be several. */
export function withName({ name }: Strategy, error: unknown): unknown {
  if (!(error instanceof SsdPruneError) || isEnding(error) || error.message.startsWith(name)) return error;
  return new SsdPruneError(error.code, `${name}: ${error.message}`, { cause: error });
}
