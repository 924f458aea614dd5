import { readFile } from 'node:fs/promises';
import { readId } from '../data/coco-instances';
import type { Dataset } from '../data/dataset';
import { JsonScanner, jsonKeys } from '../data/json-scanner';
import { readError, replaceFile } from '../files';
import type { DetectionSet } from './detections';

const keys = jsonKeys('image_id', 'category_id', 'bbox', 'score');

/**
 * Reads detections in COCO's results format: an array of `{image_id, category_id, bbox: [x, y, width, height], score}`,
 * boxes in pixels from the picture's upper left corner (0, where VOC's annotations begin with pixel 1). Image ids are the dataset's (text such as `"000001"` for VOC), category ids are
 * class indexes (VOC, from 1) or the dataset's category ids (COCO). Other keys are passed over.
 * @throws {SsdPruneError} ERR_BAD_DATA with file, line and index of the entry; ERR_IO where the file can't be read.
 */
export async function readDetections(file: string, dataset: Dataset): Promise<DetectionSet> {
  const bytes = await readFile(file).catch((error: Error) => {
    throw readError(`detections ${file}`, error);
  });
  return parseDetections(bytes, file, dataset);
}

/** {@link readDetections} for bytes already read; `file` is the name that messages give. */
export function parseDetections(bytes: Buffer, file: string, dataset: Dataset): DetectionSet {
  const images = new Map<number | string, number>(dataset.samples.map(({ id }, i) => [id, i]));
  if (dataset.format === 'coco') for (const [i, { id }] of dataset.samples.entries()) images.set(Number(id), i);
  // Background has no category; 0 may be a COCO file's first one. -1: the file lacks the class.
  const labels = new Map(dataset.categoryIds.slice(1).map((id, i) => [id, i + 1]));
  labels.delete(-1);

  // No entry takes fewer bytes than one with empty values would.
  const capacity = Math.ceil(bytes.length / '{"image_id":0,"category_id":0,"bbox":[0,0,0,0],"score":0},'.length);
  const image = new Int32Array(capacity);
  const label = new Int32Array(capacity);
  const score = new Float64Array(capacity);
  const box = new Float64Array(capacity * 4);
  let count = 0;
  const json = new JsonScanner(bytes, file, () => `entry ${count}: `);
  if (json.kind() === 'object') json.fail('expected an array of detections, but this is an object');

  let seen = 0;
  let sides = 0;
  const readSide = (): void => {
    const value = json.number('bbox');
    if (sides < 4) box[count * 4 + sides] = value;
    sides++;
  };
  const readMember = (key: number): void => {
    seen |= 1 << key;
    const at = json.mark();
    if (key === 0) {
      const id = readId(json, 'image_id');
      const index = images.get(id);
      if (index === undefined) json.fail(unknownImage(id, dataset), at);
      else image[count] = index;
    } else if (key === 1) {
      const id = json.number('category_id');
      const index = labels.get(id);
      if (index === undefined) json.fail(unknownCategory(id, dataset), at);
      else label[count] = index;
    } else if (key === 2) {
      sides = 0;
      json.array('bbox', readSide);
      if (sides !== 4) json.fail(`bbox has ${sides} numbers, expected x, y, width, height`, at);
      const [width, height] = [box[count * 4 + 2]!, box[count * 4 + 3]!];
      if (width < 0 || height < 0) json.fail(`bbox has width ${width} and height ${height}`, at);
    } else {
      score[count] = json.number('score');
    }
  };
  json.array('the detections', () => {
    seen = 0;
    const at = json.mark();
    json.object('a detection', keys, readMember);
    if (seen !== 15) json.fail(`no ${keys.filter((_, i) => !(seen & (1 << i))).join(', no ')}`, at);
    count++;
  });
  json.end();
  return {
    image: image.subarray(0, count),
    label: label.subarray(0, count),
    score: score.subarray(0, count),
    box: box.subarray(0, count * 4),
    layout: 'coco',
  };
}

function unknownImage(id: number | string, { samples, split, format }: Dataset): string {
  const example = format === 'voc' ? JSON.stringify(samples[0]!.id) : samples[0]!.id;
  return `image_id ${JSON.stringify(id)} isn't in the split ${JSON.stringify(split)}; its ids look like ${example}`;
}

function unknownCategory(id: number, { classes, categoryIds }: Dataset): string {
  const known = classes.map((name, label) => `${categoryIds[label]} ${name}`).slice(1);
  return `unknown category_id ${id}; there are: ${known.join(', ')}`;
}

/**
 * Writes detections as {@link readDetections} reads them, one a line, with every digit that the numbers have: scored
 * again they give the same mAP. Detections of classes for which a COCO dataset has no category are left out.
 * @returns how many were written.
 */
export async function writeDetections(file: string, dataset: Dataset, detections: DetectionSet): Promise<number> {
  // A string can't hold what a few million detections take, so they turn to bytes in pieces.
  const pieces: Buffer[] = [];
  let lines: string[] = [];
  let written = 0;
  const flush = (): void => {
    pieces.push(Buffer.from(lines.join('')));
    lines = [];
  };
  for (const line of detectionLines(dataset, detections)) {
    lines.push(written++ === 0 ? `\n${line}` : `,\n${line}`);
    if (lines.length === 16_384) flush();
  }
  flush();
  await replaceFile(file, [Buffer.from('['), ...pieces, Buffer.from(written > 0 ? '\n]\n' : ']\n')]);
  return written;
}

function* detectionLines(dataset: Dataset, { image, label, score, box, layout }: DetectionSet): Generator<string> {
  const ids = dataset.samples.map(({ id }) => {
    return dataset.format === 'coco' && String(Number(id)) === id ? id : JSON.stringify(id);
  });
  for (let i = 0; i < image.length; i++) {
    const category = dataset.categoryIds[label[i]!]!;
    if (category < 0) continue;
    let [x, y, w, h] = box.subarray(i * 4, i * 4 + 4) as unknown as [number, number, number, number];
    if (layout !== 'coco') {
      // Exact in doubles, as products of 24-bit and small whole numbers, so nothing is lost on the way back.
      const { width, height } = dataset.samples[image[i]!]!;
      [x, y, w, h] = [x * width, y * height, w * width - x * width, h * height - y * height];
    }
    // A decoder may turn a box inside out; as a box of no width it overlaps nothing either.
    const sides = `[${x},${y},${Math.max(w, 0)},${Math.max(h, 0)}]`;
    yield `{"image_id":${ids[image[i]!]},"category_id":${category},"bbox":${sides},"score":${score[i]}}`;
  }
}
