import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { decodePicture, type Picture } from '../data/images';
import { invalidArgument, SsdPruneError } from '../errors';
import { defaultDecoders } from '../evaluate/pipeline';
import { Preprocessor } from '../evaluate/preprocess';
import type { Feeds } from '../evaluate/session';
import { readError } from '../files';
import type { DetectorSettings } from '../model/detector';
import { draw } from '../model/random';

/** Where activations begin: numbered inputs of a model. */
export interface CalibrationSource {
  readonly count: number;
  /** Feeds of inputs `first` … `last − 1` as one batch, in buffers of their own. */
  feeds(first: number, last: number): Promise<Feeds>;
}

const pictureFiles = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i;

/**
 * Pictures to calibrate on: of a VOC or COCO folder those of a split, of any other folder every picture below it, of a
 * text file one path a line (relative to the file; blank lines and lines that begin with # are passed over). Labels are
 * never read. In the order of the split or the file, else by path.
 * @throws {SsdPruneError} ERR_BAD_DATA where there is no such place, no picture in it, or a listed one is not there, with
 * the line that names it; ERR_USAGE where the place is no text, where a split is missing, or given for a text file
 */
export async function findPictures(place: string, split?: string): Promise<string[]> {
  const { files, problems } = await findAllPictures(place, split);
  if (problems.length > 0) throw new SsdPruneError('ERR_BAD_DATA', problems[0]!);
  return files;
}

/** Pictures that are there, and what is wrong with the others. */
export interface FoundPictures {
  files: string[];
  problems: string[];
}

/**
 * {@link findPictures}, where pictures that are not there are no reason to give up.
 * @throws {SsdPruneError} as that, but for single pictures
 */
export async function findAllPictures(place: string, split?: string): Promise<FoundPictures> {
  if (typeof place !== 'string') throw invalidArgument('pictures', 'a folder or a list of pictures', place);
  const found = await stat(place).catch(() => undefined);
  if (!found) throw new SsdPruneError('ERR_BAD_DATA', `${place}: no such folder or list of pictures`);
  if (!found.isDirectory()) {
    if (split === undefined) return listedIn(place);
    throw new SsdPruneError(
      'ERR_USAGE',
      `${place} is no VOC or COCO folder, which alone has splits: leave --split off.`,
    );
  }
  const pictures = await picturesIn(place, split);
  if (pictures.files.length + pictures.problems.length === 0) {
    throw new SsdPruneError('ERR_BAD_DATA', `${place}: no pictures there`);
  }
  return pictures;
}

/** The split whose pictures {@link findPictures} takes; undefined where the place has none. */
export async function splitOf(place: string, split?: string): Promise<string | undefined> {
  const { isVocDirectory } = require('../data/voc') as typeof import('../data/voc');
  return split ?? ((await isVocDirectory(place)) ? vocSplit : undefined);
}

const vocSplit = 'train';

async function picturesIn(folder: string, split: string | undefined): Promise<FoundPictures> {
  const { isVocDirectory, listVocPictures } = require('../data/voc') as typeof import('../data/voc');
  if (await isVocDirectory(folder)) return listVocPictures(folder, split ?? vocSplit);
  if (split !== undefined) {
    const { openDataset } = require('../data/dataset') as typeof import('../data/dataset');
    return { files: (await openDataset(folder, { split })).samples.map(({ image }) => image), problems: [] };
  }
  if (await stat(path.join(folder, 'annotations')).catch(() => undefined)) {
    throw new SsdPruneError(
      'ERR_USAGE',
      `${folder} has annotations: say which split its pictures are to come from (--split train2017)`,
    );
  }
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && pictureFiles.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name));
  return { files: files.sort(), problems: [] };
}

