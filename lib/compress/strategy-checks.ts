import { invalidArgument, SsdPruneError } from '../errors';
import type { Strategy } from './strategy';

const methods = [
  ...[
    'plannedCuts',
    'check',
    'onCompressionBegin',
    'onEpochBegin',
    'onEpochEnd',
    'onCompressionEnd',
    'save',
    'restore',
  ],
] as const;

/**
 * For callers without types: whether what they give is a strategy.
 * @param given what messages call it
 * @throws {SsdPruneError} ERR_USAGE
 */
export function checkStrategy(strategy: unknown, given: string): asserts strategy is Strategy {
  const parts = strategy as Record<string, unknown> | null | undefined;
  if (typeof parts !== 'object' || parts === null || typeof parts.name !== 'string' || parts.name === '') {
    throw invalidArgument(given, 'objects with a name', strategy);
  }
  for (const method of methods) {
    const value = parts[method];
    if (value !== undefined && typeof value !== 'function') {
      throw invalidArgument(`${method} of the strategy ${parts.name}`, 'a function', value);
    }
  }
}

/**
 * What is kept of a strategy, as it is in a file.
 * @param from what gave it, for messages
 * @throws {SsdPruneError} ERR_USAGE for what is no plain JSON
 */
export function plainJson(value: unknown, from: string): unknown {
  const refuse = (why: string, cause?: unknown): SsdPruneError =>
    new SsdPruneError('ERR_USAGE', `${from} is no plain JSON: ${why}`, { cause });
  if (typeof (value as PromiseLike<unknown> | undefined)?.then === 'function') {
    throw refuse('it is a promise, which nobody waits for');
  }
  try {
    return JSON.parse(JSON.stringify(value ?? null));
  } catch (error) {
    throw refuse((error as Error).message, error);
  }
}
