import { type ChannelGroup, type ChannelGroups, layerNames } from '../prune/channel-groups';

/** A group of channels with the name that its curve has. */
export interface MeasuredGroup {
  readonly name: string;
  readonly group: ChannelGroup;
}

/** The layers that each curve stands for, by the curve's name. */
export const layersByCurve = (groups: ChannelGroups): ReadonlyMap<string, readonly string[]> =>
  new Map(measuredGroups(groups).map(({ name, group }) => [name, group.layers.map(({ producer }) => producer.name)]));

/**
 * All groups of a model in network order, with names: their layers joined by ` + `. Where a layer's channels are read in
 * parts it has several groups, of which the second and later ones are numbered.
 */
export function measuredGroups({ groups }: ChannelGroups): MeasuredGroup[] {
  const seen = new Map<string, number>();
  return groups.map((group) => {
    const own = layerNames(group);
    const part = (seen.get(own) ?? 0) + 1;
    seen.set(own, part);
    return { name: part === 1 ? own : `${own} [${part}]`, group };
  });
}
