import { z } from 'zod';
import { leastDelta, ratiosOf } from '../sensitivity/map-sensitivity';
import { type CutOptions, cutKeys, cutOptions } from './cut-keys';
import { mostSteps, number, optional, text, whole } from './schema-kinds';
import type { StrategyClass } from './strategies';

/** SensitivePruneStrategy's options. */
export interface SensitiveOptions extends Omit<CutOptions, 'allocation'> {
  startEpoch: number;
  endEpoch: number;
  /** Share of the work to remove in all. */
  targetRatio: number;
  /** Cuts in all, each of the same share of what is left. */
  steps: number;
  /** Shares of a layer's channels whose loss is measured. */
  ratios: readonly number[];
  /** Where losses are kept, point by point; steps after the first have files of their own, named after their epochs. */
  file: string;
  /** Share of the pictures held back that losses are measured on. */
  evalRate: number;
}

const { allocation: _, ...keysOfCuts } = cutKeys;

const schema = z.strictObject({
  class: z
    .literal('SensitivePruneStrategy')
    .describe('Widths by what mAP each layer costs, measured on the pictures held back'),
  ...keysOfCuts,
  start_epoch: whole(0).default(0).describe('Epoch, from 0, of the first cut'),
  end_epoch: whole(0).default(0).describe('The run lasts at least so many epochs'),
  target_ratio: number.gt(0).lt(1).default(0.5).describe('Share of the work to remove in all'),
  num_steps: whole(1, mostSteps)
    .default(1)
    .describe('Cuts in all; after the first, each comes when mAP held back no longer moves by half a percent'),
  delta_rate: number
    .min(leastDelta)
    .lt(1)
    .default(0.2)
    .describe('Losses are measured at this share of channels, and its multiples below 1'),
  sensitivities_file: text
    .default('./sensitivities.json')
    .describe(
      "Where losses are kept, point by point; PaddleSlim's own file is read, and its points are not measured again",
    ),
  sensitivities: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Nothing: PaddleSlim reads it and uses it nowhere'),
  eval_rate: optional(number.gt(0).max(1), {
    describe: 'Share of the pictures held back that losses are measured on',
    unset: 'all',
  }),
});

/** Cuts layers by what they cost. */
export const sensitivePruneStrategy: StrategyClass<z.infer<typeof schema>> = {
  schema,
  options: (keys, context): Readonly<SensitiveOptions> & Record<string, unknown> => {
    const { allocation: __, ...cut } = cutOptions({ ...keys, allocation: undefined }, context);
    if (cut.criterion === 'obs') {
      context.refuse('pruner', 'losses are measured with a criterion of the weights: obs is not one');
    }
    if (context.paddle1x) context.refuse('class', 'compat: paddle1x knows uniform cuts only: leave one of them off');
    return {
      ...cut,
      ...{ startEpoch: keys.start_epoch, endEpoch: keys.end_epoch, targetRatio: keys.target_ratio },
      ...{ steps: keys.num_steps, ratios: ratiosOf(keys.delta_rate), evalRate: keys.eval_rate ?? 1 },
      file: context.resolve('sensitivities_file', keys.sensitivities_file),
    };
  },
};
