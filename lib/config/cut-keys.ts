import { z } from 'zod';
import { type Repair, repairs } from '../calibrate/repair';
import { SsdPruneError } from '../errors';
import type { CountMode } from '../prune/cost';
import { globalByObs, type PruneCriterion } from '../prune/options';
import { compilePattern } from '../prune/select';
import { criteriaOf } from './pruners';
import { fraction, optional, text, whole } from './schema-kinds';
import type { StrategyContext } from './strategies';

/** What every pruning strategy says of its cuts; from the pruner it names and its own keys. */
export interface CutOptions {
  prunedParams: string;
  /** Of the pruner. Defaults to l1_norm. */
  criterion: PruneCriterion;
  /** Defaults to none; full for criterion obs. */
  repair: Repair;
  /** Defaults to error for criterion obs, else to uniform. */
  allocation: 'uniform' | 'global' | 'error';
  align?: number;
  count?: CountMode;
  tolerance?: number;
  minChannels?: number;
  skipLocked: boolean;
  includeTied: boolean;
}

/** Keys of every strategy that cuts channels. */
export const cutKeys = {
  pruner: optional(text, { describe: 'Name of the pruner that ranks channels', unset: 'by l1_norm' }),
  pruned_params: text
    .default('conv.*_weights')
    .describe('Parameters to cut: a regular expression that must match the full name; names joined by | are safest'),
  metric_name: text
    .optional()
    .describe("PaddleSlim's name of what is measured; ssd-prune measures mAP, whatever it is"),
  repair: optional(z.enum(repairs as [Repair, ...Repair[]]), {
    describe:
      'What is refitted after a cut with the calibration pictures: nothing, biases, the layers that read cut channels, or all behind too',
    unset: 'none; full for criterion obs',
  }),
  allocation: optional(z.enum(['uniform', 'global', 'error']), {
    describe: 'Same ratio everywhere, rank across layers, or least error on the calibration pictures',
    unset: 'uniform; error for criterion obs',
  }),
  align: optional(whole(1), { describe: 'Widths become multiples of this', unset: '8; 1 with compat: paddle1x' }),
  count: optional(z.enum(['macs', 'paddle1x']), {
    describe: 'What the target counts',
    unset: 'macs; paddle1x with compat: paddle1x',
  }),
  tolerance: optional(fraction, { describe: 'How far the cut may pass the target', unset: '0.01' }),
  min_channels: optional(whole(1), { describe: 'No layer gets narrower than this', unset: '1' }),
  skip_locked: z.boolean().default(false).describe('Leave selected parameters that can’t be cut as they are'),
  include_tied: z.boolean().default(false).describe('Cut layers that share channels with selected ones, too'),
};

const cutSchema = z.strictObject(cutKeys);
export type CutKeys = z.infer<typeof cutSchema>;

/** The only values of these keys that PaddleSlim 1.x knows. */
const paddleValues = {
  allocation: 'uniform',
  repair: 'none',
  align: 1,
  count: 'paddle1x',
  tolerance: 0.01,
  min_channels: 1,
};

/** Checks what no schema says, and turns the keys into options. */
export function cutOptions(keys: CutKeys, { pruner, paddle1x, refuse, warn }: StrategyContext): CutOptions {
  try {
    compilePattern(keys.pruned_params);
  } catch (error) {
    if (!(error instanceof SsdPruneError)) throw error;
    refuse('pruned_params', error.message);
  }
  const criterion = pruner ? criteriaOf(pruner)[0]! : 'l1_norm';
  if (keys.metric_name !== undefined && keys.metric_name.toLowerCase() !== 'map') {
    warn('metric_name', `${keys.metric_name} is not measured here: mAP takes its place`);
  }
  if (paddle1x) {
    for (const [key, value] of Object.entries(paddleValues)) {
      const given = keys[key as keyof typeof paddleValues];
      if (given !== undefined && given !== value) {
        refuse(key, `compat: paddle1x knows only ${key}: ${value}, since PaddleSlim 1.x does; leave one of them off`);
      }
    }
    if (criterion !== 'l1_norm') {
      refuse(
        'pruner',
        `compat: paddle1x knows only criterion l1_norm, since PaddleSlim 1.x does, and this pruner has ${criterion}`,
      );
    }
  }
  const byPictures = criterion === 'obs';
  if (byPictures && keys.allocation === 'global') refuse('allocation', globalByObs);
  return {
    prunedParams: keys.pruned_params,
    criterion,
    repair: keys.repair ?? (byPictures ? 'full' : 'none'),
    allocation: keys.allocation ?? (byPictures ? 'error' : 'uniform'),
    ...(keys.align !== undefined && { align: keys.align }),
    ...(keys.count !== undefined && { count: keys.count }),
    ...(keys.tolerance !== undefined && { tolerance: keys.tolerance }),
    ...(keys.min_channels !== undefined && { minChannels: keys.min_channels }),
    skipLocked: keys.skip_locked,
    includeTied: keys.include_tied,
  };
}
