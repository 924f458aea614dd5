import { breathe } from '../abort';
import { readModel } from '../model/read';
import { checkReport, saveReport } from '../prune/prune-file';
import { checkPlot, savePlot } from './plot-file';
import { type SensitivityOptions, type SensitivityReport, sensitivityByPictures } from './sensitivity';

export interface SensitivityFileOptions extends SensitivityOptions {
  /** Draw the curves into this SVG file. */
  plot?: string;
  /** Replace the plot where it exists. Defaults to `false`. What is read is never replaced. */
  force?: boolean;
  /** Write the report to this file, too, as JSON. It replaces an older one, but nothing that is read. */
  report?: string;
}

/**
 * {@link sensitivityByPictures} of a model file, its curves drawn and its report written.
 * @throws {SsdPruneError} what {@link sensitivityByPictures}, {@link readModel} and {@link checkPlot} throw
 */
export async function sensitivityFile(input: string, options: SensitivityFileOptions): Promise<SensitivityReport> {
  const started = performance.now();
  const { plot, report, calibrate, force = false } = options;
  if (plot !== undefined) await checkPlot(plot, force);
  await breathe(calibrate?.signal);
  const model = await readModel(input);
  if (plot !== undefined) await checkReport(plot, model, { calibrate });
  if (report !== undefined) await checkReport(report, model, { calibrate, output: plot });
  const result = await sensitivityByPictures(model, options);
  if (plot !== undefined) await savePlot(plot, result);
  result.seconds = (performance.now() - started) / 1000;
  if (report !== undefined) await saveReport(report, result);
  return result;
}
