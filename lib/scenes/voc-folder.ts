import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { breathe } from '../abort';
import { loadSharp } from '../data/images';
import { invalidArgument, SsdPruneError } from '../errors';
import { makeFolder, replaceFile, writeError } from '../files';
import { drawScene, type Scene } from './scene';
import { sceneClasses } from './shapes';

export interface WriteScenesOptions {
  /** Name of the split: letters, digits, `_` and `-`. Defaults to `train`. */
  split?: string;
  /** How many scenes. */
  count: number;
  /** An integer from 0. Defaults to `0`. */
  seed?: number;
  /** Replace the split where the folder has it. Defaults to `false`. */
  force?: boolean;
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/** Scenes that are encoded and written while the next one is drawn. */
const inFlight = 4;

/**
 * Writes a split of labelled scenes as a Pascal VOC folder; other splits that are there stay. Its list is written last:
 * a folder whose writing was broken off has no such split. `classes.txt` names the classes.
 * @throws {SsdPruneError} ERR_OUTPUT_EXISTS where the folder has that split, ERR_IO, ERR_ABORTED
 */
export async function writeScenes(directory: string, options: WriteScenesOptions): Promise<void> {
  const { split = 'train', count, seed = 0, force = false, onProgress, signal } = options;
  if (!/^[\w-]+$/.test(split)) throw invalidArgument('split', 'letters, digits, _ and -', split);
  if (!Number.isSafeInteger(count) || count < 1) throw invalidArgument('count', 'a whole number from 1', count);
  const folder = (...names: string[]): string => path.join(directory, ...names);
  const list = folder('ImageSets', 'Main', `${split}.txt`);
  if (!force && (await stat(list).catch(() => undefined))) {
    throw new SsdPruneError('ERR_OUTPUT_EXISTS', `${list} exists: name another folder or split, or say --force`);
  }
  for (const name of ['Annotations', 'JPEGImages', path.join('ImageSets', 'Main')]) await makeFolder(folder(name));

  const sharp = loadSharp();
  const ids = Array.from({ length: count }, (_, i) => `${split}_${String(i).padStart(6, '0')}`);
  const write = async (id: string, scene: Scene): Promise<void> => {
    const { data, width, height } = scene;
    const picture = sharp(data, { raw: { width, height, channels: 3 } });
    // Colours at full resolution: edges of small shapes are what a detector looks at.
    const jpeg = await picture.jpeg({ quality: 92, chromaSubsampling: '4:4:4' }).toBuffer();
    await put(folder('JPEGImages', `${id}.jpg`), jpeg);
    await put(folder('Annotations', `${id}.xml`), annotation(id, scene));
  };
  let [next, done] = [0, 0];
  const writer = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      try {
        await breathe(signal);
        await write(ids[index]!, drawScene({ seed, split, index }));
      } catch (error) {
        // The other writers finish what they are at, and begin nothing more.
        next = count;
        throw error;
      }
      onProgress?.(++done, count);
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: inFlight }, writer));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
  await put(folder('classes.txt'), sceneClasses.slice(1).join('\n').concat('\n'));
  await replaceFile(list, [Buffer.from(ids.join('\n').concat('\n'))]);
}

async function put(file: string, content: string | Uint8Array): Promise<void> {
  await writeFile(file, content).catch((error) => {
    throw writeError(file, error);
  });
}

function annotation(id: string, { width, height, boxes, labels, difficult, truncated }: Scene): string {
  const objects = Array.from(labels, (label, i) => {
    const [xmin, ymin, xmax, ymax] = boxes.subarray(4 * i, 4 * i + 4);
    return [
      '  <object>',
      `    <name>${sceneClasses[label]}</name>`,
      `    <truncated>${truncated[i]}</truncated>`,
      `    <difficult>${difficult[i]}</difficult>`,
      `    <bndbox><xmin>${xmin}</xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox>`,
      '  </object>',
    ];
  });
  const lines = [
    '<annotation>',
    `  <filename>${id}.jpg</filename>`,
    `  <size><width>${width}</width><height>${height}</height><depth>3</depth></size>`,
    ...objects.flat(),
    '</annotation>',
  ];
  return `${lines.join('\n')}\n`;
}
