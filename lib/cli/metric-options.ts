import type { Dataset } from '../data/dataset';
import type { ApVersion, EvaluateOptions, Protocol } from '../evaluate/mean-ap';
import type { Ui } from './ui';

/** The options of `eval` and `score` that say how mAP is computed. */
export interface MetricArguments {
  protocol: Protocol;
  apVersion?: ApVersion;
  overlapThreshold?: number;
  evaluateDifficult: boolean;
  bootstrap: number;
  seed: number;
}

export const metricOptions = {
  protocol: { choices: ['detection_map', 'voc', 'coco'] as const, default: 'detection_map', describe: 'Whose rules' },
  'ap-version': { choices: ['11point', 'integral'] as const, describe: 'Not for coco  [default: "11point"]' },
  'overlap-threshold': { type: 'number', describe: 'Not for coco  [default: 0.5]' },
  'evaluate-difficult': { type: 'boolean', default: false, describe: 'Count difficult objects too' },
  bootstrap: { type: 'number', default: 1000, describe: 'Resamples for the 95 % intervals; 0: none' },
  seed: { type: 'number', default: 0, describe: 'Seed of the resamples' },
} as const;

/** The arguments as the library takes them. */
export function evalOptions(args: MetricArguments): EvaluateOptions {
  const { protocol, apVersion, overlapThreshold, evaluateDifficult, bootstrap, seed } = args;
  return {
    protocol,
    ...(apVersion !== undefined && { apVersion }),
    ...(overlapThreshold !== undefined && { overlapThreshold }),
    evaluateDifficult,
    bootstrap: { resamples: bootstrap, seed },
  };
}

/** Shows the first remarks on a dataset's boxes, and how many more there are. */
export function warnAbout({ warnings }: Dataset, ui: Ui): void {
  for (const warning of warnings.slice(0, 5)) ui.warn(warning);
  if (warnings.length > 5) ui.warn(`and ${warnings.length - 5} more boxes like these`);
}
