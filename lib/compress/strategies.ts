import type { RunConfig, StrategyConfig } from '../config/config';
import { invalidArgument, SsdPruneError } from '../errors';
import { AutoStrategy } from './auto-strategy';
import { checkStrategy, plainJson } from './given';
import { IterativeStrategy } from './iterative-strategy';
import { LatencyStrategy } from './latency-strategy';
import { withName } from './run-errors';
import { SensitiveStrategy } from './sensitive-strategy';
import type { Strategy, StrategyCheckOptions } from './strategy';
import { UniformStrategy } from './uniform-strategy';

/** Makes a strategy of its entry in a configuration. */
export type StrategyMaker = (entry: StrategyConfig) => Strategy;

const of =
  <Options>(Class: new (name: string, options: Options) => Strategy): StrategyMaker =>
  ({ name, options }) =>
    // Checked by the class's schema, see lib/config/strategies.ts.
    new Class(name, options as Options);

/** By the class that a configuration names. */
const makers = new Map<string, StrategyMaker>([
  ['UniformPruneStrategy', of(UniformStrategy)],
  ['SensitivePruneStrategy', of(SensitiveStrategy)],
  ['IterativePruneStrategy', of(IterativeStrategy)],
  ['LatencyPruneStrategy', of(LatencyStrategy)],
  ['AutoPruneStrategy', of(AutoStrategy)],
]);

/**
 * Lets configurations that are read from now on name a class of the caller's own. Its keys reach `make` as `options`, in
 * camelCase; what is wrong with them is for it to say.
 * @throws {SsdPruneError} ERR_USAGE for a name that is taken
 */
export function registerStrategy(className: string, make: StrategyMaker): void {
  const { allowStrategy } = require('../config/strategies') as typeof import('../config/strategies');
  if (typeof className !== 'string' || className === '') throw invalidArgument('className', 'a name', className);
  if (typeof make !== 'function') throw invalidArgument('make', 'a function', make);
  if (makers.has(className)) throw new SsdPruneError('ERR_USAGE', `There is a strategy ${className} already.`);
  allowStrategy(className);
  makers.set(className, make);
}

/**
 * The strategies of a configuration, in its order.
 * @throws {SsdPruneError} ERR_BAD_CONFIG for a class that there is not; ERR_USAGE for what makes no strategy
 */
export function makeStrategies(entries: readonly StrategyConfig[]): Strategy[] {
  return entries.map((entry) => {
    const make = makers.get(entry.class);
    if (make) {
      const made: unknown = make(entry);
      checkStrategy(made, `what ${entry.class} is registered with gives`);
      return made;
    }
    const names = [...makers.keys()].join(', ');
    throw new SsdPruneError('ERR_BAD_CONFIG', `${entry.where}: there is no strategy ${entry.class}, only ${names}`);
  });
}

/**
 * Asks strategies whether a run can begin.
 * @throws {SsdPruneError} what {@link Strategy.check} throws, with the strategy's name
 */
export async function checkStrategies(
  strategies: readonly Strategy[],
  config: RunConfig,
  options: StrategyCheckOptions,
): Promise<void> {
  for (const strategy of strategies) {
    try {
      await strategy.check?.(config, options);
    } catch (error) {
      throw withName(strategy, error);
    }
  }
}

/**
 * What each strategy saves, by its name, as it is in a file.
 * @throws {SsdPruneError} ERR_USAGE for what is no plain JSON, with the strategy's name
 */
export function savedStates(strategies: readonly Strategy[]): Record<string, unknown> {
  return Object.fromEntries(
    strategies.map((strategy) => [
      strategy.name,
      plainJson(strategy.save?.(), `${strategy.name}: what its save() gives`),
    ]),
  );
}
