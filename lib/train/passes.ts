import type { Sample } from '../data/dataset';
import type { DetectorSettings } from '../model/detector';
import { type BatchOptions, type TrainingBatch, trainingBatches } from './batches';

/** Where a run is in its data: passes over all pictures, and batches of the pass that are through. */
export interface DataPosition {
  pass: number;
  index: number;
}

/**
 * Batches without end: pass after pass over the pictures, each in an order and with draws of its own. A pass has a batch
 * less where draws leave no object on some pictures, so passes may run ahead of epochs, which are counted in steps.
 */
export async function* endlessBatches(
  samples: readonly Sample[],
  input: DetectorSettings['input'],
  options: Omit<BatchOptions, 'epoch' | 'skip'>,
  from: DataPosition = { pass: 0, index: 0 },
): AsyncGenerator<{ batch: TrainingBatch; next: DataPosition }, never, void> {
  for (let { pass, index } = from; ; pass++, index = 0) {
    for await (const batch of trainingBatches(samples, input, { ...options, epoch: pass, skip: index })) {
      yield { batch, next: { pass, index: batch.index + 1 } };
    }
  }
}
