import type { TrainResult } from './trainer-events';

/** From this many pictures held back on, the choice of the best weights is taken for granted. */
const enough = 20;

/**
 * That the best weights are chosen by few pictures; undefined where they aren't, and where nothing is held back: no
 * weights are chosen then.
 * @param setting what holds back more of them
 */
export function fewHeldBack(held: number, setting: string): string | undefined {
  if (held === 0 || held >= enough) return undefined;
  const pictures = held === 1 ? '1 picture is' : `${held} pictures are`;
  return `only ${pictures} held back: which weights are the best rests on few pictures, and chance has a part in it; hold back ${enough} or more with a greater ${setting}`;
}

/** How a run calls what its training began with, and what may help it. */
export interface BelowStartWords {
  /** Such as `it began with`. */
  began: string;
  output: string;
  keep: 'best' | 'last';
  advice: string;
}

/** That training made nothing better than what it began with, by the pictures held back; undefined where it did. */
export function belowStart(
  { belowStart, evaluations }: Pick<TrainResult, 'belowStart' | 'evaluations'>,
  { began, output, keep, advice }: BelowStartWords,
): string | undefined {
  if (!belowStart) return undefined;
  const [start, end] = [evaluations[0]!, evaluations.at(-1)!].map(({ map }) => map.toFixed(4));
  const holds = keep === 'best' ? `the weights ${began}` : 'the last ones all the same';
  return `training made nothing better than what ${began}, by the pictures held back (mAP ${start} at the start, ${end} at the end): ${output} holds ${holds}; try ${advice}`;
}
