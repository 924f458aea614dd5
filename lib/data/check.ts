import { availableParallelism } from 'node:os';
import { throwIfAborted } from '../abort';
import { counted } from '../counted';
import { SsdPruneError } from '../errors';
import { type Dataset, type OpenDatasetOptions, openDataset, type Sample } from './dataset';
import { decodePicture } from './images';
import { limit } from './limit';

export interface PictureCheckOptions {
  /** Go on without what is wrong, instead of refusing all of it. Defaults to `false`. */
  skipBad?: boolean;
  /** Pictures decoded at the same time. Defaults to the number of cores, at most 4. */
  decoders?: number;
  /** Told after each picture. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

export interface CheckOptions extends PictureCheckOptions, Omit<OpenDatasetOptions, 'onBadSample' | 'requireImages'> {}

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
  const { skipBad, decoders, onProgress, signal, ...open } = options;
  const problems: string[] = [];
  const opened = await openDataset(directory, { ...open, onBadSample: ({ message }) => problems.push(message) });
  const found = await inspectAll(opened.samples, options, async (sample) => {
    const wrong = boxProblems(sample, opened.classes);
    await checkedPicture(sample).catch((error) => wrong.push(messageOf(error)));
    return wrong;
  });
  problems.push(...found.flat());
  const samples = opened.samples.filter((_, i) => found[i]!.length === 0);
  refuseProblems(directory, problems, samples.length, options);
  return { dataset: { ...opened, samples }, problems };
}

/** A picture that can be decoded, and its size. */
export interface CheckedPicture {
  readonly file: string;
  readonly width: number;
  readonly height: number;
}

/**
 * Decodes pictures that have no annotations, and names all that are broken at once, as {@link checkDataset} does.
 * @param place where they were found, for messages
 * @param options `missing`: what is wrong with others that can't be decoded
 */
export async function checkPictures(
  place: string,
  files: readonly string[],
  { missing = [], ...options }: PictureCheckOptions & { missing?: readonly string[] } = {},
): Promise<{ pictures: CheckedPicture[]; problems: string[] }> {
  const found = await inspectAll(files, options, (file) =>
    decodePicture(file).then(({ width, height }): CheckedPicture => ({ file, width, height }), messageOf),
  );
  const problems = [...missing, ...found.filter((one) => typeof one === 'string')];
  const pictures = found.filter((one) => typeof one !== 'string');
  refuseProblems(place, problems, pictures.length, options);
  return { pictures, problems };
}

/** What `inspect` says of each, some at a time. */
async function inspectAll<T, R>(
  things: readonly T[],
  { decoders, onProgress, signal }: PictureCheckOptions,
  inspect: (thing: T) => Promise<R>,
): Promise<R[]> {
  const decoding = limit(decoders ?? Math.min(4, availableParallelism()));
  let done = 0;
  return Promise.all(
    things.map((thing) =>
      decoding(async () => {
        throwIfAborted(signal);
        const found = await inspect(thing);
        onProgress?.(++done, things.length);
        return found;
      }),
    ),
  );
}

/** Sorts the problems; throws where they may not be, or where nothing is left. */
function refuseProblems(place: string, problems: string[], left: number, { skipBad = false }: PictureCheckOptions) {
  problems.sort();
  if (problems.length > 0 && !skipBad) throw refusal(place, problems, 'mend them, or leave them out by --skip-bad');
  if (left === 0) throw refusal(place, problems, 'no picture is left');
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

/** What annotations say of a class that there is not. */
const knownClasses = /; the classes are: .*$/;

function refusal(directory: string, problems: readonly string[], advice: string): SsdPruneError {
  const shown = problems.slice(0, shownProblems);
  if (problems.length > shown.length) shown.push(`… and ${problems.length - shown.length} more`);
  // Once, where many say so: a list of pictures for another detector.
  const [known] = shown.flatMap((line) => knownClasses.exec(line) ?? []);
  const repeated = known !== undefined && shown.filter((line) => line.endsWith(known)).length > 1;
  const listed = repeated ? [...shown.map((line) => line.replace(known, '')), known.slice(2)] : shown;
  const lines = listed.map((line) => `\n  ${line}`).join('');
  return new SsdPruneError('ERR_BAD_DATA', `${directory}: ${counted(problems.length, 'problem')}; ${advice}:${lines}`);
}
