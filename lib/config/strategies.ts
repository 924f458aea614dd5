import { z } from 'zod';
import { autoPruneStrategy } from './auto-strategy';
import { camelKeys } from './camel-keys';
import type { ControllerKeys } from './controllers';
import { iterativePruneStrategy } from './iterative-strategy';
import { latencyPruneStrategy } from './latency-strategy';
import type { PrunerKeys } from './pruners';
import { sensitivePruneStrategy } from './sensitive-strategy';
import { uniformPruneStrategy } from './uniform-strategy';

/** How a class of strategies is configured. */
export interface StrategyClass<Keys = never> {
  /** Its keys, `class` among them. */
  schema: z.ZodObject;
  /** Options from checked keys; remarks on what no schema says go to the context. */
  options(keys: Keys, context: StrategyContext): Readonly<Record<string, unknown>>;
}

/** What a strategy's keys may hang on, and where it says what is wrong with them. */
export interface StrategyContext {
  /** The pruner that the strategy names; undefined where it names none, or one that is wrong itself. */
  pruner: PrunerKeys | undefined;
  /** Likewise the controller. */
  controller: ControllerKeys | undefined;
  paddle1x: boolean;
  /** A file's place, by the key that names it. */
  resolve(key: string, name: string): string;
  /** Tells what is wrong with a key. */
  refuse(key: string, message: string): void;
  /** Tells what is as good as ignored. */
  warn(key: string, message: string): void;
}

/** All strategies there are, by class. A new one is one entry. */
export const strategyClasses = new Map<string, StrategyClass>([
  ['UniformPruneStrategy', uniformPruneStrategy],
  ['SensitivePruneStrategy', sensitivePruneStrategy],
  ['IterativePruneStrategy', iterativePruneStrategy],
  ['LatencyPruneStrategy', latencyPruneStrategy],
  ['AutoPruneStrategy', autoPruneStrategy],
]);

/** Lets configurations name a class of somebody else's, with whatever keys. */
export function allowStrategy(name: string): void {
  const own: StrategyClass<Record<string, unknown>> = {
    schema: z.looseObject({ class: z.literal(name).describe('Registered by registerStrategy') }),
    options: ({ class: _, ...keys }) => camelKeys(keys),
  };
  strategyClasses.set(name, own);
}
