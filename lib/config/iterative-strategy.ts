import { z } from 'zod';
import { type CutOptions, cutKeys, cutOptions } from './cut-keys';
import { mostSteps, number, whole } from './schema-kinds';
import type { StrategyClass } from './strategies';

/** IterativePruneStrategy's options. */
export interface IterativeOptions extends CutOptions {
  /** Share of the work to remove in all. */
  targetRatio: number;
  /** Epoch of the first cut. */
  startEpoch: number;
  /** Cuts in all. */
  steps: number;
  /** Epochs from one to the next. */
  every: number;
  /** `exponential`: each takes the same share of what is left; `cosine`: little at first and last, most between. */
  curve: 'exponential' | 'cosine';
  /** One epoch behind the last cut at least. */
  endEpoch: number;
}

const schema = z.strictObject({
  class: z.literal('IterativePruneStrategy').describe('A little every few epochs, up to a target'),
  ...cutKeys,
  start_epoch: whole(0).default(0).describe('Epoch, from 0, of the first cut'),
  num_steps: whole(1, mostSteps).default(4).describe('Cuts in all'),
  every: whole(1).default(1).describe('Epochs from one cut to the next'),
  end_epoch: whole(0)
    .default(0)
    .describe('The run lasts at least so many epochs, and to the end of that of the last cut'),
  target_ratio: number
    .gt(0)
    .lt(1)
    .default(0.5)
    .describe('Share of the work to remove in all, of what the model had before the first cut'),
  curve: z
    .enum(['exponential', 'cosine'])
    .default('exponential')
    .describe('The same share of what is left each time, or little at first and last and most between'),
});

/** Cuts all selected layers a little every few epochs. */
export const iterativePruneStrategy: StrategyClass<z.infer<typeof schema>> = {
  schema,
  options: (keys, context): Readonly<IterativeOptions> & Record<string, unknown> => ({
    ...cutOptions(keys, context),
    ...{ startEpoch: keys.start_epoch, steps: keys.num_steps, every: keys.every, curve: keys.curve },
    targetRatio: keys.target_ratio,
    endEpoch: Math.max(keys.end_epoch, keys.start_epoch + (keys.num_steps - 1) * keys.every + 1),
  }),
};
