import { SsdPruneError } from '../errors';
import { type KeptChannels, keptKey, readKept } from '../model/kept-channels';
import type { NativeFeature, NativeGraph } from '../native/engine';
import type { DetectorNetwork } from './network';
import { NodeKind } from './plan-graph';

/** Maps of a student and those of its teacher that they are to be like, in the same order. */
export interface FeaturePairs {
  readonly student: NativeFeature[];
  readonly teacher: NativeFeature[];
}

/** Least step from place to place, in pixels: earlier maps are large, hardly cut, and far from what is found. */
const leastStride = 8;

/**
 * What convolutions between the picture and the heads put out, behind normalisation and activation, beside the same
 * filters' of the teacher, in those channels of the original that both have; depthwise ones follow the layer before them.
 * @throws {SsdPruneError} ERR_USAGE where student and teacher have no layer in common, ERR_BAD_MODEL where the notes that
 * cuts left in either don't fit it
 */
export function pairFeatures(student: DetectorNetwork, teacher: DetectorNetwork): FeaturePairs {
  const theirs = new Map(features(teacher).map((feature) => [feature.filters, feature]));
  const pairs: FeaturePairs = { student: [], teacher: [] };
  for (const own of features(student)) {
    const other = theirs.get(own.filters);
    if (!other || other.of !== own.of) continue;
    const places = new Map(other.kept.map((channel, place) => [channel, place]));
    const common = own.kept.flatMap((channel, place) => {
      const there = places.get(channel);
      return there === undefined ? [] : [{ place, there }];
    });
    if (common.length === 0) continue;
    pairs.student.push({ value: own.value, channels: common.map(({ place }) => place) });
    pairs.teacher.push({ value: other.value, channels: common.map(({ there }) => there) });
  }
  if (pairs.student.length > 0) return pairs;
  throw new SsdPruneError(
    'ERR_USAGE',
    `${student.model.file ?? 'The model'} and its teacher have no layer whose maps can be compared: the teacher must be the model that it was cut from, by a version that writes "${keptKey}" into the metadata. Leave the teacher's features off (teacherFeatures 0).`,
  );
}

/**
 * Whether a student was cut, and {@link pairFeatures} finds maps in common with its teacher: of networks that only look
 * alike, channels of the same number need not mean the same.
 */
export function haveFeatures(student: DetectorNetwork, teacher: DetectorNetwork): boolean {
  try {
    return readKept(student.model).size > 0 && pairFeatures(student, teacher).student.length > 0;
  } catch (error) {
    if (error instanceof SsdPruneError) return false;
    throw error;
  }
}

interface Feature {
  filters: string;
  /** Behind normalisation and activation. */
  value: number;
  /** Channels of the original, and which of them are here. */
  of: number;
  kept: readonly number[];
}

/** Maps by the filters that made them; filters that several layers share would stand for several maps. */
function features({ model, plan, parameters }: DetectorNetwork): Feature[] {
  const { graph } = plan;
  const readers = readersOf(graph);
  const notes = readKept(model);
  const uses = new Map<number, number>();
  for (const { weight } of graph.nodes) uses.set(weight, (uses.get(weight) ?? 0) + 1);
  return graph.nodes.flatMap((node, i) => {
    const ordinary = node.kind === NodeKind.convolution && node.groups === 1 && uses.get(node.weight) === 1;
    if (!ordinary || parameters[node.weight]!.head || node.width * leastStride > graph.width + leastStride - 1)
      return [];
    let value = i + 1;
    for (let next = readers.get(value); next?.length === 1; next = readers.get(value)) {
      const { kind } = graph.nodes[next[0]! - 1]!;
      if (kind !== NodeKind.normalization && kind !== NodeKind.clip) break;
      value = next[0]!;
    }
    const filters = plan.parameters[node.weight]!.name;
    return [{ filters, value, ...channelsOf(model.file, filters, node.channels, notes) }];
  });
}

function channelsOf(
  file: string | undefined,
  filters: string,
  channels: number,
  notes: KeptChannels,
): Pick<Feature, 'of' | 'kept'> {
  const noted = notes.get(filters);
  if (!noted) return { of: channels, kept: Array.from({ length: channels }, (_, i) => i) };
  if (noted.kept.length === channels) return noted;
  throw new SsdPruneError(
    'ERR_BAD_MODEL',
    `${file ?? 'The model'}: ${filters} has ${channels} filters, and the metadata "${keptKey}" speak of ${noted.kept.length}; without that entry its layers count as the original's`,
  );
}

/** Values that read a value; 0 stands for an output. */
function readersOf({ nodes, outputs }: NativeGraph): Map<number, number[]> {
  const readers = new Map<number, number[]>();
  const add = (value: number, reader: number) => readers.set(value, [...(readers.get(value) ?? []), reader]);
  nodes.forEach(({ inputs }, i) => {
    for (const value of inputs) add(value, i + 1);
  });
  for (const { parts } of outputs) for (const value of parts) add(value, 0);
  return readers;
}
