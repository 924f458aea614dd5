import { allocateByError } from '../calibrate/allocation';
import { SsdPruneError } from '../errors';
import type { ChannelGroups } from '../prune/channel-groups';
import type { WidthSearch } from '../prune/ratio-search';
import type { WidthGrid } from '../prune/width-grid';
import type { LossCurve, LossCurves, LossPoint } from './loss-curves';
import { type MeasuredGroup, measuredGroups } from './measured-groups';

/**
 * Widths that reach a target at the least summed loss, by the same dynamic programming over neighbouring widths that
 * spreads reconstruction errors ({@link allocateByError}). PaddleSlim gives all layers one common loss instead. That
 * ignores what a layer's loss buys: a layer that holds a thousandth of the work pays as much as one that holds a fifth.
 * Losses of layers cut alone add up to what they lose together as long as they are small, so their sum is what to keep
 * small, and a price for work decides which layer pays. Whether losses are shares of the whole model's metric or
 * differences from it is the same factor on all layers, which changes no width.
 * @throws {SsdPruneError} ERR_BAD_DATA naming layers without a curve, or with one of other channels
 */
export function lossWidthSearch(groups: ChannelGroups, grids: readonly WidthGrid[], losses: LossCurves): WidthSearch {
  const nameOf = new Map(measuredGroups(groups).map((measured) => [measured.group, measured]));
  const open = grids.filter(({ steps }) => steps.length > 1).map(({ group }) => nameOf.get(group)!);
  const found = open.map((measured) => ({ ...measured, curve: curveOf(measured, losses.curves) }));
  const without = found.flatMap(({ name, curve }) => (curve && curve.points.length > 0 ? [] : [name]));
  if (without.length > 0) {
    throw new SsdPruneError(
      'ERR_BAD_DATA',
      `${losses.source} has no curve for ${without.join(', ')}: measure it with \`sensitivity --data\`, or leave these layers out of --pruned-params.`,
    );
  }
  // All of the metric is gone with the last channel. What that is, a file of differences doesn't say; mAP is at most 1.
  const all = [...losses.curves.values()].flatMap(({ points }) => points.map(({ loss }) => loss));
  const everything = Math.max(1, ...all);
  const curves = found.map(({ name, group, curve }) => {
    checkChannels({ name, group }, curve!, losses.source);
    return { group, errors: lossesByRemovals(curve!.points, group.classes.length, everything) };
  });
  return (cost, target, tolerance) => allocateByError(grids, curves, cost, target, tolerance);
}

/** A group's own curve, or that of one of its layers: PaddleSlim lists all layers that are cut together with the same losses. */
export function curveOf({ name, group }: MeasuredGroup, curves: LossCurves['curves']): LossCurve | undefined {
  const own = curves.get(name);
  if (own) return own;
  const layer = group.layers.find(({ producer }) => curves.has(producer.name));
  return layer && curves.get(layer.producer.name);
}

/** @throws {SsdPruneError} ERR_BAD_DATA for a curve of a layer with another number of channels */
export function checkChannels({ name, group }: MeasuredGroup, { channels }: LossCurve, source: string): void {
  const own = group.classes.length;
  // Channels that can only go together count as one here; PaddleSlim counts all.
  const all = group.layers[0]!.producer.label.length;
  if (channels === undefined || channels === own || channels === all) return;
  throw new SsdPruneError('ERR_BAD_DATA', `${source} says that ${name} has ${channels} channels, but it has ${all}.`);
}

/**
 * What a group loses with 0, 1, … all of its members gone: straight lines through nothing at all, the points made
 * monotone, and everything where no channel is left. A straight line to there keeps widths that nobody measured from
 * looking free. PaddleSlim 1.x fits a cubic instead, which may fall where more channels go.
 */
export function lossesByRemovals(
  points: readonly LossPoint[],
  members: number,
  everything: number,
): Float64Array<ArrayBuffer> {
  const measured = points.filter(({ ratio }) => ratio < 1);
  const values = monotone(measured.map(({ loss }) => loss));
  const knots = [
    { ratio: 0, loss: 0 },
    ...measured.map(({ ratio }, i) => ({ ratio, loss: values[i]! })),
    { ratio: 1, loss: Math.max(everything, values.at(-1) ?? 0) },
  ];
  let right = 1;
  return Float64Array.from({ length: members + 1 }, (_, removed) => {
    const ratio = removed / members;
    while (right < knots.length - 1 && knots[right]!.ratio < ratio) right++;
    const [a, b] = [knots[right - 1]!, knots[right]!];
    return a.loss + ((b.loss - a.loss) * (ratio - a.ratio)) / (b.ratio - a.ratio);
  });
}

/**
 * The values that never fall and never are below 0, nearest in squares: where noise makes a wider layer lose more than
 * a narrower one, both get their mean.
 */
function monotone(values: readonly number[]): number[] {
  const blocks: { sum: number; count: number }[] = [];
  for (const value of values) {
    let block = { sum: value, count: 1 };
    for (let last = blocks.at(-1); last && last.sum / last.count >= block.sum / block.count; last = blocks.at(-1)) {
      blocks.pop();
      block = { sum: last.sum + block.sum, count: last.count + block.count };
    }
    blocks.push(block);
  }
  return blocks.flatMap(({ sum, count }) => new Array<number>(count).fill(Math.max(0, sum / count)));
}
