import { invalidArgument } from '../errors';
import type { NmsOverrides } from '../evaluate/decode';

/** The options of `eval` and `detect` that stand in for the detector's own settings of suppression. */
export interface NmsArguments {
  scoreThreshold?: number;
  nmsThreshold?: number;
  topK?: number;
  keepTopK?: number;
}

export const nmsOptions = {
  'score-threshold': { type: 'number', describe: "Only boxes that score more. Default: the detector's" },
  'nms-threshold': { type: 'number', describe: "Overlap above which the worse box goes. Default: the detector's" },
  'top-k': { type: 'number', describe: "Boxes a class before suppression, -1: all. Default: the detector's" },
  'keep-top-k': { type: 'number', describe: "Boxes a picture, -1: all. Default: the detector's" },
} as const;

/** @throws {SsdPruneError} ERR_USAGE for a threshold outside 0 … 1 or a count that is neither -1 nor positive */
export function nmsOverrides({ scoreThreshold, nmsThreshold, topK, keepTopK }: NmsArguments): NmsOverrides {
  for (const [name, value] of Object.entries({ 'score-threshold': scoreThreshold, 'nms-threshold': nmsThreshold })) {
    if (value !== undefined && !(value >= 0 && value <= 1)) throw invalidArgument(name, 'a number from 0 to 1', value);
  }
  for (const [name, value] of Object.entries({ 'top-k': topK, 'keep-top-k': keepTopK })) {
    const fits = value === undefined || (Number.isInteger(value) && (value === -1 || value > 0));
    if (!fits) throw invalidArgument(name, 'a positive integer, or -1 for all', value);
  }
  return {
    ...(scoreThreshold !== undefined && { scoreThreshold }),
    ...(nmsThreshold !== undefined && { iouThreshold: nmsThreshold }),
    ...(topK !== undefined && { topK }),
    ...(keepTopK !== undefined && { keepTopK }),
  };
}
