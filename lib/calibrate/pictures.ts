import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { decodePicture, type Picture } from '../data/images';
import { invalidArgument, SsdPruneError } from '../errors';
import { defaultDecoders } from '../evaluate/pipeline';
import { Preprocessor } from '../evaluate/preprocess';
import type { Feeds } from '../evaluate/session';
import { readError } from '../files';
import type { DetectorSettings } from '../model/detector';
import { uniform } from '../model/random';

/** Where activations begin: numbered inputs of a model. */
export interface CalibrationSource {
  readonly count: number;
  /** Feeds of inputs `first` … `last − 1` as one batch, in buffers of their own. */
  feeds(first: number, last: number): Promise<Feeds>;
}

const pictureFiles = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i;

/**
 * Pictures to calibrate on: of a VOC or COCO folder those of a split, of any other folder every picture below it, of a
 * text file one path a line (relative to the file). Labels are never read. In the order of the split, else by path.
 * @throws {SsdPruneError} ERR_BAD_DATA where there is no such place or no picture in it
 */
export async function findPictures(place: string, split?: string): Promise<string[]> {
  const found = await stat(place).catch(() => undefined);
  if (!found) throw new SsdPruneError('ERR_BAD_DATA', `${place}: no such folder or list of pictures`);
  const files = found.isDirectory() ? await picturesIn(place, split) : await listedIn(place);
  if (files.length === 0) throw new SsdPruneError('ERR_BAD_DATA', `${place}: no pictures there`);
  return files;
}

async function picturesIn(folder: string, split: string | undefined): Promise<string[]> {
  const { isVocDirectory, listVocPictures } = require('../data/voc') as typeof import('../data/voc');
  if (await isVocDirectory(folder)) return listVocPictures(folder, split ?? 'train');
  if (split !== undefined) {
    const { openDataset } = require('../data/dataset') as typeof import('../data/dataset');
    return (await openDataset(folder, { split })).samples.map(({ image }) => image);
  }
  if (await stat(path.join(folder, 'annotations')).catch(() => undefined)) {
    throw new SsdPruneError(
      'ERR_USAGE',
      `${folder} has annotations: say which split its pictures are to come from (--split train2017)`,
    );
  }
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && pictureFiles.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

async function listedIn(list: string): Promise<string[]> {
  const text = await readFile(list, 'utf8').catch((error) => {
    throw readError(`list of pictures ${list}`, error);
  });
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '').map((line) => path.resolve(path.dirname(list), line));
}

/** `count` of the files (all where there are fewer), a draw that depends on the seed and their number alone. */
export function drawPictures(files: readonly string[], count: number, seed: number): string[] {
  if (!Number.isInteger(count) || count < 1)
    throw invalidArgument('calibrationImages', 'an integer of 1 or more', count);
  const random = uniform(seed, 'calibration pictures');
  const order = Array.from(files, (_, i) => ({ i, key: random(i) })).sort((a, b) => a.key - b.key || a.i - b.i);
  return order.slice(0, count).map(({ i }) => files[i]!);
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
