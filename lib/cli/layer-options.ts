import { parseInputShapes } from '../model/input-shapes';
import type { PruneOptions } from '../prune/options';

/** The options of `prune` and `sensitivity` that say which layers are meant, and which widths they may get. */
export interface LayerArguments {
  prunedParams: string;
  align?: number;
  count?: PruneOptions['count'];
  tolerance?: number;
  minChannels: number;
  skipLocked: boolean;
  includeTied: boolean;
  inputShape: string[];
}

export const selectionOptions = {
  'pruned-params': {
    type: 'string',
    demandOption: true,
    describe: 'Parameters to cut: a regular expression that must match the full name; names joined by | are safest',
  },
} as const;

export const widthOptions = {
  count: { choices: ['macs', 'paddle1x'] as const, describe: 'What the target counts  [default: "macs"]' },
  tolerance: { type: 'number', default: 0.01, describe: 'How far the cut may pass the target' },
  'min-channels': { type: 'number', default: 1, describe: 'No layer gets narrower than this' },
} as const;

export const lockOptions = {
  'skip-locked': {
    type: 'boolean',
    default: false,
    describe: 'Leave selected parameters that can’t be cut as they are',
  },
  'include-tied': {
    type: 'boolean',
    default: false,
    describe: 'Cut layers that share channels with selected ones, too',
  },
  'input-shape': {
    type: 'string',
    array: true,
    default: [] as string[],
    describe: 'NAME=1,3,300,300 where the model leaves it open',
  },
} as const;

/** The arguments as the library takes them. */
export function layerOptions(args: LayerArguments) {
  return {
    prunedParams: args.prunedParams,
    minChannels: args.minChannels,
    skipLocked: args.skipLocked,
    includeTied: args.includeTied,
    ...(args.align !== undefined && { align: args.align }),
    ...(args.tolerance !== undefined && { tolerance: args.tolerance }),
    ...(args.count !== undefined && { count: args.count }),
    ...(args.inputShape.length > 0 && { inputShapes: parseInputShapes(args.inputShape) }),
  } satisfies PruneOptions;
}
