import type { Pruner } from '../prune/prune';
import type { WidthGrid } from '../prune/width-grid';
import { LatencyTable, type WidthSample } from './latency-table';
import { measureSamples, type SampleOptions } from './measure-samples';
import { loadSamples, sampleFile, sampleFolder, sampleKey, saveSamples } from './sample-cache';
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

export interface TableOptions extends SampleOptions {
  /** A folder that keeps the table besides the user's cache, and is asked first. */
  tables?: string | undefined;
  onNote?: ((message: string) => void) | undefined;
}

/** The table of a model's node times over the widths of the grids: kept from an earlier run, or measured now. */
export async function openTable(
  pruner: Pruner,
  grids: readonly WidthGrid[],
  options: TableOptions,
): Promise<OpenedTable> {
  const nodes = timedNodes(pruner.groups);
  const whole = pruner.macs.whole();
  const widths = sampleWidths(grids, nodes, whole);
  const { inputShapes, openSize } = options.inputs;
  const key = sampleKey(pruner.model, [[...(inputShapes ?? [])], openSize], widths, options.threads);
  const folders = [...(options.tables === undefined ? [] : [options.tables]), sampleFolder()];
  let kept: WidthSample[] | undefined;
  const lacking: string[] = [];
  for (const folder of folders) {
    kept = await loadSamples(key, widths, folder);
    if (kept) break;
    lacking.push(folder);
  }
  const samples = kept ?? (await measureSamples(pruner, widths, options));
  const failed = new Set<string>();
  for (const folder of lacking) {
    await saveSamples(key, samples, folder).catch((error: Error) => {
      failed.add(folder);
      options.onNote?.(`The table of latencies isn't kept for later runs: ${error.message}`);
    });
  }
  const place = folders.find((folder) => !failed.has(folder));
  return {
    table: new LatencyTable(whole, nodes, samples),
    ...{ models: widths.length, cached: kept !== undefined },
    file: place === undefined ? null : sampleFile(key, place),
  };
}
