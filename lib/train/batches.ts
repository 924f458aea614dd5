import { availableParallelism } from 'node:os';
import { throwIfAborted } from '../abort';
import { checkedPicture } from '../data/check';
import type { Sample } from '../data/dataset';
import { limit } from '../data/limit';
import { invalidArgument, SsdPruneError } from '../errors';
import type { DetectorSettings } from '../model/detector';
import {
  type Augmentation,
  type AugmentSettings,
  type DrawKey,
  drawAugmentation,
  epochOrder,
  paddleAugmentation,
} from './augmentation';
import { Augmenter, type BatchLayout } from './augmenter';

export interface BatchOptions extends DrawKey {
  batchSize: number;
  /** Defaults to Paddle's. */
  augment?: AugmentSettings;
  /** Defaults to `{ kind: 'nchw' }`. */
  layout?: BatchLayout;
  /** Batches of the epoch that are left out, to go on where another run stopped. Defaults to 0. */
  skip?: number;
  /** Batches that are prepared while one is in use. Defaults to 2. */
  ahead?: number;
  /** Pictures decoded at the same time. Defaults to the number of cores, at most 4. */
  decoders?: number;
  signal?: AbortSignal;
}

export interface TrainingBatch {
  /** Its place in the epoch, from 0. */
  readonly index: number;
  /** Pictures in the layout asked for; what padding an NHWC pitch has is zero. */
  readonly inputs: Float32Array;
  /** Samples of the batch, by their index in the list. */
  readonly samples: readonly number[];
  /** Objects of picture i are `offsets[i]` … `offsets[i + 1] - 1`; boxes are corners as shares of the input. */
  readonly offsets: Int32Array;
  readonly boxes: Float32Array;
  readonly labels: Int32Array;
  /** Gives `inputs` back to be filled anew. Until then nobody writes to it. */
  release(): void;
}

interface Planned {
  sample: number;
  augmentation: Augmentation;
}

/**
 * The full batches of one epoch, in an order and with draws that depend on seed, epoch and samples alone: neither the
 * number of decoders nor what was skipped changes a bit of them. While a batch is in use the next ones are decoded and
 * augmented off this thread. Pictures that no object is left on are left out; the last pictures, too few for a batch,
 * are left out too.
 * @throws {SsdPruneError} ERR_BAD_DATA naming a picture that is broken or not of the annotated size, or where there are
 * fewer pictures than a batch has
 */
export async function* trainingBatches(
  samples: readonly Sample[],
  input: DetectorSettings['input'],
  options: BatchOptions,
): AsyncGenerator<TrainingBatch, void, void> {
  const { batchSize, skip = 0, ahead = 2, layout, signal } = options;
  for (const [name, value, least] of [
    ['batchSize', batchSize, 1],
    ['ahead', ahead, 1],
    ['skip', skip, 0],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < least) throw invalidArgument(name, `at least ${least}`, value);
  }
  const augmenter = new Augmenter(input, layout);
  const decoding = limit(options.decoders ?? Math.min(4, availableParallelism()));
  const free: Float32Array[] = [];
  const plan = planEpoch(samples, options);

  const load = async (pictures: Planned[], index: number): Promise<TrainingBatch> => {
    const inputs = free.pop() ?? new Float32Array(batchSize * augmenter.size);
    await Promise.all(
      pictures.map(({ sample, augmentation }, place) =>
        decoding(async () => {
          throwIfAborted(signal);
          await augmenter.fillPlace(await checkedPicture(samples[sample]!), augmentation, inputs, place);
        }),
      ),
    );
    let held = true;
    const release = (): void => {
      if (held) free.push(inputs);
      held = false;
    };
    return { index, inputs, ...truthOf(pictures), release };
  };

  const running: Promise<TrainingBatch>[] = [];
  let index = 0;
  const begin = (): void => {
    const next = plan.next();
    if (next.done) return;
    const batch = load(next.value, index++);
    // A failure is thrown when its batch's turn comes; until then nobody listens.
    batch.catch(() => {});
    running.push(batch);
  };
  for (; index < skip; index++) {
    if (plan.next().done) return;
    await new Promise(setImmediate);
  }
  try {
    while (running.length < ahead) {
      const before = running.length;
      begin();
      if (running.length === before) break;
    }
    if (running.length === 0 && skip === 0) {
      throw new SsdPruneError(
        'ERR_BAD_DATA',
        `Of ${samples.length} pictures fewer than ${batchSize} show an object, but a batch has ${batchSize}; ask for smaller batches`,
      );
    }
    while (running.length > 0) {
      const batch = await running.shift()!;
      throwIfAborted(signal);
      begin();
      yield batch;
    }
  } finally {
    await Promise.allSettled(running);
  }
}

/** Full batches of one epoch as draws alone. */
function* planEpoch(
  samples: readonly Sample[],
  { batchSize, augment = paddleAugmentation, ...key }: BatchOptions,
): Generator<Planned[], void, void> {
  let batch: Planned[] = [];
  for (const sample of epochOrder(key, samples.length)) {
    const augmentation = drawAugmentation(augment, key, samples[sample]!);
    if (!augmentation) continue;
    batch.push({ sample, augmentation });
    if (batch.length < batchSize) continue;
    yield batch;
    batch = [];
  }
}

function truthOf(pictures: readonly Planned[]): Pick<TrainingBatch, 'samples' | 'offsets' | 'boxes' | 'labels'> {
  const offsets = new Int32Array(pictures.length + 1);
  for (const [i, { augmentation }] of pictures.entries()) offsets[i + 1] = offsets[i]! + augmentation.labels.length;
  const boxes = new Float32Array(4 * offsets[pictures.length]!);
  const labels = new Int32Array(offsets[pictures.length]!);
  for (const [i, { augmentation }] of pictures.entries()) {
    boxes.set(augmentation.boxes, 4 * offsets[i]!);
    labels.set(augmentation.labels, offsets[i]!);
  }
  return { samples: pictures.map(({ sample }) => sample), offsets, boxes, labels };
}
