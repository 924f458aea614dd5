import type { ChannelGraph } from '../prune/channel-graph';
import type { ChannelGroup } from '../prune/channel-groups';
import { type FixedReader, isReader, type Reader } from './readers';

const isFixed = (reader: Reader | FixedReader): reader is FixedReader => !isReader(reader);

/** One step of calibration: a group of channels to cut, the layers to refit, or both. */
export interface Stage {
  readonly group: ChannelGroup | undefined;
  /** In graph order. */
  readonly readers: readonly Reader[];
  /** Readers of the group that keep their weights. */
  readonly fixed: readonly FixedReader[];
  /** Position of the first node whose weights change here. */
  readonly start: number;
}

/** Groups to cut, in network order, each with the layers that read its channels. */
export function groupStages(
  graph: ChannelGraph,
  groups: readonly ChannelGroup[],
  readers: ReadonlyMap<string, Reader | FixedReader>,
): Stage[] {
  return groups
    .map((group) => {
      const classes = new Set(group.classes);
      const own = [...readers.values()].filter(({ channels }) =>
        channels.some((atom) => atom >= 0 && classes.has(graph.atoms.find(atom))),
      );
      const start = Math.min(...group.layers.map(({ producer }) => producer.index));
      return { group, readers: own.filter(isReader), fixed: own.filter(isFixed), start };
    })
    .sort((a, b) => a.start - b.start);
}

/**
 * Layers behind the first cut that no stage refits, in network order; those that don't depend on each other together.
 */
export function tailStages(
  graph: ChannelGraph,
  stages: readonly Stage[],
  readers: ReadonlyMap<string, Reader | FixedReader>,
): Stage[] {
  const done = new Set(stages.flatMap((stage) => stage.readers.map(({ name }) => name)));
  const first = Math.min(...stages.map(({ start }) => start));
  const rest = [...readers.values()].filter(isReader).filter(({ name, index }) => !done.has(name) && index > first);
  const roots = stages.flatMap(({ group }) => group?.layers.flatMap(({ producer }) => producer.node.output) ?? []);
  const changed = changedTensors(graph, first, roots);
  const tail: Reader[][] = [];
  for (const reader of rest.sort((a, b) => a.index - b.index)) {
    if (!changed.has(reader.input)) continue;
    const last = tail.at(-1);
    const behind =
      last &&
      changedTensors(
        graph,
        last[0]!.index + 1,
        last.flatMap(({ node }) => node.output),
      );
    if (!last || behind!.has(reader.input)) tail.push([reader]);
    else last.push(reader);
  }
  return tail.map((together) => ({ group: undefined, readers: together, fixed: [], start: together[0]!.index }));
}

/** `roots`, and what nodes at or behind `from` make of them. */
function changedTensors({ model }: ChannelGraph, from: number, roots: readonly string[]): Set<string> {
  const changed = new Set(roots);
  for (const node of model.graph.node.slice(from)) {
    if (node.input.some((name) => changed.has(name))) for (const name of node.output) changed.add(name);
  }
  return changed;
}
