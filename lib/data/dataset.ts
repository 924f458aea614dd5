import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { invalidArgument, SsdPruneError } from '../errors';
import { readError } from '../files';
import { draw } from '../model/random';
import { openCoco } from './coco';
import { isVocDirectory, openVoc } from './voc';

/** One picture and what is annotated on it. Arrays run over its boxes, in the order of the annotation. */
export interface Sample {
  /** VOC: the name in the split, such as `000001`; COCO: the image id, as text. */
  readonly id: string;
  /** Path of the picture. */
  readonly image: string;
  /** Pixels, as the annotation says. */
  readonly width: number;
  readonly height: number;
  /** xmin, ymin, xmax, ymax of each box in pixels as annotated (VOC counts pixels from 1, COCO from 0). */
  readonly boxes: Float32Array;
  /** Index into {@link Dataset.classes}; background is 0. */
  readonly labels: Int32Array;
  /** 1 where VOC says difficult; COCO has none. */
  readonly difficult: Uint8Array;
  /** 1 where VOC says truncated; COCO has none. */
  readonly truncated: Uint8Array;
  /** COCO only: 1 where the box holds a crowd. */
  readonly crowd?: Uint8Array;
  /** COCO only: area of the segment in square pixels, by which COCO calls an object small, medium or large. */
  readonly area?: Float64Array;
  /** COCO only: x, y, width, height as in the file, not rounded to float32. */
  readonly bbox?: Float64Array;
}

export interface Dataset {
  readonly format: 'voc' | 'coco';
  readonly directory: string;
  readonly split: string;
  /** Class names by index; index 0 is `background`. */
  readonly classes: readonly string[];
  /** What detection files call each class: its index (VOC) or the category id (COCO); 0 for background. */
  readonly categoryIds: readonly number[];
  /** VOC: in the order of the split; COCO: by ascending image id. */
  readonly samples: readonly Sample[];
  /** Oddities that were kept as annotated, such as a box that leaves its picture. */
  readonly warnings: readonly string[];
}

export interface OpenDatasetOptions {
  /** Name of the split: `ImageSets/Main/<split>.txt`, or `annotations/instances_<split>.json`. */
  split: string;
  /** Class names in index order, with or without a leading `background`. Defaults to VOC's 20, or COCO's categories. */
  classes?: readonly string[];
  /** Refuse a split with pictures that aren't there. Defaults to `true`. */
  requireImages?: boolean;
  /**
   * Told of a sample whose annotation is wrong (VOC) or whose picture isn't there, which is then left out. By default
   * the first one is thrown.
   */
  onBadSample?: (error: SsdPruneError) => void;
}

/**
 * Reads the annotations of one split of a Pascal VOC or a COCO folder; which of them it is shows in its layout.
 * @throws {SsdPruneError} ERR_BAD_DATA naming file and line; the message for a missing split lists those there are.
 */
export async function openDataset(directory: string, options: OpenDatasetOptions): Promise<Dataset> {
  if (typeof directory !== 'string' || directory === '') throw invalidArgument('directory', 'a path', directory);
  const { split, requireImages = true, onBadSample } = options;
  // A split names a file inside the folder and nothing outside of it.
  if (typeof split !== 'string' || !/^[^/\\]+$/.test(split) || split.startsWith('.')) {
    throw invalidArgument('split', 'the name of a split', split);
  }
  const classes = options.classes && withBackground(options.classes);
  const found = await stat(directory).catch(() => undefined);
  if (!found?.isDirectory()) throw new SsdPruneError('ERR_BAD_DATA', `${directory} is not a folder`);
  const request = { directory: path.resolve(directory), split, classes, requireImages, onBadSample };
  return (await isVocDirectory(directory)) ? openVoc(request) : openCoco(request);
}

/** The first `limit` pictures of a dataset. */
export function limitDataset(dataset: Dataset, limit: number | undefined): Dataset {
  if (limit === undefined) return dataset;
  if (!Number.isInteger(limit) || limit < 1) throw invalidArgument('limit', 'an integer of 1 or more', limit);
  return { ...dataset, samples: dataset.samples.slice(0, limit) };
}

/**
 * `count` pictures of a dataset, drawn by `seed`, in the dataset's order; all of them where there are no more.
 * @throws {SsdPruneError} ERR_USAGE
 */
export function drawDataset(dataset: Dataset, count: number, seed = 0): Dataset {
  if (!Number.isInteger(count) || count < 1) throw invalidArgument('images', 'an integer of 1 or more', count);
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalidArgument('seed', 'a whole number from 0', seed);
  const drawn = draw(count, dataset.samples.length, seed, 'evaluated pictures').sort((a, b) => a - b);
  return { ...dataset, samples: drawn.map((i) => dataset.samples[i]!) };
}

/** Where a dataset's annotations and splits lie, and its pictures: what no output may replace. */
export function datasetFiles({ format, directory, split, samples }: Dataset): string[] {
  const folders = format === 'voc' ? ['Annotations', 'ImageSets', 'JPEGImages'] : ['annotations', 'images', split];
  return [...folders.map((name) => path.join(directory, name)), ...samples.map(({ image }) => image)];
}

/** What the readers of the two formats are asked for. */
export interface DatasetRequest {
  directory: string;
  split: string;
  classes: readonly string[] | undefined;
  requireImages: boolean;
  onBadSample: OpenDatasetOptions['onBadSample'] | undefined;
}

/** Hands a sample's error to who wants it; everything else is thrown. */
export function leaveOut(error: unknown, { onBadSample }: Pick<DatasetRequest, 'onBadSample'>): undefined {
  if (!onBadSample || !(error instanceof SsdPruneError) || error.code !== 'ERR_BAD_DATA') throw error;
  onBadSample(error);
}

const backgroundNames = new Set(['background', '__background__']);

/** Class names with `background` at index 0, whether or not the given list starts with it. */
export function withBackground(classes: readonly string[]): string[] {
  if (!Array.isArray(classes) || classes.some((name) => typeof name !== 'string' || name === '')) {
    throw invalidArgument('classes', 'a list of class names', classes);
  }
  const names = classes.slice(backgroundNames.has(classes[0] ?? '') ? 1 : 0);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw invalidArgument('classes', 'every class once', twice);
  if (names.length === 0) throw invalidArgument('classes', 'at least one class', classes);
  return ['background', ...names];
}

/**
 * Reads a class list: one name a line, blank lines and `\r` ignored.
 * @throws {SsdPruneError} ERR_IO where the file can't be read.
 */
export async function readClassList(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw readError(`class names ${file}`, error);
  });
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  return withBackground(lines.map((line) => line.trim()).filter((line) => line !== ''));
}
