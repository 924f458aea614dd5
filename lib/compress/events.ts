import type { PruneReport } from '../prune/report';
import type { TrainEvent } from '../train/trainer-events';
import type { Metric } from './metric';

/** The run begins, or goes on from a checkpoint. */
export interface BeginEvent {
  event: 'begin';
  epochs: number;
  /** The checkpoint that it goes on from. */
  resumed: string | null;
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
