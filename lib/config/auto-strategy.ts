import { z } from 'zod';
import { type CutOptions, cutKeys, cutOptions } from './cut-keys';
import { number, optional, text, whole } from './schema-kinds';
import type { StrategyClass } from './strategies';

/** AutoPruneStrategy's options. */
export interface AutoOptions extends Omit<CutOptions, 'allocation'> {
  startEpoch: number;
  endEpoch: number;
  /** Least and greatest share of the work that may be gone. */
  minRatio: number;
  maxRatio: number;
  /** Widths that are tried, one after the other. */
  searchSteps: number;
  annealing: Annealing;
  /** Everything random follows from it. */
  seed: number;
}

/** Simulated annealing, as PaddleSlim's SAController has it. */
export interface Annealing {
  /** What a step leaves of the temperature. */
  reduceRate: number;
  /** At first, in terms of mAP: a network worse by so much is taken with probability 1/e. */
  initTemperature: number;
  /** Changes of a width that are drawn until one fits between the least and the greatest cut. */
  maxIterNumber: number;
}

/** Without a controller: differences of mAP matter from the first step on. */
const ownAnnealing: Annealing = { reduceRate: 0.9, initTemperature: 0.02, maxIterNumber: 300 };

const { allocation: _, ...keysOfCuts } = cutKeys;

const schema = z.strictObject({
  class: z.literal('AutoPruneStrategy').describe('Widths found by simulated annealing, judged by pictures held back'),
  ...keysOfCuts,
  controller: optional(text, { describe: 'Name of the controller that searches', unset: 'annealing that suits mAP' }),
  start_epoch: whole(0).default(0).describe('Epoch, from 0, at whose beginning widths are searched and channels cut'),
  end_epoch: whole(0).default(0).describe('The run lasts at least so many epochs'),
  min_ratio: number.min(0).lt(1).default(0.5).describe('Least share of the work to remove'),
  max_ratio: number.gt(0).lt(1).default(0.7).describe('Greatest share of the work to remove'),
  search_steps: whole(1).default(50).describe('Widths that are tried; nothing is trained between'),
  retrain_epoch: whole(0)
    .default(0)
    .describe("PaddleSlim's epochs of training between trials: 0, more is not supported"),
  seed: whole(0).default(0).describe('Seed of the search'),
});

/** Searches widths, and cuts all selected layers to them once. */
export const autoPruneStrategy: StrategyClass<z.infer<typeof schema>> = {
  schema,
  options: (keys, context): Readonly<AutoOptions> & Record<string, unknown> => {
    const { controller } = context;
    const { allocation: __, ...cut } = cutOptions({ ...keys, allocation: undefined }, context);
    if (keys.retrain_epoch > 0) {
      context.refuse(
        'retrain_epoch',
        'retrain_epoch is not supported: nothing is trained between trials; leave it at 0',
      );
    }
    if (keys.min_ratio >= keys.max_ratio) {
      context.refuse('min_ratio', `min_ratio is ${keys.min_ratio}, and must be below max_ratio, ${keys.max_ratio}`);
    }
    return {
      ...cut,
      ...{ startEpoch: keys.start_epoch, endEpoch: keys.end_epoch, minRatio: keys.min_ratio, maxRatio: keys.max_ratio },
      ...{ searchSteps: keys.search_steps, seed: keys.seed },
      annealing: controller
        ? {
            reduceRate: controller.reduce_rate,
            initTemperature: controller.init_temperature,
            maxIterNumber: controller.max_iter_number,
          }
        : ownAnnealing,
    };
  },
};
