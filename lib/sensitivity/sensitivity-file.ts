import { breathe } from '../abort';
import { SsdPruneError } from '../errors';
import { checkOutput, replaceFile } from '../files';
import { readModel } from '../model/read';
import { checkReport, saveReport } from '../prune/prune-file';
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
 * @throws {SsdPruneError} what {@link sensitivityByPictures}, {@link readModel} and {@link checkOutput} throw
 */
export async function sensitivityFile(input: string, options: SensitivityFileOptions): Promise<SensitivityReport> {
  const started = performance.now();
  const { plot, report, calibrate, force = false } = options;
  if (plot !== undefined) {
    if (!/\.svg$/i.test(plot)) {
      throw new SsdPruneError(
        'ERR_USAGE',
        `Curves are drawn as SVG: give --plot a name that ends in .svg, not ${plot}.`,
      );
    }
    await checkOutput(plot, { force });
  }
  await breathe(calibrate.signal);
  const model = await readModel(input);
  if (plot !== undefined) await checkReport(plot, model, { calibrate });
  if (report !== undefined) await checkReport(report, model, { calibrate, output: plot });
  const result = await sensitivityByPictures(model, options);
  if (plot !== undefined) {
    const { drawCurves } = require('./curve-plot') as typeof import('./curve-plot');
    await replaceFile(plot, [Buffer.from(drawCurves(result))]);
  }
  result.seconds = (performance.now() - started) / 1000;
  if (report !== undefined) await saveReport(report, result);
  return result;
}
