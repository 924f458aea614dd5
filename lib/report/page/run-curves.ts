import type { RunConfig } from '../../config/config';
import { lossesFiles } from '../../config/losses-file';
import type { CurvesPart } from './document';

/** Losses that a run chooses widths by, as a page shows them, and their file. */
export interface RunCurves {
  file: string;
  curves: CurvesPart;
}

/**
 * Those of the first strategy that has any: measured for the run, or kept beside a file of PaddleSlim's; undefined where
 * there are none, or not yet.
 */
export function runCurves(config: RunConfig): RunCurves | undefined {
  // Loaded here: it brings schemas.
  const { readSensitivity } = require('./document') as typeof import('./document');
  for (const strategy of config.compressor.strategies) {
    for (const file of lossesFiles(strategy).reverse()) {
      try {
        return { file, curves: readSensitivity(file) };
      } catch {
        // PaddleSlim's own, half of one, or none: the page does without.
      }
    }
  }
  return undefined;
}
