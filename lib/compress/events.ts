import type { PruneReport } from '../prune/report';
import type { Evaluation, TrainEvent } from '../train/trainer-events';
import type { Metric } from './metric';
import type { CutRecord } from './run-report';

/** The run begins, or goes on from a checkpoint. */
export interface BeginEvent {
  event: 'begin';
  epochs: number;
  /** The checkpoint that it goes on from, */
  resumed: string | null;
  /** and what the run was until then. */
  soFar?: RunSoFar;
}

/** What a run was until a checkpoint. */
export interface RunSoFar {
  /** Where it goes on: steps taken, and the epoch that it is in, from 0. */
  step: number;
  epoch: number;
  metrics: readonly Metric[];
  cuts: readonly CutRecord[];
  /** mAP on the pictures held back, of all networks there were. */
  heldBack: readonly Evaluation[];
  warnings: readonly string[];
}

export interface EpochEvent {
  event: 'epoch';
  /** From 0. */
  epoch: number;
  epochs: number;
}

/** Channels were cut. */
export interface CutEvent {
  event: 'cut';
  strategy: string;
  epoch: number;
  report: PruneReport;
}

/** The network was evaluated on the evaluation split. */
export interface MetricEvent extends Metric {
  event: 'metric';
  seconds: number;
}

export interface CheckpointEvent {
  event: 'checkpoint';
  place: string;
}

export interface NoteEvent {
  event: 'note';
  message: string;
}

export interface WarningEvent {
  event: 'warning';
  message: string;
}

/** What a run tells while it goes; each is plain JSON. */
export type CompressionEvent =
  | TrainEvent
  | BeginEvent
  | EpochEvent
  | CutEvent
  | MetricEvent
  | CheckpointEvent
  | NoteEvent
  | WarningEvent;
