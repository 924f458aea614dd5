import type { InputChoices } from '../bench/feeds';
import type { Pruner } from '../prune/prune';
import type { WidthSample } from './latency-table';
import { narrower } from './narrower';
import { leastTimes, type NodeTimes, profileNodes } from './node-times';

export interface SampleOptions {
  threads: number;
  inputs: InputChoices;
  onProgress?: ((done: number, total: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** How often each model has its turn: what slows the machine for some seconds then spoils one turn of a few models. */
const rounds = 4;
/** Runs a turn. */
const runs = 6;

/** Node times of the model at many widths, all of them taking turns; every second round in reverse. */
export async function measureSamples(
  pruner: Pruner,
  widths: readonly (readonly number[])[],
  { onProgress, ...options }: SampleOptions,
): Promise<WidthSample[]> {
  const times: NodeTimes[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < widths.length; turn++) {
      const i = round % 2 === 0 ? turn : widths.length - 1 - turn;
      const own = await profileNodes(narrower(pruner, widths[i]!), weightedNodes(pruner), { ...options, runs });
      times[i] = times[i] ? leastTimes(times[i], own) : own;
      onProgress?.(round * widths.length + turn + 1, rounds * widths.length);
    }
  }
  return widths.map((kept, i) => ({ kept, times: times[i]! }));
}

/** Positions of the nodes that hold weights. */
export function weightedNodes({ graph }: Pruner): Set<number> {
  const nodes = new Set(graph.macTerms.map(({ node }) => node));
  return new Set(graph.model.graph.node.flatMap((node, index) => (nodes.has(node) ? index : [])));
}
