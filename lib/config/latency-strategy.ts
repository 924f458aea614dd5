import { z } from 'zod';
import { SsdPruneError } from '../errors';
import { type LatencyTarget, parseLatencyTarget } from '../latency/target';
import { type CutOptions, cutKeys, cutOptions } from './cut-keys';
import { inKeys } from './option-keys';
import { number, text, whole } from './schema-kinds';
import type { StrategyClass } from './strategies';

/** LatencyPruneStrategy's options. */
export interface LatencyOptions extends CutOptions {
  startEpoch: number;
  endEpoch: number;
  /** A share of the network's latency at that moment, or milliseconds. */
  target: LatencyTarget;
  /** Threads that it is measured with. */
  threads: number;
}

const schema = z.strictObject({
  class: z
    .literal('LatencyPruneStrategy')
    .describe('One cut of all selected layers, to a latency measured on this machine'),
  ...cutKeys,
  start_epoch: whole(0).default(0).describe('Epoch, from 0, at whose beginning channels are cut'),
  end_epoch: whole(0).default(0).describe('The run lasts at least so many epochs'),
  target_latency: z
    .union([number, text])
    .describe('Latency to reach: a share of what the model takes at that moment (0.8, 80%), or milliseconds (9.5ms)'),
  latency_threads: whole(0, 256).default(1).describe('Threads that it is measured with; 0: one a core'),
});

/** Cuts all selected layers once, to a measured latency. */
export const latencyPruneStrategy: StrategyClass<z.infer<typeof schema>> = {
  schema,
  options: (keys, context): Readonly<LatencyOptions> & Record<string, unknown> => {
    if (context.paddle1x) context.refuse('class', 'compat: paddle1x knows no latency: leave one of them off');
    return {
      ...cutOptions(keys, context),
      ...{ startEpoch: keys.start_epoch, endEpoch: keys.end_epoch, threads: keys.latency_threads },
      target: target(String(keys.target_latency), (message) => context.refuse('target_latency', message)),
    };
  },
};

function target(text_: string, refuse: (message: string) => void): LatencyTarget {
  try {
    return parseLatencyTarget(text_);
  } catch (error) {
    if (!(error instanceof SsdPruneError)) throw error;
    refuse(inKeys(error.message));
    return { share: 0.5 };
  }
}
