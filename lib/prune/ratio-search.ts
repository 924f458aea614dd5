import { SsdPruneError } from '../errors';
import { percent } from '../percent';
import type { CostModel, WidthCost } from './cost';
import { nearestStep, type WidthGrid } from './width-grid';

/** One point that a search looked at. */
export interface Trial {
  readonly ratio: number;
  readonly cut: number;
}

export interface SearchResult {
  /** Members kept in each group, by group id. */
  readonly kept: number[];
  readonly cut: number;
  readonly ratio: number;
  readonly trials: Trial[];
}

/** Finds widths that bring a cost down by a share from `target` to `target + tolerance`. */
export type WidthSearch = (cost: WidthCost, target: number, tolerance: number) => SearchResult;

/** Points from nothing cut to everything cut, in order of growing cut: one position in the grid a layer. */
export interface SearchPath {
  readonly length: number;
  /** Positions in each grid's steps at place `i`. */
  at(i: number): number[];
  /** What to call the point: its uniform ratio, or the share of channels removed. */
  ratioAt(i: number): number;
}

/** Moves of single layers that are tried together, all combinations. */
const maxMoves = 3;
/** Points that one stage of the search looks at; a stage that needs more is left out or cut short. */
const maxEvaluations = 100_000;

/**
 * Finds widths on the grid whose cut lies in [target, target + tolerance]: first along the path, then by moving
 * single layers one block off the two points of the path around the target (fewest moves first, then the smallest
 * cut), then on the way from one of these points to the other, layer by layer, at last anywhere on the grid. Always
 * ends.
 * @throws {SsdPruneError} ERR_TARGET_UNREACHABLE with the largest reachable cut, or the two cuts nearest the target.
 */
export function searchAlong(
  path: SearchPath,
  grids: readonly WidthGrid[],
  cost: Pick<WidthCost, 'whole' | 'total'>,
  target: number,
  tolerance: number,
): SearchResult {
  const trials: Trial[] = [];
  const kept = cost.whole();
  const evaluate = cutsOf(grids, cost, kept);
  const largest = evaluate(grids.map(() => 0));
  if (largest < target) {
    throw new SsdPruneError(
      'ERR_TARGET_UNREACHABLE',
      `A cut of ${percent(target)} is out of reach: the selected layers can lose ${percent(largest)} at most, at the narrowest widths allowed. Select more layers, or lower --target-ratio, --align or --min-channels.`,
    );
  }
  const cutAt = (i: number): number => {
    const cut = evaluate(path.at(i));
    trials.push({ ratio: path.ratioAt(i), cut });
    return cut;
  };
  const high = firstReaching(path, cutAt, target);
  const near = new Neighbourhood(grids, evaluate, target, tolerance);
  near.visit(path.at(high), 0);
  const [above, below] = [path.at(high), path.at(Math.max(0, high - 1))];
  if (!near.found) near.moves([above, below]);
  if (!near.found) near.between(below, above);
  if (!near.found) near.everywhere(above);
  if (!near.found) {
    const [from, to, ...nearest] = percents([target, target + tolerance, ...near.nearest()]);
    throw new SsdPruneError(
      'ERR_TARGET_UNREACHABLE',
      `No widths on the grid cut between ${from} and ${to}. The nearest cuts are ${nearest.join(' and ')}: ask for one of these, or lower --align.`,
    );
  }
  const cut = evaluate(near.found.positions);
  const ratio = path.ratioAt(high);
  trials.push({ ratio, cut });
  return { kept: [...kept], cut, ratio, trials };
}

/**
 * What is cut where layers stand at positions of their grids, as a share of all.
 * @param kept receives the members kept, by group id
 */
export function cutsOf(
  grids: readonly WidthGrid[],
  cost: Pick<WidthCost, 'whole' | 'total'>,
  kept = cost.whole(),
): (positions: readonly number[]) => number {
  const whole = cost.total(cost.whole());
  return (positions) => {
    grids.forEach(({ group, steps }, i) => {
      kept[group.id] = steps[positions[i]!]!;
    });
    return 1 - cost.total(kept) / whole;
  };
}

