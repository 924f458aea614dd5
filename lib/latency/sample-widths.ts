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
      const level = columns[colours.get(group.id)!]!(first, second);
      kept[group.id] = steps[Math.round((level * (steps.length - 1)) / (levels - 1))]!;
    }
    return kept;
  });
  return [...new Map(samples.map((kept) => [kept.join(), kept])).values()];
}

/** Columns of the array: for a prime any two of them pair all their values. */
const columns: readonly ((first: number, second: number) => number)[] = [
  (first) => first,
  ...Array.from({ length: levels }, (_, times) => (first: number, second: number) => (second + times * first) % levels),
];

/** A column for each group: another than those of the groups that it meets, most of all where they meet alone. */
function colour(ids: readonly number[], meetings: readonly (readonly number[])[]): Map<number, number> {
  const colours = new Map<number, number>();
  for (const id of ids) {
    const clashes = columns.map(() => 0);
    for (const groups of meetings) {
      if (!groups.includes(id)) continue;
      for (const other of groups) {
        const column = colours.get(other);
        if (column !== undefined) clashes[column]! += 1 / groups.length ** 2;
      }
    }
    colours.set(id, clashes.indexOf(Math.min(...clashes)));
  }
  return colours;
}
