import type { Pruner } from '../prune/prune';
import type { WidthGrid } from '../prune/width-grid';
import { LatencyTable } from './latency-table';
import { measureSamples, type SampleOptions } from './measure-samples';
import { loadSamples, sampleFile, sampleKey, saveSamples } from './sample-cache';
import { sampleWidths } from './sample-widths';
import { timedNodes } from './timed-nodes';

export interface OpenedTable {
  readonly table: LatencyTable;
  /** Models that were measured for it. */
  readonly models: number;
  readonly cached: boolean;
  /** Where it is kept; null where it can't be. */
  readonly file: string | null;
}

/** The table of a model's node times over the widths of the grids: kept from an earlier run, or measured now. */
export async function openTable(
  pruner: Pruner,
  grids: readonly WidthGrid[],
  options: SampleOptions & { onNote?: ((message: string) => void) | undefined },
): Promise<OpenedTable> {
  const nodes = timedNodes(pruner.groups);
  const whole = pruner.macs.whole();
  const widths = sampleWidths(grids, nodes, whole);
  const { inputShapes, openSize } = options.inputs;
  const key = sampleKey(pruner.model, [[...(inputShapes ?? [])], openSize], widths, options.threads);
  const open = { models: widths.length, file: sampleFile(key) };
  const kept = await loadSamples(key, widths);
  if (kept) return { ...open, table: new LatencyTable(whole, nodes, kept), cached: true };
  const samples = await measureSamples(pruner, widths, options);
  const table = new LatencyTable(whole, nodes, samples);
  try {
    await saveSamples(key, samples);
    return { ...open, table, cached: false };
  } catch (error) {
    options.onNote?.(`The table of latencies isn't kept for later runs: ${(error as Error).message}`);
    return { ...open, table, cached: false, file: null };
  }
}
