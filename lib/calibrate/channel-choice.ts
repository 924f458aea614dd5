import type { ChannelGraph } from '../prune/channel-graph';
import type { ChannelGroup } from '../prune/channel-groups';
import type { PruneCriterion, PrunePlanOptions, WeightCriterion } from '../prune/options';
import type { Pruner } from '../prune/prune';
import { ChannelRanking, keptMembers } from '../prune/ranking';
import type { Reader } from './readers';
import { type ErrorCurve, type Problem, removalOrder } from './reconstruction';

/** Classes of the `removals` members whose loss the readers can make up for best. */
export async function chooseByError(
  graph: ChannelGraph,
  group: ChannelGroup,
  problems: readonly Problem[],
  removals: number,
): Promise<number[]> {
  const { order } = await errorCurve(graph, group, problems, removals);
  return Array.from(order, (member) => group.classes[member]!);
}

/** Classes of all members but the `kept` best, by a criterion that needs no pictures. */
export function chooseByWeights(
  { groups }: Pruner,
  group: ChannelGroup,
  { criterion, seed }: PrunePlanOptions,
  kept: number,
): number[] {
  const ranking = new ChannelRanking(groups, { criterion: withoutPictures(criterion), seed, paddle1x: false });
  const stays = new Set(keptMembers(group, ranking.scores([group])[0]!, kept));
  return Array.from(group.classes).filter((_, member) => !stays.has(member));
}

/** The criterion without pictures that stands in where `obs` can't choose. */
export const withoutPictures = (criterion: PruneCriterion): WeightCriterion =>
  criterion === 'obs' ? 'l1_norm' : criterion;

/** In which order a group's members go, and what its readers miss after each. */
export function errorCurve(
  graph: ChannelGraph,
  group: ChannelGroup,
  problems: readonly Problem[],
  removals: number,
): Promise<ErrorCurve> {
  const mayGo = Uint8Array.from(group.locks, (lock) => (lock ? 0 : 1));
  return removalOrder(problems, columnsOf(graph, group), mayGo, removals);
}

/** Columns of a group's members among those that a reader's layer still has. */
function columnsOf(graph: ChannelGraph, group: ChannelGroup): (problem: Problem, member: number) => readonly number[] {
  const byReader = new Map<Reader, Map<number, number[]>>();
  return ({ reader, layer }, member) => {
    let columns = byReader.get(reader);
    if (!columns) {
      columns = new Map();
      byReader.set(reader, columns);
      for (const [i, column] of layer.columns.entries()) {
        const atom = reader.channels[Math.floor(column / reader.places)]!;
        const root = atom < 0 ? -1 : graph.atoms.find(atom);
        const list = columns.get(root);
        if (list) list.push(i);
        else columns.set(root, [i]);
      }
    }
    return columns.get(group.classes[member]!) ?? [];
  };
}
