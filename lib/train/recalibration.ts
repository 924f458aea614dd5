import { throwIfAborted } from '../abort';
import type { NativeGraph } from '../native/engine';
import type { NativeTrainer } from '../native/trainer';
import type { TrainingBatch } from './batches';
import { NodeKind } from './plan-graph';

/** A running statistic in the flat array of weights. */
export interface StatisticRange {
  begin: number;
  end: number;
  kind: 'mean' | 'variance';
  /** Share of the old value that a pass leaves: each node that shares the statistic takes its part. */
  momentum: number;
}

/**
 * Running means and variances of a graph, whose parameters begin at `offsets`, each once: a layer that is used twice has
 * the same ones for both. Those that never move (momentum 1) are none of them.
 */
export function statisticRanges({ nodes, parameters }: NativeGraph, offsets: readonly number[]): StatisticRange[] {
  const left = new Map<number, { variance: number; momentum: number }>();
  for (const { kind, mean, variance, momentum } of nodes) {
    if (kind !== NodeKind.normalization) continue;
    left.set(mean, { variance, momentum: momentum * (left.get(mean)?.momentum ?? 1) });
  }
  return [...left].flatMap(([mean, { variance, momentum }]) => {
    if (momentum === 1) return [];
    const range = (parameter: number) => ({
      begin: offsets[parameter]!,
      end: offsets[parameter]! + parameters[parameter]!,
      momentum,
    });
    return [
      { ...range(mean), kind: 'mean' as const },
      { ...range(variance), kind: 'variance' as const },
    ];
  });
}

/**
 * Measures running statistics anew, each layer's behind those before it: mean and variance over so many batches, as if
 * they were one. A network whose channels were cut has other ones than its model says.
 */
export async function recalibrate(
  native: NativeTrainer,
  ranges: readonly StatisticRange[],
  weights: Float32Array,
  batches: AsyncIterator<{ batch: TrainingBatch }>,
  { count, passes, signal }: { count: number; passes: number; signal?: AbortSignal | undefined },
): Promise<void> {
  const length = ranges.reduce((sum, { begin, end }) => sum + end - begin, 0);
  const [found, sums, squares] = [new Float32Array(length), new Float64Array(length), new Float64Array(length)];
  for (let i = 0; i < count; i++) {
    const next = await batches.next();
    if (next.done) break;
    const { batch } = next.value;
    const size = batch.inputs.length / passes;
    for (let pass = 0; pass < passes; pass++) {
      throwIfAborted(signal);
      await native.statistics(batch.inputs.subarray(pass * size, (pass + 1) * size), found);
      for (let k = 0; k < length; k++) {
        sums[k]! += found[k]!;
        squares[k]! += found[k]! ** 2;
      }
    }
    batch.release();
  }
  const n = count * passes;
  let at = 0;
  let mean = 0;
  for (const { begin, end, kind } of ranges) {
    if (kind === 'mean') mean = at;
    for (let k = 0; k < end - begin; k++) {
      // Variance of all: the mean of the variances, and the variance of the means.
      const between = kind === 'variance' ? squares[mean + k]! / n - (sums[mean + k]! / n) ** 2 : 0;
      weights[begin + k] = sums[at + k]! / n + Math.max(0, between);
    }
    at += end - begin;
  }
}
