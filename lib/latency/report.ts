import type { Machine } from '../machine';
import type { EndToEnd } from './end-to-end';

/** Part of the prune report: what the smaller model takes, measured beside the original. */
export interface LatencyReport extends EndToEnd {
  readonly target: {
    /** Of the original's latency; of its least run, where the target is in milliseconds. */
    readonly share: number;
    /** null where the target is a share. */
    readonly milliseconds: number | null;
  };
  readonly device: 'cpu';
  readonly threads: number;
  readonly batchSize: 1;
  /** Share of the undisturbed time: kernels alone, each the least of its runs. What a busy machine hides from `share`. */
  readonly kernelShare: number;
  /** Mean of `share` and `kernelShare`, weighted by how certain they are: what is compared with the target. */
  readonly bestShare: number;
  /** Whether that is within 3 % of the target. */
  readonly reached: boolean;
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
