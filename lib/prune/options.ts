import { types } from 'node:util';
import { invalidArgument, SsdPruneError } from '../errors';
import type { InferOptions } from '../model/shape-inference';
import type { LossCurves } from '../sensitivity/loss-curves';
import type { CountMode } from './cost';

/** How channels are scored; the lowest go. */
export type WeightCriterion = 'l1_norm' | 'l2_norm' | 'geometry_median' | 'bn_scale' | 'random';
/** `obs` scores by what the readers lose on calibration pictures, see lib/calibrate. */
export type PruneCriterion = WeightCriterion | 'obs';
export const pruneCriteria: readonly PruneCriterion[] = [
  'l1_norm',
  'l2_norm',
  'geometry_median',
  'bn_scale',
  'random',
  'obs',
];

/**
 * `error` spreads by what the readers lose on calibration pictures, see lib/calibrate; `sensitivity` by what the model's
 * mAP loses, see lib/sensitivity.
 */
export type Allocation = 'uniform' | 'global' | 'error' | 'sensitivity' | 'ratios';
export const allocations = ['uniform', 'global', 'error', 'sensitivity'] as const;

export interface PruneOptions {
  /** Pattern that selects parameters by their full name, in Python's syntax. */
  prunedParams: string;
  /** Share of the work to remove, between 0 and 1. Needed unless `ratios` are given. */
  targetRatio?: number;
  /** Share of channels to remove by layer name, instead of a target. */
  ratios?: ReadonlyMap<string, number>;
  /** Defaults to `l1_norm`. */
  criterion?: PruneCriterion;
  /** How the cut is spread over layers. Defaults to `uniform`. */
  allocation?: (typeof allocations)[number];
  /** What each layer loses, for the allocation `sensitivity`. */
  sensitivities?: LossCurves;
  /** Layer widths become multiples of this. Defaults to `8`. */
  align?: number;
  /** What the target counts. Defaults to `macs`. */
  count?: CountMode;
  /** How far the cut may pass the target. Defaults to `0.01`. */
  tolerance?: number;
  /** No layer gets narrower than this. Defaults to `1`. */
  minChannels?: number;
  /** Rank on the original weights, or each layer after the earlier cuts, in `order`. Defaults to `frozen`. */
  ranking?: 'frozen' | 'sequential';
  /** Layer names in the order of sequential ranking. Defaults to definition order. */
  order?: readonly string[];
  /** Paddle 1.8.5's search, counter, rounding and ranking, exactly; `ratios` by hand are rounded as it does. */
  paddle1x?: boolean;
  /** Seed of the `random` criterion. Defaults to `0`. */
  seed?: number;
  /** Leave out selected parameters that can't be cut, instead of refusing. */
  skipLocked?: boolean;
  /** Cut layers that share channels with a selected one, too. */
  includeTied?: boolean;
  /** Shapes of graph inputs that the model leaves open. */
  inputShapes?: InferOptions['inputShapes'];
}

/** How far a cut may pass its target where nothing else is said. */
export const defaultTolerance = 0.01;

/** Options with every default filled in. */
export interface PrunePlanOptions {
  criterion: PruneCriterion;
  allocation: Allocation;
  align: number;
  count: CountMode;
  tolerance: number;
  minChannels: number;
  ranking: 'frozen' | 'sequential';
  order: readonly string[] | undefined;
  paddle1x: boolean;
  seed: number;
  sensitivities: LossCurves | undefined;
}

/** Checks that it is said how much is to go. */
export function checkTarget({ targetRatio, ratios }: PruneOptions): void {
  if (ratios && targetRatio !== undefined) {
    throw new SsdPruneError('ERR_USAGE', 'Give a target ratio or ratios by layer, not both.');
  }
  if (!ratios) checkNumber('targetRatio', targetRatio, (value) => value > 0 && value < 1, 'a number between 0 and 1');
}

