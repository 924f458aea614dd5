import type { RunConfig } from '../config/config';
import { SsdPruneError } from '../errors';
import type { Evaluation } from '../train/trainer-events';
import type { Metric } from './metric';
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
  /** SHA-256 of the model that the run began with. */
  model: string;
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

/** What a run with these settings, of this model, is known by. */
export function identify(config: RunConfig, model: string): Identity {
  const settings: Record<string, unknown> = {};
  const visit = (value: unknown, place: string): void => {
    if (free.some((pattern) => pattern.test(place))) return;
    if (typeof value !== 'object' || value === null) settings[place] = value ?? null;
    else for (const [key, inner] of Object.entries(value)) visit(inner, place === '' ? key : `${place}.${key}`);
  };
  visit(config, '');
  return { settings, model };
}

/**
 * Refuses a checkpoint of another run.
 * @throws {SsdPruneError} ERR_USAGE saying what differs
 */
export function checkSameRun(folder: string, saved: Identity, own: Identity): void {
  const differs: string[] = [];
  if (saved.model !== own.model) differs.push('the model is another one');
  const places = new Set([...Object.keys(saved.settings), ...Object.keys(own.settings)]);
  const shown = (value: unknown): string => (value === undefined ? 'not set' : JSON.stringify(value));
  for (const place of [...places].sort()) {
    const [before, now] = [saved.settings[place], own.settings[place]];
    if (shown(before) !== shown(now)) differs.push(`${place} was ${shown(before)}, now it is ${shown(now)}`);
  }
  if (differs.length === 0) return;
  throw new SsdPruneError(
    'ERR_USAGE',
    `${folder} belongs to another run: ${differs.join('; ')}. Resume with what it was begun with, or start over with --force.`,
  );
}
