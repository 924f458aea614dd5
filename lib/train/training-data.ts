import { stat } from 'node:fs/promises';
import path from 'node:path';
import { checkDataset, checkPictures, type PictureCheckOptions } from '../data/check';
import { type Dataset, datasetFiles, type Sample } from '../data/dataset';

/** Pictures to train on, checked. */
export interface TrainingData {
  dataset: Pick<Dataset, 'classes' | 'samples'>;
  /** Files and folders that no output may replace. */
  files: string[];
  /** What is wrong with pictures that were left out. */
  problems: readonly string[];
}

export interface TrainingDataOptions extends PictureCheckOptions {
  /** Split of a VOC or COCO folder. Defaults to `train`, but for a COCO folder without annotations that are read. */
  split?: string;
  labels?: 'annotations' | 'none';
}

/**
 * Opens a folder in VOC or COCO layout, or, without labels, what `prune --calibrate` takes: any folder of pictures, or a
 * list of them, whose annotations are not read.
 * @param classes of the detector, background first
 * @throws {SsdPruneError} what {@link checkDataset}, `findAllPictures` and {@link checkPictures} throw
 */
export async function openTrainingData(
  place: string,
  classes: readonly string[],
  { split, labels, ...options }: TrainingDataOptions,
): Promise<TrainingData> {
  if (labels !== 'none') {
    const { dataset, problems } = await checkDataset(place, { ...options, split: split ?? 'train', classes });
    return { dataset, files: datasetFiles(dataset), problems };
  }
  const { findAllPictures } = require('../calibrate/pictures') as typeof import('../calibrate/pictures');
  const { files, problems: missing } = await findAllPictures(place, split);
  // One that is listed twice could be trained on and held back.
  const found = [...new Set(files)];
  const { pictures, problems } = await checkPictures(place, found, { ...options, missing });
  const samples = pictures.map(({ file, width, height }): Sample => {
    // Draws follow the id: it names the same picture wherever the folder lies.
    const id = path.relative(place, file).split(path.sep).join('/');
    const none = { boxes: new Float32Array(0), labels: new Int32Array(0) };
    return { id, image: file, width, height, ...none, difficult: new Uint8Array(0), truncated: new Uint8Array(0) };
  });
  const list = (await stat(place)).isDirectory() ? [] : [place];
  return { dataset: { classes, samples }, files: [...list, ...found], problems };
}
