import type { RunConfig } from '../config/config';
import { lossesFile } from '../config/losses-file';
import { settingKey } from '../config/setting-keys';
import { detectorDigest, samplesDigest } from '../digests';
import { SsdPruneError } from '../errors';
import type { Evaluation } from '../train/trainer-events';
import type { Metric } from './metric';
import type { RunInputs } from './run-inputs';
import type { CutRecord } from './run-report';

/** Where a run is. */
export interface Position {
  /** The epoch it is in, from 0. */
  epoch: number;
  /** Whether the strategies have begun it. */
  begun: boolean;
}

/** What a run is of: a checkpoint goes on with nothing else. */
export interface Identity {
  /** The settings that results hang on, by their place in the configuration. */
  settings: Readonly<Record<string, unknown>>;
  /** Names of all strategies, those of the caller's own among them, in their order. */
  strategies: readonly string[];
  /** SHA-256 of the model that the run began with, */
  model: string;
  /** of the detector settings, wherever they are from, */
  detector: string;
  /** of the pictures' names and objects that are evaluated on; null where there are none, */
  evaluation: string | null;
  /** and of the pictures that cuts are calibrated on; null where there are none. */
  calibration: string | null;
}

/** A checkpoint but for the network and the training's state, which are files beside it. */
export interface Checkpoint {
  schema: 'ssd-prune.checkpoint/1';
  identity: Identity;
  position: Position;
  step: number;
  /** Whether the weights of this checkpoint were judged the best so far on the pictures held back. */
  best: boolean;
  /** What each strategy saved, by its name. */
  strategies: Readonly<Record<string, unknown>>;
  /** Of its cuts, see {@link RunReport.warnings}. */
  warnings: readonly string[];
  metrics: readonly Metric[];
  cuts: readonly CutRecord[];
  /** On the pictures held back, of the networks before the last cut. */
  earlier: readonly Evaluation[];
  /** Of all calls so far. */
  seconds: number;
}

/** Settings that change no bit of the result, and paths, whose content is looked at instead. */
const free = [
  /^file$/,
  /^included\b/,
  /^warnings\b/,
  /^output\b/,
  /^compressor\.checkpoints\b/,
  /^compressor\.strategies\.\d+\.where$/,
  /^device\.threads$/,
  /^model\.(file|detector|teacher)$/,
  /^compressor\.initModel$/,
  /^data\.folder$/,
  /^calibration\.pictures$/,
];

/** What a run with these settings, of these inputs, is known by. What it trains on is in the training's own state. */
export function identify(
  config: RunConfig,
  inputs: Pick<RunInputs, 'digest' | 'detector' | 'evaluation' | 'calibration' | 'imported'>,
  strategies: readonly string[],
): Identity {
  const { digest, detector, evaluation, calibration, imported } = inputs;
  const settings: Record<string, unknown> = {};
  const visit = (value: unknown, place: string): void => {
    if (free.some((pattern) => pattern.test(place))) return;
    // Settings of pictures that no cut looks at.
    if (calibration === null && place === 'calibration') return;
    if (typeof value !== 'object' || value === null) settings[place] = value ?? null;
    else for (const [key, inner] of Object.entries(value)) visit(inner, place === '' ? key : `${place}.${key}`);
  };
  visit(config, '');
  for (const [i, strategy] of config.compressor.strategies.entries()) {
    if (lossesFile(strategy) !== undefined) delete settings[`compressor.strategies.${i}.options.file`];
  }
  // Which one, the training's own state knows.
  settings['model.teacher'] = config.model.teacher === null ? 'none' : 'given';
  for (const [i, sum] of imported) settings[`compressor.strategies.${i}.options.file`] = sum;
  return {
    ...{ settings, strategies, model: digest, detector: detectorDigest(detector) },
    ...{ evaluation: evaluation && samplesDigest(evaluation.samples), calibration },
  };
}

/**
 * Refuses a checkpoint of another run.
 * @param unopened pictures and strategies' files are not looked at yet: what hangs on them is left out
 * @throws {SsdPruneError} ERR_USAGE saying what differs
 */
export function checkSameRun(folder: string, saved: Identity, own: Identity, { unopened = false } = {}): void {
  const differs: string[] = [];
  if (saved.model !== own.model) differs.push('the model is another one');
  if (saved.detector !== own.detector) differs.push('the detector settings are others');
  if (!unopened) {
    if (saved.evaluation !== own.evaluation) differs.push('the evaluation pictures or their annotations are others');
    if (saved.calibration !== own.calibration) differs.push('the calibration pictures are others');
  }
  const [others, ours] = [saved.strategies, own.strategies].map((names) => names?.join(', ') || 'none');
  if (others !== ours) differs.push(`the strategies were ${others}, now they are ${ours}`);
  const places = new Set([...Object.keys(saved.settings), ...Object.keys(own.settings)]);
  const shown = (value: unknown): string => (value === undefined ? 'not set' : JSON.stringify(value));
  for (const place of [...places].sort()) {
    // Not known yet, or not whether it counts.
    const later = /^calibration\b/.test(place) || (/\.options\.file$/.test(place) && !(place in own.settings));
    if (unopened && later) continue;
    // Numbers that stand for others now.
    if (others !== ours && place.startsWith('compressor.strategies.')) continue;
    const [before, now] = [saved.settings[place], own.settings[place]];
    if (shown(before) !== shown(now))
      differs.push(`${settingKey(place, own)} was ${shown(before)}, now it is ${shown(now)}`);
  }
  if (differs.length === 0) return;
  throw new SsdPruneError(
    'ERR_USAGE',
    `${folder} belongs to another run: ${differs.join('; ')}. Resume with what it was begun with, or start over with --force instead of --resume.`,
  );
}
