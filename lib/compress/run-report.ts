import type { CountChange, PruneReport } from '../prune/report';
import type { Recipe } from '../train/recipe';
import type { Evaluation } from '../train/trainer-events';
import type { Metric } from './metric';

/** A cut in the course of a run. */
export interface CutRecord {
  /** The strategy that asked for it. */
  readonly strategy: string;
  readonly epoch: number;
  readonly step: number;
  readonly report: PruneReport;
}

/** A parameter of the model before and after; null where there is none of the name. */
export interface ShapeChange {
  readonly name: string;
  readonly before: readonly number[] | null;
  readonly after: readonly number[] | null;
}

/** What `run --json` prints. */
export interface RunReport {
  readonly schema: 'ssd-prune.run/1';
  readonly configuration: string;
  readonly model: string;
  readonly output: string;
  readonly teacher: string | null;
  readonly data: {
    readonly folder: string;
    /** Null where none was named, and no labels are read. */
    readonly train: string | null;
    readonly trained: number;
    readonly heldBack: number;
    readonly leftOut: number;
    readonly evaluation: string | null;
    readonly evaluated: number;
  };
  readonly recipe: Recipe;
  readonly epochs: number;
  readonly steps: number;
  /**
   * Of the configuration, of the cuts as they were checked before the first epoch, and of what judges weights. The
   * reports of the cuts have none of their own: what they left out of a pattern is their `skipped`, and a latency that
   * was missed their `latency.reached`.
   */
  readonly warnings: readonly string[];
  /** The checkpoint that this call went on from. */
  readonly resumed: string | null;
  /** In the order of their epochs; each target is relative to what the cut before left. */
  readonly cuts: readonly CutRecord[];
  /** On the evaluation split; empty where there is none. */
  readonly metrics: readonly Metric[];
  /** On the pictures held back of the training split, of every network there was. */
  readonly heldBack: readonly Evaluation[];
  readonly kept: 'best' | 'last';
  /** What the weights that were written are worth on the pictures held back; null where nobody measured it. */
  readonly keptAt: Evaluation | null;
  /** Of the model that was begun with and of the one that was written. */
  readonly macs: CountChange;
  readonly parameters: CountChange;
  /** mAP of the written model on the evaluation split; null where there is none. */
  readonly map: number | null;
  /** Every parameter, in definition order. */
  readonly shapes: readonly ShapeChange[];
  /** Of all calls, resumed ones too. */
  readonly seconds: number;
}
