import { readFile, stat } from 'node:fs/promises';
import { SsdPruneError } from '../errors';
import { readError } from '../files';
import type { MapSensitivityReport } from './map-report';

/** A layer at a share of its channels that is gone, all others whole. */
export interface LossPoint {
  /** Share of the channels that is gone, from 0 to 1. */
  readonly ratio: number;
  /** What is lost there; less than 0 where noise makes it a gain. */
  readonly loss: number;
}

export interface LossCurve {
  /** Channels of the layer, where that is known. */
  readonly channels: number | undefined;
  /** By ascending ratio, each once. */
  readonly points: readonly LossPoint[];
}

/** What layers lose as each is cut alone, by the names of the layers. */
export interface LossCurves {
  /** What messages call them: the file that they came from. */
  readonly source: string;
  /** Whether losses are shares of the whole model's metric instead of differences from it. */
  readonly relative: boolean;
  readonly curves: ReadonlyMap<string, LossCurve>;
  /** The report that they are of, where they were measured here. */
  readonly report?: MapSensitivityReport;
}

/** The curves of a report, as shares of the whole model's mAP. */
export function lossCurves(report: MapSensitivityReport, source = 'the report'): LossCurves {
  const curves = report.layers.map(({ name, channels, points }): [string, LossCurve] => [
    name,
    {
      channels,
      points: points
        .map(({ ratio, relativeLoss }) => ({ ratio, loss: relativeLoss }))
        .sort((a, b) => a.ratio - b.ratio),
    },
  ]);
  return { source, relative: true, curves: new Map(curves), report };
}

/** Nothing that is read here is larger: a file of a thousand layers at a hundred ratios takes a few megabytes. */
const maxBytes = 64 * 2 ** 20;

/**
 * Reads what layers lose from a results file of `sensitivity --data`, or from a sensitivities file of PaddleSlim 1.x or
 * 2.x, which is a pickle; nothing in it is executed.
 * @throws {SsdPruneError} ERR_IO where there is no such file, ERR_BAD_DATA where it is neither
 */
export async function readLossCurves(file: string): Promise<LossCurves> {
  const bytes = await readFile(file).catch((error) => {
    throw readError(`sensitivities ${file}`, error);
  });
  if (bytes.length > maxBytes)
    throw new SsdPruneError('ERR_BAD_DATA', `${file} is too large for a sensitivities file.`);
  // No pickle begins with a brace.
  if (/^\s*\{/.test(bytes.toString('latin1', 0, 64))) {
    const { parseMapReport } = require('./results-file') as typeof import('./results-file');
    const report = parseMapReport(bytes.toString('utf8'));
    if (report) return lossCurves(report, file);
    throw new SsdPruneError('ERR_BAD_DATA', `${file} is JSON, but no report of \`sensitivity --data\`.`);
  }
  const { readPaddleCurves } = require('./paddle-file') as typeof import('./paddle-file');
  return readPaddleCurves(bytes, file);
}

/**
 * PaddleSlim's curves, where the file is one of its; undefined for one of ours, and where there is none.
 * @throws {SsdPruneError} what {@link readLossCurves} throws
 */
export async function importedCurves(file: string): Promise<LossCurves | undefined> {
  if (!(await stat(file).catch(() => undefined))) return undefined;
  const curves = await readLossCurves(file);
  return curves.report ? undefined : curves;
}
