import type { AutoOptions, IterativeOptions, LatencyOptions, StrategyConfig, UniformOptions } from '../config/config';
import { SsdPruneError } from '../errors';
import { AutoStrategy } from './auto-strategy';
import { IterativeStrategy } from './iterative-strategy';
import { LatencyStrategy } from './latency-strategy';
import type { Strategy } from './strategy';
import { UniformStrategy } from './uniform-strategy';

/** Makes a strategy of its entry in a configuration. */
export type StrategyMaker = (entry: StrategyConfig) => Strategy;

/** By the class that a configuration names. */
const makers: Readonly<Record<string, StrategyMaker>> = {
  UniformPruneStrategy: ({ name, options }) => new UniformStrategy(name, options as unknown as UniformOptions),
  IterativePruneStrategy: ({ name, options }) => new IterativeStrategy(name, options as unknown as IterativeOptions),
  LatencyPruneStrategy: ({ name, options }) => new LatencyStrategy(name, options as unknown as LatencyOptions),
  AutoPruneStrategy: ({ name, options }) => new AutoStrategy(name, options as unknown as AutoOptions),
};

/**
 * The strategies of a configuration, in its order.
 * @param own classes of the caller's, which go before the package's
 * @throws {SsdPruneError} ERR_BAD_CONFIG for a class that there is not
 */
export function makeStrategies(
  entries: readonly StrategyConfig[],
  own: Readonly<Record<string, StrategyMaker>> = {},
): Strategy[] {
  const known = { ...makers, ...own };
  return entries.map((entry) => {
    const make = known[entry.class];
    if (make) return make(entry);
    const names = Object.keys(known).join(', ');
    throw new SsdPruneError('ERR_BAD_CONFIG', `${entry.where}: there is no strategy ${entry.class}, only ${names}`);
  });
}
