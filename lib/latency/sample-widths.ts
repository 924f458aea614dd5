import type { KeptCounts } from '../prune/cost';
import type { WidthGrid } from '../prune/width-grid';
import type { TimedNode } from './timed-nodes';

/**
 * Widths of a group that are measured: the narrowest, the middle and all. Node times are bilinear in blocks of channels,
 * so that more foretell no better. A prime, so that {@link sampleWidths} can pair them all.
 */
export const levels = 3;

/**
 * Members to keep in each group, by group id, one list a model to measure. Between them they have all pairs of the
 * levels of any two groups that a node reads and makes: an orthogonal array, of levels² models instead of one a pair
 * and node. Groups that never meet in a node go in step.
 */
export function sampleWidths(grids: readonly WidthGrid[], nodes: readonly TimedNode[], whole: KeptCounts): number[][] {
  const colours = colour(
    grids.map(({ group }) => group.id),
    nodes.map(({ groups }) => groups),
  );
  const samples = Array.from({ length: levels ** 2 }, (_, sample) => {
    const [first, second] = [Math.floor(sample / levels), sample % levels];
    const kept = Array.from(whole);
    for (const { group, steps } of grids) {
      // Column 0 is the second digit; column c ≥ 1 adds the first one c times, which for a prime pairs any two columns.
      const level = (second + colours.get(group.id)! * first) % levels;
      kept[group.id] = steps[Math.round((level * (steps.length - 1)) / (levels - 1))]!;
    }
    return kept;
  });
  return [...new Map(samples.map((kept) => [kept.join(), kept])).values()];
}

/** Numbers from 0 to levels − 1, different for groups that meet in a node as far as that many do. */
function colour(ids: readonly number[], meetings: readonly (readonly number[])[]): Map<number, number> {
  const colours = new Map<number, number>();
  for (const id of ids) {
    const near = meetings.filter((groups) => groups.includes(id)).flat();
    const taken = new Set(near.flatMap((other) => colours.get(other) ?? []));
    let own = 0;
    while (taken.has(own)) own++;
    colours.set(id, own % levels);
  }
  return colours;
}
