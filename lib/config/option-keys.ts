import { SsdPruneError } from '../errors';

/**
 * What messages of the library call a setting, by the option of the commands that have it, and what a configuration calls
 * it. Strategies' own keys stand alone: their messages begin with the strategy's name. A value that belongs to an option
 * is part of it, and longer entries go first.
 */
const keys: Readonly<Record<string, string>> = {
  '--align': 'align',
  '--allocation': 'allocation',
  '--ap-version': 'evaluation.ap_version',
  '--batch-size': 'evaluation.batch_size',
  '--calibrate': 'calibration.pictures',
  '--calibrate DIR': 'calibration.pictures',
  '--criterion': 'criterion',
  '--detector FILE': 'model.detector',
  '--device cpu': 'device.evaluation: cpu',
  '--held-back 0': 'training.held_back: 0',
  '--include-tied': 'include_tied: true',
  '--min-channels': 'min_channels',
  'batchStatistics false, --no-batch-statistics': 'training.batch_statistics: false',
  '--output': 'output.page',
  '--overlap-threshold': 'evaluation.overlap_threshold',
  '--paddle1x': 'compat: paddle1x',
  '--pruned-params': 'pruned_params',
  '--ratios': 'ratios',
  '--repair none': 'repair: none',
  '--sensitivities FILE': 'sensitivities_file',
  '--skip-bad': 'data.skip_bad: true',
  '--skip-locked': 'skip_locked: true',
  '--split': 'calibration.split',
  '--split train2017': 'calibration.split: train2017',
  '--target-latency': 'target_latency',
  '--target-ratio': 'target_ratio',
  '--teacher': 'model.teacher',
  '--teacher-features': 'training.teacher_features',
  '--threads 1': 'device.threads: 1',
  // A configuration has nothing for these.
  'Use --no-verify to cut without a proof.':
    'A run makes no cut without a proof: leave such layers out of pruned_params.',
  '; use --no-verify.': ': a run makes no cut without a proof.',
  ': name its file with --after.': ': put it back.',
  ': name its file with --before.': ': put it back.',
  'Say it, for instance: --input-shape': 'Say it in the model, or by detector settings in its metadata:',
};

const known = new RegExp(
  Object.keys(keys)
    .sort((a, b) => b.length - a.length)
    .map((option) => `${option.replaceAll('.', '\\.')}(?![\\w-])`)
    .join('|'),
  'g',
);

/**
 * A message of the library with a configuration's keys in place of options that `run` doesn't have.
 * @param others where options are otherwise called
 */
export const inKeys = (message: string, others: Readonly<Record<string, string>> = {}): string =>
  message.replace(known, (option) => others[option] ?? keys[option]!);

/** An error of the library, likewise. */
export function errorInKeys(error: unknown, others: Readonly<Record<string, string>> = {}): unknown {
  if (!(error instanceof SsdPruneError)) return error;
  const message = inKeys(error.message, others);
  return message === error.message ? error : new SsdPruneError(error.code, message, { cause: error });
}