async function listedIn(list: string): Promise<FoundPictures> {
  const text = await readFile(list, 'utf8').catch((error) => {
    throw readError(`list of pictures ${list}`, error);
  });
  if (text.includes('\0')) {
    throw new SsdPruneError(
      'ERR_BAD_DATA',
      `${list} is no text: name a folder of pictures, or a list with a path a line`,
    );
  }
  const lines = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .map((line, i) => ({ name: line.trim(), where: `${list}:${i + 1}` }))
    .filter(({ name }) => name !== '' && !name.startsWith('#'));
  if (lines.length === 0) throw new SsdPruneError('ERR_BAD_DATA', `${list} names no picture`);
  const named = lines.map(({ name, where }) => ({ file: path.resolve(path.dirname(list), name), where }));
  const files: string[] = [];
  const problems: string[] = [];
  // All of them, whichever are drawn.
  for (let first = 0; first < named.length; first += looksInFlight) {
    const part = named.slice(first, first + looksInFlight);
    const faults = await Promise.all(part.map(({ file }) => faultOf(file)));
    part.forEach(({ file, where }, i) => {
      if (faults[i] === undefined) files.push(file);
      else problems.push(`${file} ${faults[i]}; ${where} names it`);
    });
  }
  return { files, problems };
}

/** Files asked for at a time: enough to hide the latency of a network disk. */
const looksInFlight = 64;

/** Why a path can be no picture's. */
async function faultOf(file: string): Promise<string | undefined> {
  try {
    return (await stat(file)).isFile() ? undefined : 'is no file';
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'is not there' : `can't be read (${code ?? message})`;
  }
}

/** `count` of the files (all where there are fewer), a draw that depends on the seed and their number alone. */
export function drawPictures(files: readonly string[], count: number, seed: number): string[] {
  if (!Number.isInteger(count) || count < 1)
    throw invalidArgument('calibrationImages', 'an integer of 1 or more', count);
  return draw(count, files.length, seed, 'calibration pictures').map((i) => files[i]!);
}

/** A draw whose pictures were all decoded, and what is wrong with those that were left out of it. */
export interface WholePictures {
  files: string[];
  problems: string[];
}

/**
 * Draws as {@link drawPictures} does, and decodes what was drawn.
 * @throws {SsdPruneError} what {@link findAllPictures} and {@link checkPictures} throw: all that is wrong at once, unless
 * `skipBad`
 */
export async function drawWholePictures(
  place: string,
  { split, images, seed, skipBad = false, signal }: DrawOptions,
): Promise<WholePictures> {
  const { checkPictures } = require('../data/check') as typeof import('../data/check');
  const { files: found, problems: missing } = await findAllPictures(place, split);
  const drawn = drawPictures(found, images, seed);
  const { pictures, problems } = await checkPictures(place, drawn, { skipBad, missing, ...(signal && { signal }) });
  return { files: pictures.map(({ file }) => file), problems };
}

export interface DrawOptions {
  split: string | undefined;
  images: number;
  seed: number;
  skipBad?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Decoded pictures up to this many bytes are kept: the first ones are asked for several times (see stage-samples.ts). */
const keptBytes = 40 * 2 ** 20;

/** Pictures as a detector sees them. */
export class PictureSource implements CalibrationSource {
  private readonly preprocessor: Preprocessor;
  private readonly decoded = new Map<number, Picture>();
  private bytes = 0;

  constructor(
    private readonly files: readonly string[],
    private readonly input: DetectorSettings['input'],
  ) {
    this.preprocessor = new Preprocessor(input);
  }

  get count(): number {
    return this.files.length;
  }

  async feeds(first: number, last: number): Promise<Feeds> {
    const { size, width, height } = this.preprocessor;
    const data = new Float32Array((last - first) * size);
    let next = first;
    const work = async (): Promise<void> => {
      while (next < last) {
        const index = next++;
        await this.preprocessor.fill(await this.picture(index), data, index - first);
      }
    };
    await Promise.all(Array.from({ length: defaultDecoders() }, work));
    return { [this.input.name]: { dims: [last - first, 3, height, width], data } };
  }

  private async picture(index: number): Promise<Picture> {
    const known = this.decoded.get(index);
    if (known) return known;
    const picture = await decodePicture(this.files[index]!);
    if (this.bytes + picture.data.length <= keptBytes) {
      this.bytes += picture.data.length;
      this.decoded.set(index, picture);
    }
    return picture;
  }
}
