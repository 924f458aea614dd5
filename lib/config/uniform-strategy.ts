import { z } from 'zod';
import { type CutOptions, cutKeys, cutOptions } from './cut-keys';
import { number, whole } from './schema-kinds';
import type { StrategyClass } from './strategies';

/** UniformPruneStrategy's options: one cut. */
export interface UniformOptions extends CutOptions {
  startEpoch: number;
  endEpoch: number;
  targetRatio: number;
}

const schema = z.strictObject({
  class: z.literal('UniformPruneStrategy').describe('One cut of all selected layers, to a target'),
  ...cutKeys,
  start_epoch: whole(0).default(0).describe('Epoch, from 0, at whose beginning channels are cut'),
  end_epoch: whole(0).default(0).describe('The run lasts at least so many epochs'),
  target_ratio: number
    .gt(0)
    .lt(1)
    .default(0.5)
    .describe('Share of the work to remove, of what the model has at that moment'),
});

/** Cuts all selected layers once, at the beginning of an epoch. */
export const uniformPruneStrategy: StrategyClass<z.infer<typeof schema>> = {
  schema,
  options: (keys, context): Readonly<UniformOptions> & Record<string, unknown> => ({
    ...cutOptions(keys, context),
    startEpoch: keys.start_epoch,
    endEpoch: keys.end_epoch,
    targetRatio: keys.target_ratio,
  }),
};
