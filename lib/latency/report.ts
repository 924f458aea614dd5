import type { Machine } from '../machine';
import type { EndToEnd } from './end-to-end';

/** Part of the prune report: what the smaller model takes, measured beside the original. */
export interface LatencyReport extends EndToEnd {
  readonly target: {
    /** Of the original's latency. */
    readonly share: number;
    /** Where the target was given so. */
    readonly milliseconds: number | null;
  };
  readonly device: 'cpu';
  readonly threads: number;
  readonly batchSize: 1;
  /** Whether the measured share, or median for a target in milliseconds, is as near the target as it should be. */
  readonly reached: boolean;
  /** Share of the undisturbed time: kernels alone, each the least of its runs. What a busy machine hides from `share`. */
  readonly kernelShare: number;
  readonly table: {
    /** Share that the table gives for the widths. */
    readonly predictedShare: number;
    /** Channels that kernels work on at once. */
    readonly block: number;
    /** Models that were measured for it. */
    readonly models: number;
    readonly cached: boolean;
    /** Where it is kept; null where it can't be. */
    readonly file: string | null;
  };
  /** Widths that were tried, in order. */
  readonly iterations: readonly LatencyTrial[];
  readonly machine: Machine;
  /** Version of ONNX Runtime. */
  readonly runtime: string | null;
}

export interface LatencyTrial {
  readonly predictedShare: number;
  /** Measured end to end, its standard error, and by kernels alone. */
  readonly share: number;
  readonly standardError: number;
  readonly kernelShare: number;
}
