import { SsdPruneError } from './errors';

/**
 * Ends work that was called off: long functions call it between their steps.
 * @throws {SsdPruneError} ERR_ABORTED with `signal.reason` as its cause; a reason that is an error of this package as it is
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  const reason: unknown = signal.reason;
  if (reason instanceof SsdPruneError) throw reason;
  const why = reason instanceof Error && reason.name !== 'AbortError' ? `: ${reason.message}` : '';
  throw new SsdPruneError('ERR_ABORTED', `The work was called off${why}.`, { cause: reason });
}

/** Lets signals and timers have their turn between steps that block, and ends work that was called off meanwhile. */
export async function breathe(signal?: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  throwIfAborted(signal);
}
