import type { ChannelGroup } from '../prune/channel-groups';
import type { CostFactor, WidthCost } from '../prune/cost';
import {
  cutsOf,
  firstReaching,
  type SearchPath,
  type SearchResult,
  searchAlong,
  uniformPath,
} from '../prune/ratio-search';
import type { WidthGrid } from '../prune/width-grid';
import type { ErrorCurve } from './reconstruction';
import { type Table, WidthProgram } from './width-program';

/** What is lost as a group gets narrower, each group cut alone in the original. */
export interface WidthCurve extends Pick<ErrorCurve, 'errors'> {
  readonly group: ChannelGroup;
  /** Whether the curve leaves out some of what is lost. */
  readonly partial?: boolean;
}

/** What a group's readers lose; `partial` where there are others, which can't be refitted. */
export interface GroupCurve extends WidthCurve, ErrorCurve {
  /** Layers that read the group's channels. */
  readonly readers: readonly string[];
}

/** Whether curves say anything of widths: they do where at least one group's readers were all measured. */
export const sayWidths = (curves: readonly WidthCurve[]): boolean => curves.some(({ partial }) => !partial);

/**
 * Widths that reach the target at the least summed error; the same ratio everywhere where no curve {@link sayWidths says
 * widths}. Groups without a curve of all of their readers are taken for what is neither chosen nor mended by pictures, see
 * {@link blindError}. Dynamic programming over neighbouring widths gives the least
 * error + price · cost for any price, and the price is bisected until the cut meets the target. Only widths on the
 * convex hull of error and cost have a price; on the way from there to the target blocks are exchanged between layers as
 * long as the error falls.
 * @param cost multiply-accumulates, or any other cost of widths
 * @throws {SsdPruneError} ERR_TARGET_UNREACHABLE, see {@link searchAlong}
 */
export function allocateByError(
  grids: readonly WidthGrid[],
  curves: readonly WidthCurve[],
  cost: WidthCost,
  target: number,
  tolerance: number,
): SearchResult {
  if (!sayWidths(curves)) return searchAlong(uniformPath(grids), grids, cost, target, tolerance);
  const even = evenWidths(grids, cost, target);
  const errors = grids.map(({ group, steps }, grid) => {
    const curve = curves.find((other) => other.group === group && !other.partial);
    const members = group.classes.length;
    const blind = (kept: number) => blindError(1 - kept / members, 1 - even[grid]! / members);
    return steps.map((kept) => curve?.errors[members - kept] ?? blind(kept));
  });
  const widths = new Widths(grids, errors, cost);
  const found = searchAlong(widths.path(target), grids, cost, target, tolerance);
  return widths.exchange(found, target, target + tolerance);
}

/**
 * Error of a group without a curve, in shares of variance as curves have it, by the share of its channels that is gone.
 * Nothing makes up for them, and each carries as much as the others: about that share of what its readers make goes with
 * them. That alone is a straight line, on which one group's last channel is as cheap as its first and a single one would
 * take all. Nothing says that it can take more than an even spread asks of it, so beyond that a tenth more of its channels
 * costs ten times what a reader has.
 */
const blindError = (gone: number, even: number): number => gone + 1e3 * Math.max(0, gone - even) ** 2;

/** What groups keep where the same ratio of each goes and the cut reaches the target. */
function evenWidths(grids: readonly WidthGrid[], cost: WidthCost, target: number): number[] {
  const path = uniformPath(grids);
  const cut = cutsOf(grids, cost);
  const even = path.at(firstReaching(path, (i) => cut(path.at(i)), target));
  return grids.map(({ steps }, grid) => steps[even[grid]!]!);
}

/** Halvings of the price. */
const bisections = 50;

class Widths {
  private readonly whole: number;
  /** At positions of the grids, as a share of all. */
  private readonly cutAt: (positions: readonly number[]) => number;

  constructor(
    private readonly grids: readonly WidthGrid[],
    /** By grid and step. */
    private readonly errors: readonly (readonly number[])[],
    private readonly cost: WidthCost,
  ) {
    this.whole = cost.total(cost.whole());
    this.cutAt = cutsOf(grids, cost);
  }

  /** All channels, the last widths with a price that miss the target, the first that reach it, the narrowest. */
  path(target: number): SearchPath {
    const [widest, narrowest] = [this.grids.map(({ steps }) => steps.length - 1), this.grids.map(() => 0)];
    const own = this.errors.map((errors, grid): Table => ({ variables: [grid], values: Float64Array.from(errors) }));
    const costs = this.costTables();
    const program = new WidthProgram(
      this.grids.map(({ steps }) => steps.length),
      [...own, ...costs].map(({ variables }) => variables),
    );
    const atPrice = (price: number, start: readonly number[]): number[] => {
      const priced = costs.map(({ values }) => values.map((value) => price * value));
      return program.solve([...own.map(({ values }) => values), ...priced], start);
    };
    let [below, above] = [widest, narrowest];
    // Shares of the whole cost against shares of variance: prices around 1 are the usual ones.
    let [low, high] = [1e-9, 1e9];
    for (let i = 0; i < bisections; i++) {
      const price = Math.sqrt(low * high);
      const found = atPrice(price, below);
      if (this.cutAt(found) >= target) [high, above] = [price, found];
      else [low, below] = [price, found];
    }
    const places = [widest, below, above, narrowest];
    const members = this.grids.reduce((sum, { group }) => sum + group.classes.length, 0);
    const keptAt = (positions: readonly number[]): number =>
      this.grids.reduce((sum, { steps }, grid) => sum + steps[positions[grid]!]!, 0);
    return { length: places.length, at: (i) => places[i]!, ratioAt: (i) => 1 - keptAt(places[i]!) / members };
  }

  /** Widens a layer, or one and narrows another, up to two blocks each, as long as the cut stays in its window. */
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
            const cut = this.cutAt(at);
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
    return { ...found, kept, cut: 1 - this.cost.total(kept) / this.whole };
  }

  /** What widths cost, in shares of the whole, as functions of the grids' positions. */
  private costTables(): Table[] {
    const gridOf = new Map(this.grids.map(({ group }, grid) => [group.id, grid]));
    const byScope = new Map<string, { variables: number[]; factors: CostFactor[] }>();
    for (const factor of this.cost.factors()) {
      const variables = factor.groups.flatMap((group) => gridOf.get(group) ?? []);
      if (variables.length === 0) continue;
      const scope = byScope.get(variables.join());
      if (scope) scope.factors.push(factor);
      else byScope.set(variables.join(), { variables, factors: [factor] });
    }
    return [...byScope.values()].map(({ variables, factors }) => {
      const kept = this.cost.whole();
      const sizes = variables.map((grid) => this.grids[grid]!.steps.length);
      const values = new Float64Array(sizes.reduce((a, b) => a * b, 1));
      for (let index = 0; index < values.length; index++) {
        let rest = index;
        for (let i = variables.length - 1; i >= 0; i--) {
          const { group, steps } = this.grids[variables[i]!]!;
          kept[group.id] = steps[rest % sizes[i]!]!;
          rest = Math.floor(rest / sizes[i]!);
        }
        for (const factor of factors) values[index]! += factor.cost(kept) / this.whole;
      }
      return { variables, values };
    });
  }
}

/** Blocks that one layer gains and another loses. */
const exchanges: readonly (readonly [number, number])[] = [
  [1, 0],
  [1, 1],
  [1, 2],
  [2, 1],
];
