import type { RunConfig } from '../config/config';
import type { Dataset } from '../data/dataset';
import type { DetectorSettings } from '../model/detector';
import type { OnnxModel } from '../model/onnx-model';
import type { PruneModelOptions } from '../prune/prune-model';
import type { PruneReport } from '../prune/report';
import type { Evaluation } from '../train/trainer-events';
import type { Metric } from './metric';

/** What a strategy may ask of a cut; the run adds its pictures, detector settings and signal. */
export type CutRequest = Pick<
  PruneModelOptions,
  | 'prunedParams'
  | 'targetRatio'
  | 'ratios'
  | 'latency'
  | 'criterion'
  | 'allocation'
  | 'sensitivities'
  | 'align'
  | 'count'
  | 'tolerance'
  | 'minChannels'
  | 'paddle1x'
  | 'skipLocked'
  | 'includeTied'
> & {
  /** What is refitted on the calibration's pictures. Defaults to `full` for criterion `obs`, else to `none`. */
  repair?: 'none' | 'bias' | 'least_squares' | 'full';
};

/** A cut that is to come. */
export interface PlannedCut {
  /** Epoch, from 0, at whose beginning it comes, at the earliest. */
  readonly epoch: number;
  readonly request: CutRequest;
  /** Share of the work that it takes at least, where it will be made with other widths than those of the request. */
  readonly least?: number;
}

/** The run as its strategies see it. */
export interface CompressionContext {
  readonly config: RunConfig;
  /** The epoch that begins or ended, from 0. */
  readonly epoch: number;
  /** How many there will be. */
  readonly epochs: number;
  readonly detector: DetectorSettings;
  /** What was measured on the evaluation split so far. */
  readonly metrics: readonly Metric[];
  /** What the network as it is was worth on the pictures held back: right behind its cut, and behind epochs since. */
  readonly judgements: readonly Evaluation[];
  readonly signal: AbortSignal | undefined;
  /** Whether files that strategies keep may be replaced where they are of another run. */
  readonly force: boolean;
  /** The network with the weights that it has now (their average, where one is kept). */
  model(): OnnxModel;
  /**
   * Finds out before hours of training whether a cut can be made of the network as it is, and warns of what is odd.
   * Without a target only what it selects is looked at: {@link Strategy.plannedCuts} are rehearsed besides.
   * @throws {SsdPruneError} what {@link cut} would throw for its pattern and target
   */
  check(request: CutRequest): void;
  /**
   * Cuts channels of the network; training goes on with what is left. Ratios and targets are of the network as it is now.
   * @throws {SsdPruneError} what {@link pruneModel} throws
   */
  cut(request: CutRequest): Promise<PruneReport>;
  /** Cuts a copy of the network, without a proof, and leaves the network as it is. */
  attempt(request: CutRequest): Promise<{ model: OnnxModel; report: PruneReport }>;
  /**
   * The training pictures that are held back, with the objects that weights are judged by: those that the teacher finds
   * where labels are not read.
   * @throws {SsdPruneError} ERR_USAGE where none are
   */
  heldBack(): Promise<Dataset>;
  /**
   * Mean average precision on the training pictures that are held back: what choices are made by, since nothing may be
   * chosen on the evaluation split.
   * @throws {SsdPruneError} ERR_USAGE where none are held back
   */
  judge(model: OnnxModel): Promise<number>;
  /**
   * What the strategy last gave {@link keep} at this place of the run, with the network that it has here, in a call that
   * ended before the next checkpoint; undefined where there is nothing.
   */
  kept(): Promise<unknown>;
  /**
   * Keeps long work that isn't finished, as plain JSON, beside the checkpoints until the next one: whatever ends the
   * process, a resumed run finds it by {@link kept}.
   * @throws {SsdPruneError} ERR_IO
   */
  keep(state: unknown): Promise<void>;
  /** A remark for people and logs. */
  note(message: string): void;
  /** Something odd, which the run's report holds, too; said once. */
  warn(message: string): void;
}

export interface StrategyCheckOptions {
  /** Whether files of an earlier run may be replaced. */
  readonly force: boolean;
}

/**
 * What happens to a network besides training. Its methods are awaited in the order of the strategies; what they throw
 * ends the run. A strategy follows from its options, the context and what it saves alone, or a run that was resumed would
 * end with other bits.
 */
export interface Strategy {
  /** Its name in the configuration. */
  readonly name: string;
  /**
   * The cuts that it is going to make, in their order, rehearsed before the first epoch: one that is out of reach behind
   * those before it ends the run there. A generator is given the report of each as the uniform allocation makes it. A
   * strategy without this is taken for one that cuts nothing.
   */
  plannedCuts?(config: RunConfig): Iterable<PlannedCut, unknown, PruneReport>;
  /**
   * Before a run begins, and before it gives up what an earlier one left: throws where what the strategy reads or writes
   * besides the network lets it not. Asked by `--check`, too; not where a run is resumed.
   */
  check?(config: RunConfig, options: StrategyCheckOptions): Promise<void> | void;
  /** Once, before the first epoch; not again where a run is resumed. */
  onCompressionBegin?(context: CompressionContext): Promise<void> | void;
  onEpochBegin?(context: CompressionContext): Promise<void> | void;
  /** After the epoch's training and evaluation. */
  onEpochEnd?(context: CompressionContext): Promise<void> | void;
  /** Once, after the last epoch, before the model is written. */
  onCompressionEnd?(context: CompressionContext): Promise<void> | void;
  /** What {@link restore} needs to go on: plain JSON, kept in every checkpoint. */
  save?(): unknown;
  restore?(saved: unknown): void;
}
