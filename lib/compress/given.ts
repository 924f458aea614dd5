import type { RunConfig } from '../config/config';
import { checkOptions, invalidArgument, SsdPruneError } from '../errors';
import type { CompressorOptions } from './compressor';
import type { PlannedCut, Strategy } from './strategy';

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
 * Whether a strategy's plan of a cut is one.
 * @param name the strategy's
 * @throws {SsdPruneError} ERR_USAGE
 */
export function checkPlan(plan: unknown, name: string): asserts plan is PlannedCut {
  const { epoch, request } = (plan ?? {}) as Partial<PlannedCut>;
  if (typeof request === 'object' && request !== null && Number.isInteger(epoch) && epoch! >= 0) return;
  throw invalidArgument(`what plannedCuts of ${name} gives`, 'cuts, each { epoch, request },', plan);
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

/**
 * For callers without types: whether they give a configuration and options of a run.
 * @throws {SsdPruneError} ERR_USAGE
 */
export function checkGiven(config: RunConfig, options: CompressorOptions): void {
  const sections = [
    'model',
    'data',
    'training',
    'evaluation',
    'calibration',
    'device',
    'output',
    'compressor',
  ] as const;
  const whole = sections.every((section) => typeof config?.[section] === 'object' && config[section] !== null);
  if (
    !whole ||
    typeof config.output.model !== 'string' ||
    !Array.isArray(config.compressor.strategies) ||
    !config.compressor.checkpoints
  ) {
    throw invalidArgument('config', 'what readConfig gives', config);
  }
  checkOptions(options, 'settings of a run');
  const { strategies = [], onEvent, onCheck, signal } = options;
  if (!Array.isArray(strategies)) throw invalidArgument('strategies', 'a list of strategies', strategies);
  for (const strategy of strategies) checkStrategy(strategy, 'strategies');
  for (const [name, listener] of Object.entries({ onEvent, onCheck })) {
    if (listener !== undefined && typeof listener !== 'function') throw invalidArgument(name, 'a function', listener);
  }
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw invalidArgument('signal', 'an AbortSignal', signal);
  }
}
