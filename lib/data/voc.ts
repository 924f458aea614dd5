import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { SsdPruneError } from '../errors';
import { readError } from '../files';
import { type Dataset, type DatasetRequest, leaveOut, type Sample } from './dataset';
import { parseVocAnnotation } from './voc-annotation';

/** The 20 classes of Pascal VOC behind background, in the order every published model uses. */
export const vocClasses: readonly string[] = [
  'background',
  ...['aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow', 'diningtable', 'dog'],
  ...['horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor'],
];

const splitFolder = path.join('ImageSets', 'Main');
const imageSuffixes = ['.jpg', '.jpeg', '.png', '.JPG', '.JPEG', '.PNG'];
/** Files read at a time: enough to hide the latency of a network disk, far below any limit on open files. */
const readsInFlight = 32;

/** Whether the folder has VOC's layout: `ImageSets/Main` and `Annotations`. */
export async function isVocDirectory(directory: string): Promise<boolean> {
  const folders = [splitFolder, 'Annotations'].map((name) => stat(path.join(directory, name)));
  return Promise.all(folders).then(
    (found) => found.every((entry) => entry.isDirectory()),
    () => false,
  );
}

/** Reads one split of a folder with `JPEGImages`, `Annotations` and `ImageSets/Main/<split>.txt`. */
export async function openVoc(request: DatasetRequest): Promise<Dataset> {
  const { directory, split, classes, requireImages } = request;
  const names = classes ?? vocClasses;
  const ids = await readSplit(directory, split);
  const images = await imageFinder(directory, requireImages);
  const indexes = new Map(names.slice(1).map((name, i) => [name, i + 1]));
  const warnings: string[] = [];
  const samples = new Array<Sample | undefined>(ids.length);
  const read = async ({ id, where }: (typeof ids)[number]): Promise<Sample> => {
    const image = images(id, where);
    const file = path.join(directory, 'Annotations', `${id}.xml`);
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      // Still a sample's own fault: --skip-bad passes over it.
      const reason = error.code === 'ENOENT' ? `${file} is not there` : readError(file, error).message;
      throw new SsdPruneError('ERR_BAD_DATA', `${reason}; ${where} names it`);
    });
    return { id, image, ...parseVocAnnotation(text, file, indexes, warnings) };
  };
  let next = 0;
  const reader = async (): Promise<void> => {
    while (next < ids.length) {
      const position = next++;
      samples[position] = await read(ids[position]!).catch((error) => leaveOut(error, request));
    }
  };
  await Promise.all(Array.from({ length: readsInFlight }, reader));
  warnings.sort();
  return {
    format: 'voc',
    directory,
    split,
    classes: names,
    categoryIds: names.map((_, i) => i),
    samples: samples.filter((sample) => sample !== undefined),
    warnings,
  };
}

/** Pictures of a split, in its order, and what is wrong with those that are not there; annotations aren't read. */
export async function listVocPictures(
  directory: string,
  split: string,
): Promise<{ files: string[]; problems: string[] }> {
  const ids = await readSplit(directory, split);
  const images = await imageFinder(directory, true);
  const files: string[] = [];
  const problems: string[] = [];
  for (const { id, where } of ids) {
    try {
      files.push(images(id, where));
    } catch (error) {
      if (!(error instanceof SsdPruneError)) throw error;
      problems.push(error.message);
    }
  }
  return { files, problems };
}

/** The file that lists a split. */
export const vocSplitFile = (directory: string, split: string): string =>
  path.join(directory, splitFolder, `${split}.txt`);

/** Splits of a folder, sorted; undefined where it has no place for any. */
export async function listVocSplits(directory: string): Promise<string[] | undefined> {
  const names = await readdir(path.join(directory, splitFolder)).catch(() => undefined);
  return names
    ?.filter((name) => name.endsWith('.txt'))
    .map((name) => name.slice(0, -4))
    .sort();
}

/**
 * The ids of a split with the place that names them. What follows an id on its line (the 1, 0 or -1 of VOC's files for
 * single classes) is left aside: such a split means all the pictures it lists.
 */
async function readSplit(directory: string, split: string): Promise<{ id: string; where: string }[]> {
  const file = vocSplitFile(directory, split);
  const text = await readFile(file, 'utf8').catch(async (error) => {
    if (error.code !== 'ENOENT') throw readError(`split ${file}`, error);
    const there = (await listVocSplits(directory)) ?? [];
    const list = there.length > 0 ? `there are: ${there.join(', ')}` : 'there is none';
    throw new SsdPruneError('ERR_BAD_DATA', `No split ${JSON.stringify(split)}: ${file} is not there; ${list}`);
  });
  const ids: { id: string; where: string }[] = [];
  const lines = new Map<string, number>();
  for (const [i, line] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const words = line.trim().split(/\s+/);
    const id = words[0]!;
    if (id === '') continue;
    const where = `${file}:${i + 1}`;
    if (words.length > 2 || (words.length === 2 && !/^(-1|0|\+?1)$/.test(words[1]!))) {
      throw new SsdPruneError('ERR_BAD_DATA', `${where}: expected a picture's name, and at most 1, 0 or -1 behind it`);
    }
    if (id.split(/[/\\]/).includes('..') || path.isAbsolute(id)) {
      throw new SsdPruneError('ERR_BAD_DATA', `${where}: ${JSON.stringify(id)} leads out of the folder`);
    }
    const before = lines.get(id);
    if (before) throw new SsdPruneError('ERR_BAD_DATA', `${where}: ${id} is already on line ${before}`);
    lines.set(id, i + 1);
    ids.push({ id, where });
  }
  if (ids.length === 0) throw new SsdPruneError('ERR_BAD_DATA', `${file} names no picture`);
  return ids;
}

/** From an id to the picture's path. One listing of the folder is far cheaper than asking for every file. */
async function imageFinder(directory: string, required: boolean): Promise<(id: string, where: string) => string> {
  const folder = path.join(directory, 'JPEGImages');
  const there = new Set(await readdir(folder, { recursive: true }).catch(() => [] as string[]));
  return (id, where) => {
    const suffix = imageSuffixes.find((end) => there.has(path.normalize(`${id}${end}`)));
    if (suffix === undefined && required) {
      const file = path.join(folder, `${id}.jpg`);
      throw new SsdPruneError('ERR_BAD_DATA', `${file} (or .jpeg, .png) is not there; ${where} names it`);
    }
    return path.join(folder, `${id}${suffix ?? '.jpg'}`);
  };
}