/** `obs` orders the channels of one layer, each choice after those before it: it has no scores to compare with others'. */
export const globalByObs =
  'The allocation global ranks channels across layers by their weights, and the criterion obs chooses by pictures: name a criterion of the weights (l1_norm, …), or leave the allocation off.';

/** Checks every option but the target and fills in the defaults. */
export function completeOptions(given: PruneOptions): PrunePlanOptions {
  const { ratios, paddle1x = false } = given;
  if (ratios && !types.isMap(ratios)) throw invalidArgument('ratios', 'a Map of shares by layer name', ratios);
  if (ratios?.size === 0) throw invalidArgument('ratios', 'at least one NAME=RATIO', '');
  if (ratios && given.allocation !== undefined) {
    throw new SsdPruneError(
      'ERR_USAGE',
      'Ratios by layer leave nothing to allocate: leave --allocation or --ratios off.',
    );
  }
  for (const [name, ratio] of ratios ?? []) {
    checkNumber(`ratios of ${name}`, ratio, (value) => value >= 0 && value <= 1, 'a number from 0 to 1');
  }
  const options: PrunePlanOptions = {
    criterion: given.criterion ?? 'l1_norm',
    allocation: ratios ? 'ratios' : (given.allocation ?? 'uniform'),
    align: given.align ?? (paddle1x ? 1 : 8),
    count: given.count ?? (paddle1x ? 'paddle1x' : 'macs'),
    tolerance: given.tolerance ?? defaultTolerance,
    minChannels: given.minChannels ?? 1,
    ranking: given.ranking ?? (paddle1x ? 'sequential' : 'frozen'),
    order: given.order,
    paddle1x,
    seed: given.seed ?? 0,
    sensitivities: given.sensitivities,
  };
  const whole = (value: number) => Number.isSafeInteger(value) && value >= 1;
  checkNumber('align', options.align, whole, 'a whole number from 1');
  checkNumber('minChannels', options.minChannels, whole, 'a whole number from 1');
  checkNumber('tolerance', options.tolerance, (value) => value >= 0 && value < 1, 'a number from 0 to below 1');
  checkNumber('seed', options.seed, Number.isSafeInteger, 'a whole number');
  checkOneOf('criterion', options.criterion, pruneCriteria);
  checkOneOf('allocation', options.allocation, [...allocations, 'ratios']);
  checkOneOf('count', options.count, ['macs', 'paddle1x']);
  checkOneOf('ranking', options.ranking, ['frozen', 'sequential']);
  if (paddle1x) {
    const fixed = [
      [options.criterion === 'l1_norm', 'criterion l1_norm'],
      [options.allocation === 'uniform' || options.allocation === 'ratios', 'uniform allocation'],
      [options.align === 1, 'align 1'],
      [options.count === 'paddle1x', 'count paddle1x'],
      [options.tolerance === defaultTolerance, `tolerance ${defaultTolerance}`],
      [options.minChannels === 1, 'min-channels 1'],
    ] as const;
    for (const [kept, what] of fixed) {
      if (!kept)
        throw new SsdPruneError('ERR_USAGE', `Paddle 1.x knows only ${what}: leave the option or --paddle1x off.`);
    }
  }
  if (options.allocation === 'global' && options.criterion === 'obs') throw new SsdPruneError('ERR_USAGE', globalByObs);
  if ((options.allocation === 'sensitivity') !== (options.sensitivities !== undefined)) {
    throw new SsdPruneError(
      'ERR_USAGE',
      'The allocation sensitivity goes by what layers lose: name the file that says it (--sensitivities FILE), and no file without --allocation sensitivity.',
    );
  }
  if (given.order && options.ranking === 'frozen') {
    throw new SsdPruneError('ERR_USAGE', 'An order matters for sequential ranking only: add --ranking sequential.');
  }
  return options;
}

function checkNumber(name: string, value: unknown, valid: (value: number) => boolean, expected: string): void {
  if (typeof value !== 'number' || !valid(value)) throw invalidArgument(name, expected, value);
}

function checkOneOf(name: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value)) throw invalidArgument(name, `one of ${choices.join(', ')}`, value);
}
