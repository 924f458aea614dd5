import type { Label } from '../prune/channel-atoms';
import type { ChannelGroups, LabelSize } from '../prune/channel-groups';
import type { KeptCounts } from '../prune/cost';
import { sizeAt } from '../prune/cost';

/** A node of the graph and the channels that its time hangs on. */
export interface TimedNode {
  /** Position in the graph. */
  readonly index: number;
  readonly weighted: boolean;
  /** Sizes of up to two channel axes: outputs and inputs of a weight, else what is read and made. */
  readonly axes: readonly LabelSize[];
  /** Groups whose widths change any of the axes, ascending. */
  readonly groups: readonly number[];
}

export const sizesOf = ({ axes }: TimedNode, kept: KeptCounts): number[] => axes.map((axis) => sizeAt(axis, kept));

/** Every node whose kernel works on channels that may go. */
export function timedNodes(groups: ChannelGroups): TimedNode[] {
  const { graph } = groups;
  const weights = new Map(graph.macTerms.map(({ node, axes }) => [node, axes.map(({ label }) => label)]));
  return graph.model.graph.node.flatMap((node, index) => {
    const weighted = weights.get(node);
    const labels: readonly (Label | null)[] =
      weighted ?? [...node.output, ...node.input].flatMap((name) => graph.labelsOf(name));
    const axes = [...new Set(labels)].flatMap((label) => (label ? groups.sizeOf(label) : [])).slice(0, 2);
    const own = new Set(axes.flatMap(({ perMember }) => perMember.map(({ group }) => group)));
    if (own.size === 0) return [];
    return { index, weighted: weighted !== undefined, axes, groups: [...own].sort((a, b) => a - b) };
  });
}
