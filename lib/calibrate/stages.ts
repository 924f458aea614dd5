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

/** Called before each stage with the layers that are worked on, and how many stages are through of how many. */
export type OnStage = (layers: string, index: number, count: number) => void;

/** The layers that a stage cuts; those that it refits, where it cuts none. */
export const namesOf = ({ group, readers }: Stage): string =>
  (group ? group.layers.map(({ producer }) => producer.name) : readers.map(({ name }) => name)).join(' + ');

/** Readers that keep their weights and why, or that there are none; undefined where all can be refitted. */
export function whyUnread({ readers, fixed }: Stage): string | undefined {
  if (fixed.length > 0) return fixed.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  return readers.length === 0 ? 'no weight reads these channels' : undefined;
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
 * Stages of groups, and between and behind them the layers behind the first cut that none of them refits; those that
 * don't depend on each other together. In the order of the first weights that they change, so that whatever a stage
 * reads is as it will stay.
 */
export function withTail(
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
    if (
      last &&
      !dependsOn(graph, reader, last) &&
      !stages.some(({ start }) => start > last[0]!.index && start < reader.index)
    ) {
      last.push(reader);
    } else {
      tail.push([reader]);
    }
  }
  const behind = tail.map(
    (together): Stage => ({ group: undefined, readers: together, fixed: [], start: together[0]!.index }),
  );
  return [...behind, ...stages].sort((a, b) => a.start - b.start);
}

function dependsOn(graph: ChannelGraph, reader: Reader, others: readonly Reader[]): boolean {
  const made = others.flatMap(({ node }) => node.output);
  return changedTensors(graph, others[0]!.index + 1, made).has(reader.input);
}

/** `roots`, and what nodes at or behind `from` make of them. */
function changedTensors({ model }: ChannelGraph, from: number, roots: readonly string[]): Set<string> {
  const changed = new Set(roots);
  for (const node of model.graph.node.slice(from)) {
    if (node.input.some((name) => changed.has(name))) for (const name of node.output) changed.add(name);
  }
  return changed;
}
