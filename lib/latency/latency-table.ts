import type { LabelSize } from '../prune/channel-groups';
import type { CostFactor, KeptCounts, WidthCost } from '../prune/cost';
import type { NodeTimes } from './node-times';
import { sizesOf, type TimedNode } from './timed-nodes';
import { type Bilinear, fitBilinear, type SurfacePoint, WidthSurface } from './width-surface';

/** The times of a model's nodes with certain widths. */
export interface WidthSample {
  /** Members kept in each group, by group id. */
  readonly kept: readonly number[];
  readonly times: NodeTimes;
}

/** Blocks of channels that kernels may work in, beside single ones. */
const blocks = [2, 4, 8, 16, 32, 64];
/** What a larger block must take off the squares that are missed before it is believed. */
const clearly = 0.8;

/** Milliseconds of a run as a function of widths: a table a node, from samples that pair the widths of its two sides. */
export class LatencyTable implements WidthCost {
  /** Channels in a block: widths between two multiples cost as much as the larger one. */
  readonly block: number;
  private readonly parts: readonly CostFactor[];
  /** What no width changes. */
  private readonly constant: number;

  constructor(
    private readonly everything: readonly number[],
    nodes: readonly TimedNode[],
    samples: readonly WidthSample[],
  ) {
    const series = nodes.flatMap((node) => {
      const points = samples.flatMap(({ kept, times }): SurfacePoint[] => {
        const milliseconds = times.nodes.get(node.index);
        return milliseconds === undefined ? [] : [{ sizes: sizesOf(node, kept), milliseconds }];
      });
      return points.length === samples.length ? [{ node, points }] : [];
    });
    this.block = findBlock(series.map(({ points }) => points));
    let constant = 0;
    this.parts = series.flatMap(({ node, points }) => {
      const surface = node.axes.every(({ perMember }) => perMember.length <= 1)
        ? WidthSurface.through(points, this.block)
        : undefined;
      if (surface) return [{ groups: node.groups, cost: (kept: KeptCounts) => surface.at(sizesOf(node, kept)) }];
      const { fixed, parts } = bilinearParts(node.axes, fitBilinear(points, 1).coefficients);
      constant += fixed;
      return parts;
    });
    const timed = new Set(series.map(({ node }) => node.index));
    const others = samples.map(({ times }) =>
      [...times.nodes].reduce((sum, [index, time]) => (timed.has(index) ? sum : sum + time), times.rest),
    );
    this.constant = constant + others.reduce((a, b) => a + b, 0) / others.length;
  }

  whole(): number[] {
    return [...this.everything];
  }

  total(kept: KeptCounts): number {
    return this.parts.reduce((sum, part) => sum + part.cost(kept), this.constant);
  }

  factors(): readonly CostFactor[] {
    return this.parts;
  }
}

/** The smallest block with which bilinear functions describe the nodes' times about as well as with any other. */
function findBlock(series: readonly (readonly SurfacePoint[])[]): number {
  const missedBy = (block: number): number =>
    series.reduce((sum, points) => sum + fitBilinear(points, block).missed, 0);
  const squares = series.flat().reduce((sum, { milliseconds }) => sum + milliseconds ** 2, 0);
  let best = { block: 1, missed: missedBy(1) };
  for (const block of blocks) {
    const missed = missedBy(block);
    // What is missed by rounding alone says nothing.
    if (best.missed > 1e-12 * squares && missed < clearly * best.missed) best = { block, missed };
  }
  return best.block;
}

/**
 * c₀ + c₁a + c₂b + c₃ab, where a and b are sums over groups, as parts of one or two groups each: a table over all groups
 * of a long Concat at once would have no end.
 */
function bilinearParts(
  [first, second]: readonly LabelSize[],
  [c0, c1, c2, c3]: Bilinear,
): { fixed: number; parts: CostFactor[] } {
  const none: LabelSize = { fixed: 0, perMember: [] };
  const [a, b] = [first ?? none, second ?? none];
  const single = (size: LabelSize, price: number): CostFactor[] =>
    size.perMember.map(({ group, places }) => ({ groups: [group], cost: (kept) => price * places * kept[group]! }));
  const pairs = a.perMember.flatMap((one): CostFactor[] =>
    b.perMember.map((other) => ({
      groups: [...new Set([one.group, other.group])].sort((x, y) => x - y),
      cost: (kept) => c3 * one.places * kept[one.group]! * other.places * kept[other.group]!,
    })),
  );
  return {
    fixed: c0 + c1 * a.fixed + c2 * b.fixed + c3 * a.fixed * b.fixed,
    parts: [...single(a, c1 + c3 * b.fixed), ...single(b, c2 + c3 * a.fixed), ...pairs],
  };
}
