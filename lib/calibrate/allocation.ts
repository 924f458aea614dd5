import type { ChannelGroup } from '../prune/channel-groups';
import type { CostModel } from '../prune/cost';
import { type SearchPath, type SearchResult, searchAlong } from '../prune/ratio-search';
import type { WidthGrid } from '../prune/width-grid';
import type { ErrorCurve } from './reconstruction';

/** What a group's readers lose as it gets narrower, each group cut alone in the original. */
export interface GroupCurve extends ErrorCurve {
  readonly group: ChannelGroup;
}

/**
 * Widths that reach the target at the least summed error: from all channels on, always the block goes whose loss costs
 * least error a multiply-accumulate saved, both counted at the widths reached so far. Then blocks are exchanged between
 * layers as long as the error falls.
 * @throws {SsdPruneError} ERR_TARGET_UNREACHABLE, see {@link searchAlong}
 */
export function allocateByError(
  grids: readonly WidthGrid[],
  curves: readonly GroupCurve[],
  cost: CostModel,
  target: number,
  tolerance: number,
): SearchResult {
  const errors = grids.map(({ group, steps }) => {
    const curve = curves.find((other) => other.group === group);
    // A group without a curve (its readers can't be sampled) is left for last.
    return steps.map((kept) => curve?.errors[group.classes.length - kept] ?? (group.classes.length - kept) * 1e6);
  });
  const widths = new Widths(grids, errors, cost);
  const found = searchAlong(widths.path(), grids, cost, target, tolerance);
  return widths.exchange(found, target, target + tolerance);
}

class Widths {
  private readonly kept: number[];
  private readonly whole: number;

  constructor(
    private readonly grids: readonly WidthGrid[],
    /** By grid and step. */
    private readonly errors: readonly (readonly number[])[],
    private readonly cost: CostModel,
  ) {
    this.kept = cost.whole();
    this.whole = cost.total(this.kept);
  }

  path(): SearchPath {
    const at = this.grids.map(({ steps }) => steps.length - 1);
    const moves: number[] = [];
    for (;;) {
      let best: { grid: number; price: number } | undefined;
      const work = this.work(at);
      for (let grid = 0; grid < at.length; grid++) {
        if (at[grid] === 0) continue;
        const lost = this.errors[grid]![at[grid]! - 1]! - this.errors[grid]![at[grid]!]!;
        at[grid]!--;
        const price = lost / (work - this.work(at));
        at[grid]!++;
        if (!best || price < best.price) best = { grid, price };
      }
      if (!best) break;
      at[best.grid]!--;
      moves.push(best.grid);
    }
    const positionsAt = (i: number): number[] => {
      const positions = this.grids.map(({ steps }) => steps.length - 1);
      for (const grid of moves.slice(0, i)) positions[grid]!--;
      return positions;
    };
    const members = this.grids.reduce((sum, { group }) => sum + group.classes.length, 0);
    const keptAt = (positions: readonly number[]): number =>
      this.grids.reduce((sum, { steps }, grid) => sum + steps[positions[grid]!]!, 0);
    return { length: moves.length + 1, at: positionsAt, ratioAt: (i) => 1 - keptAt(positionsAt(i)) / members };
  }

  /** Widens one layer and narrows another, up to two blocks each, as long as the cut stays in its window. */
  exchange(found: SearchResult, least: number, most: number): SearchResult {
    const at = this.grids.map(({ group, steps }) => steps.indexOf(found.kept[group.id]!));
    const error = (grid: number, step: number): number => this.errors[grid]![step] ?? Number.POSITIVE_INFINITY;
    for (let improved = true; improved; ) {
      improved = false;
      for (let wide = 0; wide < at.length; wide++) {
        for (let narrow = 0; narrow < at.length; narrow++) {
          for (const [up, down] of exchanges) {
            const [from, to] = [at[wide]!, at[narrow]!];
            if (wide === narrow || from + up >= this.errors[wide]!.length || to < down) continue;
            const gain = error(wide, from) - error(wide, from + up) + error(narrow, to) - error(narrow, to - down);
            if (!(gain > 1e-9)) continue;
            at[wide] = from + up;
            at[narrow] = to - down;
            const cut = 1 - this.work(at) / this.whole;
            if (cut >= least && cut <= most) improved = true;
            else [at[wide], at[narrow]] = [from, to];
          }
        }
      }
    }
    const kept = [...found.kept];
    this.grids.forEach(({ group, steps }, grid) => {
      kept[group.id] = steps[at[grid]!]!;
    });
    return { ...found, kept, cut: this.cost.cut(kept) };
  }

  private work(positions: readonly number[]): number {
    this.grids.forEach(({ group, steps }, grid) => {
      this.kept[group.id] = steps[positions[grid]!]!;
    });
    return this.cost.total(this.kept);
  }
}

/** Blocks that one layer gains and another loses. */
const exchanges: readonly (readonly [number, number])[] = [
  [1, 1],
  [1, 2],
  [2, 1],
];
