import type { OnnxModel } from '../model/onnx-model';
import { countElements, listParameters } from '../model/parameters';
import { openPruner } from '../prune/prune-model';
import type { CountChange, PruneReport } from '../prune/report';
import type { Recipe } from '../train/recipe';
import type { Trainer } from '../train/trainer';
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

/** Which weights are written, and what they are worth on the pictures held back: without any there is no best. */
export function keptWeights({ result, step }: Trainer, keep: 'best' | 'last'): Pick<RunReport, 'kept' | 'keptAt'> {
  const { best, evaluations } = result;
  if (best && keep === 'best') return { kept: 'best', keptAt: best };
  return { kept: 'last', keptAt: evaluations.find((one) => one.step === step) ?? null };
}

/** What became of the model. */
export function changes(before: OnnxModel, after: OnnxModel): Pick<RunReport, 'macs' | 'parameters' | 'shapes'> {
  return {
    macs: compared(before, after, countMacs),
    parameters: compared(before, after, (model) => countElements(listParameters(model))),
    shapes: shapeChanges(before, after),
  };
}

function countMacs(model: OnnxModel): number {
  const { macs } = openPruner(model);
  return macs.total(macs.whole());
}

function compared(before: OnnxModel, after: OnnxModel, count: (model: OnnxModel) => number): CountChange {
  const [whole, left] = [count(before), count(after)];
  return { before: whole, after: left, cut: 1 - left / whole };
}

/** Parameters of both models in definition order; those that only one has come with the other's neighbours. */
function shapeChanges(before: OnnxModel, after: OnnxModel): ShapeChange[] {
  const shapes = (model: OnnxModel) => new Map(listParameters(model).map(({ name, shape }) => [name, shape]));
  const [old, now] = [shapes(before), shapes(after)];
  return [...new Set([...old.keys(), ...now.keys()])].map((name) => ({
    name,
    before: old.get(name) ?? null,
    after: now.get(name) ?? null,
  }));
}