/** The first place of a path whose cut reaches the target; the last one where none does. */
export function firstReaching({ length }: SearchPath, cutAt: (i: number) => number, target: number): number {
  let [low, high] = [0, length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cutAt(middle) >= target) high = middle;
    else low = middle + 1;
  }
  return high;
}

/** With so many digits that different shares look different. */
function percents(shares: readonly number[]): string[] {
  const different = new Set(shares).size;
  for (let digits = 2; ; digits++) {
    const shown = shares.map((share) => percent(share, digits));
    if (digits === 12 || new Set(shown).size >= different) return shown;
  }
}

/** Points around the path, and the best of them. */
class Neighbourhood {
  found: { positions: number[]; moves: number; cut: number } | undefined;
  private below = -1;
  private above = Number.POSITIVE_INFINITY;
  private evaluations = 0;

  constructor(
    private readonly grids: readonly WidthGrid[],
    private readonly evaluate: (positions: readonly number[]) => number,
    private readonly target: number,
    private readonly tolerance: number,
  ) {}

  /** The cuts nearest the target on both sides. */
  nearest(): number[] {
    return [this.below, this.above].filter((cut) => cut >= 0 && Number.isFinite(cut));
  }

  /** Looks at one point; fewer moves win, then the smaller cut. */
  visit(positions: readonly number[], moves: number): number {
    this.evaluations++;
    const cut = this.evaluate(positions);
    if (cut < this.target) this.below = Math.max(this.below, cut);
    else if (cut > this.target + this.tolerance) this.above = Math.min(this.above, cut);
    else if (!this.found || moves < this.found.moves || (moves === this.found.moves && cut < this.found.cut)) {
      this.found = { positions: [...positions], moves, cut };
    }
    return cut;
  }

  /** All combinations of up to {@link maxMoves} layers one block off the given points. */
  moves(bases: readonly number[][]): void {
    let points = bases.length;
    for (let count = 1; count <= maxMoves && !this.found; count++) {
      // Ways to choose `count` layers, each one block up or down.
      points *= (2 * (this.grids.length - count + 1)) / count;
      if (points > maxEvaluations) return;
      for (const base of bases) this.combine([...base], 0, count, count);
    }
  }

  /** From one point of the path to the other, a layer at a time: many layers of one width change at the same ratio. */
  between(below: readonly number[], above: readonly number[]): void {
    const differing = below.flatMap((place, i) => (place === above[i] ? [] : i));
    for (const order of [differing, differing.toReversed()]) {
      const positions = [...below];
      order.forEach((i, done) => {
        positions[i] = above[i]!;
        this.visit(positions, Math.min(done + 1, order.length - done - 1));
      });
    }
  }

  private combine(positions: number[], from: number, left: number, moves: number): void {
    if (left === 0) {
      this.visit(positions, moves);
      return;
    }
    for (let i = from; i <= this.grids.length - left; i++) {
      const home = positions[i]!;
      for (const place of [home - 1, home + 1]) {
        if (place < 0 || place >= this.grids[i]!.steps.length) continue;
        positions[i] = place;
        this.combine(positions, i + 1, left - 1, moves);
      }
      positions[i] = home;
    }
  }

  /** The whole grid where it is small, else a descent from the path towards the window, one block at a time. */
  everywhere(start: readonly number[]): void {
    const points = this.grids.reduce((count, { steps }) => Math.min(count * steps.length, maxEvaluations + 1), 1);
    if (points <= maxEvaluations) {
      this.enumerate([...start], start, 0);
      return;
    }
    this.evaluations = 0;
    const middle = this.target + this.tolerance / 2;
    const positions = [...start];
    let distance = Math.abs(this.visit(positions, 0) - middle);
    for (let moved = true; moved && !this.found && this.evaluations < maxEvaluations; ) {
      moved = false;
      let best: { i: number; place: number; distance: number } | undefined;
      for (let i = 0; i < positions.length; i++) {
        const home = positions[i]!;
        for (const place of [home - 1, home + 1]) {
          if (place < 0 || place >= this.grids[i]!.steps.length) continue;
          positions[i] = place;
          const away = Math.abs(this.visit(positions, maxMoves + 1) - middle);
          if (away < (best?.distance ?? distance)) best = { i, place, distance: away };
        }
        positions[i] = home;
      }
      if (best) {
        positions[best.i] = best.place;
        distance = best.distance;
        moved = true;
      }
    }
  }

