import { SsdPruneError } from '../errors';
import { checkOutput, replaceFile } from '../files';
import type { MapSensitivityReport } from './map-report';
import type { SensitivityReport } from './sensitivity';

/**
 * Whether curves may be drawn into a file, asked before the work.
 * @throws {SsdPruneError} ERR_USAGE where its name doesn't say SVG, and what {@link checkOutput} throws
 */
export async function checkPlot(plot: string, force: boolean): Promise<void> {
  if (!/\.svg$/i.test(plot)) {
    throw new SsdPruneError('ERR_USAGE', `Curves are drawn as SVG: give --plot a name that ends in .svg, not ${plot}.`);
  }
  await checkOutput(plot, { force });
}

/** Draws a report's curves into a file. */
export async function savePlot(plot: string, report: SensitivityReport | MapSensitivityReport): Promise<void> {
  const { drawCurves } = require('./curve-plot') as typeof import('./curve-plot');
  await replaceFile(plot, [Buffer.from(drawCurves(report))]);
}
