import type { ChannelGroup } from './channel-groups';

/** The widths that a group may get: numbers of members kept, ascending, the last one being all of them. */
export interface WidthGrid {
  readonly group: ChannelGroup;
  readonly steps: readonly number[];
}

export interface GridOptions {
  /** Layer widths are multiples of this where they shrink. Defaults to `8`. */
  align: number;
  /** No layer of the group gets narrower than this. Defaults to `1`. */
  minChannels: number;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/**
 * Multiples of the block below the group's size, and the size itself. A member that stands for several channels of a
 * layer (grouped convolutions) needs a smaller block for the same multiple. Locked members always stay, so do
 * `minChannels` and at least one block.
 */
export function widthGrid(group: ChannelGroup, { align, minChannels }: GridOptions): WidthGrid {
  const size = group.classes.length;
  const perMember = Math.min(...group.layers.map((layer) => layer.channels[0]!.length));
  const block = align / gcd(align, perMember);
  const locked = group.locks.filter(Boolean).length;
  const least = Math.max(block, locked, Math.ceil(minChannels / perMember));
  const steps: number[] = [];
  for (let kept = block; kept < size; kept += block) if (kept >= least) steps.push(kept);
  steps.push(size);
  return { group, steps };
}

/** Position of the step nearest to keeping `1 − ratio` of the group; of two equally near ones the wider. */
export function nearestStep({ group, steps }: WidthGrid, ratio: number): number {
  const ideal = group.classes.length * (1 - ratio);
  let best = steps.length - 1;
  for (let i = steps.length - 2; i >= 0; i--) {
    if (Math.abs(steps[i]! - ideal) < Math.abs(steps[best]! - ideal)) best = i;
  }
  return best;
}