  private enumerate(positions: number[], start: readonly number[], i: number): void {
    if (i === positions.length) {
      this.visit(
        positions,
        positions.reduce((sum, place, j) => sum + Math.abs(place - start[j]!), 0),
      );
      return;
    }
    for (let place = 0; place < this.grids[i]!.steps.length; place++) {
      positions[i] = place;
      this.enumerate(positions, start, i + 1);
    }
  }
}

/** The same ratio for every layer: one place for each ratio at which some layer's nearest width changes. */
export function uniformPath(grids: readonly WidthGrid[]): SearchPath {
  const changes = new Set<number>([0]);
  for (const { group, steps } of grids) {
    for (let i = 1; i < steps.length; i++) {
      // Just past the middle between two widths the narrower one is nearer.
      changes.add(1 - (steps[i]! + steps[i - 1]!) / 2 / group.classes.length + 1e-9);
    }
  }
  const ratios = [...changes].sort((a, b) => a - b);
  return {
    length: ratios.length,
    at: (i) => grids.map((grid) => nearestStep(grid, ratios[i]!)),
    ratioAt: (i) => ratios[i]!,
  };
}

/**
 * Channels of all layers ranked against each other: scores are divided by their layer's mean, the lowest go first.
 * Place `i` of the path has `i` channels ranked for removal, each layer then taking the nearest width of its grid.
 */
export function globalPath(grids: readonly WidthGrid[], scores: readonly Float64Array[]): SearchPath {
  const ranked = grids.flatMap(({ group }, unit) => {
    const own = scores[unit]!;
    const mean = own.reduce((a, b) => a + b, 0) / own.length || 1;
    return Array.from(own, (score, member) => ({ unit, score: score / mean, locked: group.locks[member] }));
  });
  const order = ranked.filter(({ locked }) => !locked).sort((a, b) => a.score - b.score || a.unit - b.unit);
  // The first channels to go never take a layer below its narrowest width.
  const counts = grids.map(() => 0);
  const removable = order.filter(({ unit }) => {
    const { group, steps } = grids[unit]!;
    return ++counts[unit]! <= group.classes.length - steps[0]!;
  });
  return {
    length: removable.length + 1,
    at(i) {
      const removed = grids.map(() => 0);
      for (const { unit } of removable.slice(0, i)) removed[unit]!++;
      return grids.map((grid, unit) => nearestStep(grid, removed[unit]! / grid.group.classes.length));
    },
    ratioAt: (i) => i / Math.max(1, ranked.length),
  };
}

/**
 * Paddle 1.8.5's search: bisection of one ratio from (0, 1), accepted as soon as the cut is within `tolerance` of the
 * target. Where the original would never end, or would empty a layer, this stops.
 * @param keptAt members kept at a ratio, by group id: size − round(size · ratio), half to even.
 */
export function paddleBisection(
  keptAt: (ratio: number) => number[],
  cost: CostModel,
  target: number,
  tolerance: number,
): SearchResult {
  const trials: Trial[] = [];
  let [low, high] = [0, 1];
  for (;;) {
    const ratio = (low + high) / 2;
    if (ratio === low || ratio === high) {
      const largest = cost.cut(keptAt(1));
      throw new SsdPruneError(
        'ERR_TARGET_UNREACHABLE',
        `Paddle's bisection never comes within ${percent(tolerance)} of ${percent(target)} (${trials.length} trials; with every selected channel gone the cut would be ${percent(largest)}). Choose a target between the cuts of the trials, or leave --paddle1x off.`,
      );
    }
    const kept = keptAt(ratio);
    const cut = cost.cut(kept);
    trials.push({ ratio, cut });
    if (Math.abs(cut - target) < tolerance) return { kept, cut, ratio, trials };
    if (cut > target) high = ratio;
    else low = ratio;
  }
}

/** Python 3's round(): halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
