import type { ChannelAtoms, Label, Lock } from './channel-atoms';
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

/** Names of the layers that make a group's channels, joined by ` + `. */
export const layerNames = ({ layers }: ChannelGroup): string => layers.map(({ producer }) => producer.name).join(' + ');

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
  /** Group of each atom's class, by the class's representative; −1 for classes that no layer makes. */
  private readonly groupOfRoot: Int32Array;
  private readonly sizes = new Map<Label, LabelSize>();

  constructor(readonly graph: ChannelGraph) {
    const layers = [...graph.producers.values()].sort((a, b) => a.index - b.index);
    const classes = new LayerClasses(graph.atoms, layers);
    const labels = new Set(layers.map(({ label }) => label));
    for (const { axes } of graph.macTerms) for (const { label } of axes) if (label) labels.add(label);
    const groupOf = classes.partition(labels);
    this.groupOfRoot = new Int32Array(graph.atoms.size).fill(-1);
    const members: number[][] = [];
    groupOf.forEach((group, id) => {
      this.groupOfRoot[classes.roots[id]!] = group;
      if (group === members.length) members.push([]);
      members[group]!.push(id);
    });
    this.groups = members.map((ids, id) => ({
      id,
      classes: Int32Array.from(ids, (member) => classes.roots[member]!),
      locks: ids.map((member) => graph.atoms.lockOf(classes.roots[member]!)),
      layers: classes.layersOf(ids[0]!).map((layer) => ({
        producer: layers[layer]!,
        channels: ids.map((member) => classes.channels(member, layer)),
      })),
    }));
  }

  /** Groups that hold channels of a layer. */
  ofLayer(name: string): ChannelGroup[] {
    return this.groups.filter((group) => group.layers.some((layer) => layer.producer.name === name));
  }

  /** How many places of a label stay, as a function of the members kept in each group. */
  sizeOf(label: Label): LabelSize {
    const known = this.sizes.get(label);
    if (known) return known;
    const counts = new Int32Array(this.groups.length);
    let fixed = 0;
    for (let place = 0; place < label.length; place++) {
      const atom = label[place]!;
      const group = atom < 0 ? -1 : this.groupOfRoot[this.graph.atoms.find(atom)]!;
      if (group < 0) fixed++;
      else counts[group]!++;
    }
    const perMember: { group: number; places: number }[] = [];
    counts.forEach((count, group) => {
      if (count > 0) perMember.push({ group, places: count / this.groups[group]!.classes.length });
    });
    const size = { fixed, perMember };
    this.sizes.set(label, size);
    return size;
  }
}

/** The classes of atoms that layers make, numbered in the order in which layers first make them. */
class LayerClasses {
  /** Representative of each class. */
  readonly roots: Int32Array;
  /** Number of each class by its representative; −1 for classes that no layer makes. */
  private readonly numberOf: Int32Array;
  /** Per class, `layer, channel` pairs: those of class i lie from starts[i] to starts[i + 1]. */
  private readonly starts: Int32Array;
  private readonly layer: Int32Array;
  private readonly channel: Int32Array;

  constructor(
    private readonly atoms: ChannelAtoms,
    layers: readonly ChannelProducer[],
  ) {
    const total = layers.reduce((sum, { label }) => sum + label.length, 0);
    const [roots, counts] = [new Int32Array(total), new Int32Array(total)];
    this.numberOf = new Int32Array(atoms.size).fill(-1);
    let classes = 0;
    for (const { label } of layers) {
      for (let i = 0; i < label.length; i++) {
        const root = atoms.find(label[i]!);
        if (this.numberOf[root]! < 0) {
          roots[classes] = root;
          this.numberOf[root] = classes++;
        }
        counts[this.numberOf[root]!]!++;
      }
    }
    this.roots = roots.subarray(0, classes);
    this.starts = new Int32Array(classes + 1);
    for (let i = 0; i < classes; i++) this.starts[i + 1] = this.starts[i]! + counts[i]!;
    const next = this.starts.slice();
    this.layer = new Int32Array(total);
    this.channel = new Int32Array(total);
    layers.forEach(({ label }, layer) => {
      for (let i = 0; i < label.length; i++) {
        const at = next[this.numberOf[atoms.find(label[i]!)]!]!++;
        this.layer[at] = layer;
        this.channel[at] = i;
      }
    });
  }

  /** Layers that make a class, ascending. */
  layersOf(id: number): number[] {
    return [...new Set(this.layer.subarray(this.starts[id]!, this.starts[id + 1]!))];
  }

  /** Channels of a layer that belong to a class. */
  channels(id: number, layer: number): Int32Array {
    let from = this.starts[id]!;
    let to = this.starts[id + 1]!;
    while (from < to && this.layer[from] !== layer) from++;
    while (to > from && this.layer[to - 1] !== layer) to--;
    return this.channel.subarray(from, to);
  }

  /**
   * Group of each class: classes are together that lie on every label equally often, so that they are cut by the same
   * count. Each label in turn divides the groups that were found so far.
   */
  partition(labels: ReadonlySet<Label>): Int32Array {
    const group = new Int32Array(this.roots.length);
    const counts = new Int32Array(this.roots.length);
    const touched = new Int32Array(this.roots.length);
    let groups = 1;
    for (const label of labels) {
      let found = 0;
      for (let place = 0; place < label.length; place++) {
        const id = label[place]! < 0 ? -1 : this.numberOf[this.atoms.find(label[place]!)]!;
        if (id < 0) continue;
        if (counts[id] === 0) touched[found++] = id;
        counts[id]!++;
      }
      const divided = new Map<number, number>();
      for (let i = 0; i < found; i++) {
        const id = touched[i]!;
        const key = group[id]! * (label.length + 1) + counts[id]!;
        counts[id] = 0;
        let next = divided.get(key);
        if (next === undefined) {
          next = groups++;
          divided.set(key, next);
        }
        group[id] = next;
      }
    }
    return inOrderOfAppearance(group);
  }
}

/** Numbers renamed 0, 1, 2, … as they first appear. */
function inOrderOfAppearance(values: Int32Array): Int32Array {
  const names = new Map<number, number>();
  return values.map((value) => {
    let name = names.get(value);
    if (name === undefined) {
      name = names.size;
      names.set(value, name);
    }
    return name;
  });
}
