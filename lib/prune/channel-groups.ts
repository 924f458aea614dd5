import type { Label, Lock } from './channel-atoms';
import type { ChannelGraph, ChannelProducer } from './channel-graph';

/**
 * Channels that are cut by the same rule: each *member* is a set of places (one or more in every layer of the group)
 * that go or stay together, and all members are read by the same layers in the same way. A plain convolution is one
 * group; two convolutions that meet in an Add are one group of two layers; a convolution whose output is split
 * between readers is two groups.
 */
export interface ChannelGroup {
  readonly id: number;
  /** The layers that make these channels, in definition order. */
  readonly layers: readonly GroupLayer[];
  /** The class of atoms (see ChannelAtoms) of each member, in order of the first layer's channels. */
  readonly classes: Int32Array;
  /** Why a member can't be cut; undefined where it can. */
  readonly locks: readonly (Lock | undefined)[];
}

export interface GroupLayer {
  readonly producer: ChannelProducer;
  /** For each member the channels of this layer that belong to it; all members have equally many. */
  readonly channels: readonly Int32Array[];
}

/** How the size along a label depends on what is kept: `fixed` places plus, for each group, places a member. */
export interface LabelSize {
  readonly fixed: number;
  readonly perMember: readonly { readonly group: number; readonly places: number }[];
}

export class ChannelGroups {
  readonly groups: readonly ChannelGroup[];
  /** Group of each class. */
  private readonly groupOfClass = new Map<number, number>();
  private readonly sizes = new Map<Label, LabelSize>();

  constructor(readonly graph: ChannelGraph) {
    this.groups = this.build();
  }

  /** Groups that hold channels of a layer. */
  ofLayer(name: string): ChannelGroup[] {
    return this.groups.filter((group) => group.layers.some((layer) => layer.producer.name === name));
  }

  /** How many places of a label stay, as a function of the members kept in each group. */
  sizeOf(label: Label): LabelSize {
    const known = this.sizes.get(label);
    if (known) return known;
    const counts = new Map<number, number>();
    let fixed = 0;
    for (const atom of label) {
      const group = atom < 0 ? undefined : this.groupOfClass.get(this.graph.atoms.find(atom));
      if (group === undefined) fixed++;
      else counts.set(group, (counts.get(group) ?? 0) + 1);
    }
    const perMember = [...counts].map(([group, count]) => ({
      group,
      places: count / this.groups[group]!.classes.length,
    }));
    const size = { fixed, perMember };
    this.sizes.set(label, size);
    return size;
  }

  private build(): ChannelGroup[] {
    const { atoms, producers, macTerms } = this.graph;
    const layers = [...producers.values()].sort((a, b) => a.index - b.index);
    const places = new Map<number, { layer: number; channel: number }[]>();
    layers.forEach((producer, layer) => {
      producer.label.forEach((atom, channel) => {
        const root = atoms.find(atom);
        const list = places.get(root);
        if (list) list.push({ layer, channel });
        else places.set(root, [{ layer, channel }]);
      });
    });
    const signatures = this.signatures(
      new Set([
        ...layers.map(({ label }) => label),
        ...macTerms.flatMap((term) => term.axes.flatMap(({ label }) => label ?? [])),
      ]),
      places,
    );
    const bySignature = new Map<string, number[]>();
    for (const root of places.keys()) {
      const key = signatures.get(root)!;
      const list = bySignature.get(key);
      if (list) list.push(root);
      else bySignature.set(key, [root]);
    }
    return [...bySignature.values()].map((roots, id) => {
      for (const root of roots) this.groupOfClass.set(root, id);
      const involved = [...new Set(places.get(roots[0]!)!.map(({ layer }) => layer))].sort((a, b) => a - b);
      return {
        id,
        classes: Int32Array.from(roots),
        locks: roots.map((root) => atoms.lockOf(root)),
        layers: involved.map((layer) => ({
          producer: layers[layer]!,
          channels: roots.map((root) =>
            Int32Array.from(
              places
                .get(root)!
                .filter((place) => place.layer === layer)
                .map(({ channel }) => channel),
            ),
          ),
        })),
      };
    });
  }

  /** For each class, on which labels it lies and how often: classes that agree are cut by the same count. */
  private signatures(labels: ReadonlySet<Label>, wanted: ReadonlyMap<number, unknown>): Map<number, string> {
    const { atoms } = this.graph;
    const counts = new Map<number, Map<number, number>>();
    let id = 0;
    for (const label of labels) {
      id++;
      for (const atom of label) {
        const root = atom < 0 ? -1 : atoms.find(atom);
        if (!wanted.has(root)) continue;
        let count = counts.get(root);
        if (!count) {
          count = new Map();
          counts.set(root, count);
        }
        count.set(id, (count.get(id) ?? 0) + 1);
      }
    }
    return new Map([...counts].map(([root, count]) => [root, [...count].join(';')]));
  }
}
