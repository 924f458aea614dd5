import { availableParallelism } from 'node:os';
import { throwIfAborted } from '../abort';
import { SsdPruneError } from '../errors';
import { type Dataset, type OpenDatasetOptions, openDataset, type Sample } from './dataset';
import { decodePicture } from './images';
import { limit } from './limit';

export interface CheckOptions extends Omit<OpenDatasetOptions, 'onBadSample' | 'requireImages'> {
  /** Go on without what is wrong, instead of refusing all of it. Defaults to `false`. */
  skipBad?: boolean;
  /** Pictures decoded at the same time. Defaults to the number of cores, at most 4. */
  decoders?: number;
  /** Told after each picture. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

export interface CheckedDataset {
  /** Samples that can be trained on, in their order. */
  readonly dataset: Dataset;
  /** What is wrong with the others, each with its file, sorted. */
  readonly problems: readonly string[];
}

/** Problems that a message lists; the rest is counted. */
const shownProblems = 50;

/**
 * Opens a split for training: reads every annotation and decodes every picture, and names all that are wrong at once,
 * before anything is trained. Wrong are: annotations that can't be read, pictures that are missing, broken or not of the
 * annotated size, and boxes that have no area on their picture.
 * @throws {SsdPruneError} ERR_BAD_DATA listing them, unless `skipBad`; always where no picture is left
 */
export async function checkDataset(directory: string, options: CheckOptions): Promise<CheckedDataset> {
  const { skipBad = false, decoders, onProgress, signal, ...open } = options;
  const problems: string[] = [];
  const opened = await openDataset(directory, { ...open, onBadSample: ({ message }) => problems.push(message) });
  const decoding = limit(decoders ?? Math.min(4, availableParallelism()));
  const total = opened.samples.length;
  let done = 0;
  const found = await Promise.all(
    opened.samples.map((sample) =>
      decoding(async () => {
        throwIfAborted(signal);
        const wrong = boxProblems(sample, opened.classes);
        await checkedPicture(sample).catch((error) => wrong.push(messageOf(error)));
        onProgress?.(++done, total);
        return wrong;
      }),
    ),
  );
  problems.push(...found.flat());
  problems.sort();
  const samples = opened.samples.filter((_, i) => found[i]!.length === 0);
  if (problems.length > 0 && !skipBad) throw refusal(directory, problems, 'mend them, or leave them out by --skip-bad');
  if (samples.length === 0) throw refusal(directory, problems, 'no picture is left');
  return { dataset: { ...opened, samples }, problems };
}

/**
 * A sample's picture, decoded.
 * @throws {SsdPruneError} ERR_BAD_DATA where it is broken, or not as large as its annotation says: its boxes would lie
 * elsewhere
 */
export async function checkedPicture({ image, width, height }: Sample) {
  const picture = await decodePicture(image);
  if (picture.width === width && picture.height === height) return picture;
  throw new SsdPruneError(
    'ERR_BAD_DATA',
    `${image}: the picture is ${picture.width}x${picture.height}, but its annotation says ${width}x${height}`,
  );
}

/** Boxes that show nothing of their object. */
function boxProblems({ image, width, height, boxes, labels }: Sample, classes: readonly string[]): string[] {
  const wrong: string[] = [];
  for (const [i, label] of labels.entries()) {
    const [xmin, ymin, xmax, ymax] = [boxes[4 * i]!, boxes[4 * i + 1]!, boxes[4 * i + 2]!, boxes[4 * i + 3]!];
    const [w, h] = [Math.min(xmax, width) - Math.max(xmin, 0), Math.min(ymax, height) - Math.max(ymin, 0)];
    // The negated form catches NaN too.
    if (!(w > 0 && h > 0)) {
      const name = classes[label] ?? `class ${label}`;
      wrong.push(
        `${image}: box (${xmin}, ${ymin}, ${xmax}, ${ymax}) of ${name} has no area on the picture of ${width}x${height}`,
      );
    }
  }
  return wrong;
}

function messageOf(error: unknown): string {
  if (error instanceof SsdPruneError && error.code === 'ERR_BAD_DATA') return error.message;
  throw error;
}

function refusal(directory: string, problems: readonly string[], advice: string): SsdPruneError {
  const shown = problems.slice(0, shownProblems);
  if (problems.length > shown.length) shown.push(`… and ${problems.length - shown.length} more`);
  const lines = shown.map((line) => `\n  ${line}`).join('');
  return new SsdPruneError('ERR_BAD_DATA', `${directory}: ${problems.length} problems; ${advice}:${lines}`);
}
