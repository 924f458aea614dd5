import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { SsdPruneError } from '../errors';
import { readError } from '../files';
import { type CocoInstances, type CocoPicture, parseInstances } from './coco-instances';
import { type Dataset, type DatasetRequest, leaveOut, type Sample } from './dataset';

/** Where the annotations of a split may lie: COCO's own place first. */
const annotationFiles = (split: string): string[] => [
  path.join('annotations', `instances_${split}.json`),
  path.join('annotations', `${split}.json`),
  path.join(split, '_annotations.coco.json'),
];

const imageFolders = (split: string): string[] => [split, path.join('images', split), 'images', '.'];

/** Reads one split of a folder with `annotations/instances_<split>.json` and pictures in `<split>/` or `images/`. */
export async function openCoco(request: DatasetRequest): Promise<Dataset> {
  const { directory, split, classes, requireImages } = request;
  const file = await findAnnotations(directory, split);
  const bytes = await readFile(file).catch((error) => {
    throw readError(`annotations ${file}`, error);
  });
  const instances = parseInstances(bytes, file);
  const { names, categoryIds } = chooseClasses(instances, classes, file);
  // Background has no category: 0 may be the file's first one.
  const labels = new Map(categoryIds.slice(1).map((id, i) => [id, i + 1]));
  const folder = await imageFolder(directory, split, instances.pictures[0]!);
  const there = requireImages ? new Set(await readdir(folder, { recursive: true })) : undefined;
  const samples = instances.pictures.flatMap((picture): Sample[] => {
    const image = path.join(folder, picture.fileName);
    if (there && !there.has(path.normalize(picture.fileName))) {
      const missing = `${image} is not there; image ${picture.id} of ${file} names it`;
      leaveOut(new SsdPruneError('ERR_BAD_DATA', missing), request);
      return [];
    }
    return [toSample(picture, image, labels)];
  });
  return { format: 'coco', directory, split, classes: names, categoryIds, samples, warnings: instances.warnings };
}

async function findAnnotations(directory: string, split: string): Promise<string> {
  for (const name of annotationFiles(split)) {
    const file = path.join(directory, name);
    if (await stat(file).catch(() => undefined)) return file;
  }
  const splits = await cocoSplits(directory);
  if (splits.length === 0) {
    throw new SsdPruneError(
      'ERR_BAD_DATA',
      `${directory} is neither a Pascal VOC folder (ImageSets/Main, Annotations, JPEGImages) nor a COCO folder (annotations/instances_<split>.json)`,
    );
  }
  throw new SsdPruneError(
    'ERR_BAD_DATA',
    `No split ${JSON.stringify(split)} in ${directory}; there are: ${splits.join(', ')}`,
  );
}

async function cocoSplits(directory: string): Promise<string[]> {
  const names = await readdir(path.join(directory, 'annotations')).catch(() => [] as string[]);
  const splits = names.filter((name) => name.endsWith('.json')).map((name) => name.replace(/^instances_|\.json$/g, ''));
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const inside = path.join(directory, entry.name, '_annotations.coco.json');
    if (entry.isDirectory() && (await stat(inside).catch(() => undefined))) splits.push(entry.name);
  }
  return splits.sort();
}

/** The folder that holds the first picture; where none does, the first that exists, so that messages name it. */
async function imageFolder(directory: string, split: string, first: CocoPicture): Promise<string> {
  const folders = imageFolders(split).map((name) => path.join(directory, name));
  for (const folder of folders) {
    if (await stat(path.join(folder, first.fileName)).catch(() => undefined)) return folder;
  }
  for (const folder of folders) {
    if (await stat(folder).catch(() => undefined)) return folder;
  }
  return directory;
}

/**
 * Class names by index, and the category id of each. Without a wish: categories by ascending id, as they are numbered
 * by whoever trains on them.
 */
function chooseClasses(instances: CocoInstances, wish: readonly string[] | undefined, file: string) {
  const categories = [...instances.categories].sort(([a], [b]) => a - b);
  // Some exporters add a category for the whole dataset, by the name of a class and without annotations.
  const used = new Map<string, number>();
  for (const [id, name] of categories) {
    const line = instances.used.get(id);
    if (line === undefined) continue;
    const other = used.get(name);
    if (other !== undefined) {
      throw new SsdPruneError(
        'ERR_BAD_DATA',
        `${file}:${line}: categories ${other} and ${id} are both called ${JSON.stringify(name)}`,
      );
    }
    used.set(name, id);
  }
  if (!wish) {
    const names = ['background', ...categories.map(([, name]) => name)];
    return { names, categoryIds: [0, ...categories.map(([id]) => id)] };
  }
  const unknown = categories.filter(([id, name]) => instances.used.has(id) && !wish.includes(name, 1));
  if (unknown.length > 0) {
    const [id, name] = unknown[0]!;
    throw new SsdPruneError(
      'ERR_BAD_DATA',
      `${file}:${instances.used.get(id)}: unknown class ${JSON.stringify(name)} (category ${id}); the classes are: ${wish.slice(1).join(', ')}`,
    );
  }
  // A class of the model that the file doesn't list has no id of its own: -1 equals none.
  const ids = new Map([...categories.map(([id, name]) => [name, id] as const), ...used]);
  return { names: wish, categoryIds: [0, ...wish.slice(1).map((name) => ids.get(name) ?? -1)] };
}

function toSample(picture: CocoPicture, image: string, labels: ReadonlyMap<number, number>): Sample {
  const { annotations: list, width, height } = picture;
  const bbox = new Float64Array(list.length * 4);
  const boxes = new Float32Array(list.length * 4);
  for (const [
    i,
    {
      bbox: [x, y, w, h],
    },
  ] of list.entries()) {
    bbox.set([x, y, w, h], i * 4);
    boxes.set([x, y, x + w, y + h], i * 4);
  }
  return {
    id: String(picture.id),
    image,
    width,
    height,
    boxes,
    labels: Int32Array.from(list, ({ category }) => labels.get(category)!),
    difficult: new Uint8Array(list.length),
    truncated: new Uint8Array(list.length),
    crowd: Uint8Array.from(list, ({ crowd }) => (crowd ? 1 : 0)),
    area: Float64Array.from(list, ({ area }) => area),
    bbox,
  };
}
