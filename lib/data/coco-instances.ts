import { SsdPruneError } from '../errors';
import { JsonScanner, jsonKeys } from './json-scanner';

export interface CocoAnnotation {
  category: number;
  bbox: [number, number, number, number];
  area: number;
  crowd: boolean;
}

export interface CocoPicture {
  id: number | string;
  fileName: string;
  width: number;
  height: number;
  annotations: CocoAnnotation[];
}

export interface CocoInstances {
  /** By ascending id, as COCO's own evaluation takes them. */
  pictures: CocoPicture[];
  /** Name of each category id; ids may have gaps. */
  categories: Map<number, string>;
  /** Categories with at least one annotation, and the line of the first. */
  used: Map<number, number>;
  warnings: string[];
}

const topKeys = jsonKeys('images', 'annotations', 'categories');
const imageKeys = jsonKeys('id', 'file_name', 'width', 'height');
const annotationKeys = jsonKeys('image_id', 'category_id', 'bbox', 'area', 'iscrowd');
const categoryKeys = jsonKeys('id', 'name');

/** An annotation before its picture is known: `at` is its place in the file. */
type Loose = CocoAnnotation & { image: number | string | undefined; index: number; at: number };

/**
 * An instances file of COCO. Boxes of no width or height stay, as COCO's own evaluation keeps them, and one that
 * leaves its picture by more than a pixel stays too; both are named in `warnings`.
 * @throws {SsdPruneError} ERR_BAD_DATA with file, line and entry.
 */
export function parseInstances(bytes: Buffer, file: string): CocoInstances {
  const json = new JsonScanner(bytes, file);
  const pictures = new Map<number | string, CocoPicture>();
  const categories = new Map<number, string>();
  const loose: Loose[] = [];
  const seen = [false, false, false];
  json.object('the file', topKeys, (key) => {
    seen[key] = true;
    if (key === 0) json.array('images', (i) => readPicture(json, i, pictures));
    else if (key === 1) json.array('annotations', (i) => loose.push(readAnnotation(json, i)));
    else json.array('categories', (i) => readCategory(json, i, categories));
  });
  json.end();
  const missing = topKeys.filter((_, i) => !seen[i]).map(String);
  if (missing.length > 0) throw new SsdPruneError('ERR_BAD_DATA', `${file}: no ${missing.join(' and no ')} in it`);
  if (pictures.size === 0) throw new SsdPruneError('ERR_BAD_DATA', `${file}: images is empty`);

  const used = new Map<number, number>();
  const warnings: string[] = [];
  const lineAt = lineCounter(bytes);
  for (const { image, index, at, ...annotation } of loose) {
    const what = `annotations[${index}]`;
    const picture = pictures.get(image!);
    if (!picture) return json.fail(`${what} belongs to image ${image}, which images doesn't list`, at);
    if (!categories.has(annotation.category)) {
      const known = [...categories].map(([id, name]) => `${id} ${name}`).join(', ');
      return json.fail(`${what} has unknown category ${annotation.category}; there are: ${known}`, at);
    }
    const [x, y, w, h] = annotation.bbox;
    const outside = x < -1 || y < -1 || x + w > picture.width + 1 || y + h > picture.height + 1;
    if (outside || w === 0 || h === 0) {
      const oddity = outside ? `leaves the picture of ${picture.width}x${picture.height}` : 'has no area';
      warnings.push(`${file}:${lineAt(at)}: ${what}: box [${annotation.bbox}] ${oddity}; kept as it is`);
    }
    if (!used.has(annotation.category)) used.set(annotation.category, lineAt(at));
    picture.annotations.push(annotation);
  }
  const ordered = [...pictures.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { pictures: ordered, categories, used, warnings };
}

function readPicture(json: JsonScanner, index: number, pictures: Map<number | string, CocoPicture>): void {
  const what = `images[${index}]`;
  const at = json.mark();
  let id: number | string | undefined;
  let fileName: string | undefined;
  let [width, height] = [0, 0];
  json.object(what, imageKeys, (key) => {
    if (key === 0) id = readId(json, `${what}.id`);
    else if (key === 1) fileName = json.string(`${what}.file_name`);
    else if (key === 2) width = json.number(`${what}.width`);
    else height = json.number(`${what}.height`);
  });
  if (id === undefined) throw json.error(`${what} has no id`, at);
  if (!fileName) throw json.error(`${what} has no file_name`, at);
  if (!(width >= 1 && height >= 1)) json.fail(`${what} is ${width}x${height} pixels`, at);
  if (pictures.has(id)) json.fail(`${what} has id ${id}, which an earlier image has`, at);
  if (fileName.startsWith('/') || fileName.split(/[/\\]/).includes('..')) {
    json.fail(`${what}.file_name ${JSON.stringify(fileName)} leads out of the folder`, at);
  }
  pictures.set(id, { id, fileName, width, height, annotations: [] });
}

function readCategory(json: JsonScanner, index: number, categories: Map<number, string>): void {
  const what = `categories[${index}]`;
  const at = json.mark();
  let id: number | undefined;
  let name: string | undefined;
  json.object(what, categoryKeys, (key) => {
    if (key === 0) id = json.number(`${what}.id`);
    else name = json.string(`${what}.name`);
  });
  if (id === undefined || !Number.isSafeInteger(id)) throw json.error(`${what} needs a whole number as id`, at);
  if (!name) throw json.error(`${what} has no name`, at);
  if (categories.has(id)) json.fail(`${what} has id ${id}, which an earlier category has`, at);
  categories.set(id, name);
}

function readAnnotation(json: JsonScanner, index: number): Loose {
  const what = `annotations[${index}]`;
  const at = json.mark();
  let image: number | string | undefined;
  let category: number | undefined;
  let area: number | undefined;
  let crowd = false;
  const bbox: number[] = [];
  json.object(what, annotationKeys, (key) => {
    if (key === 0) image = readId(json, `${what}.image_id`);
    else if (key === 1) category = json.number(`${what}.category_id`);
    else if (key === 2) json.array(`${what}.bbox`, () => bbox.push(json.number(`${what}.bbox`)));
    else if (key === 3) area = json.number(`${what}.area`);
    else crowd = json.flag(`${what}.iscrowd`);
  });
  if (image === undefined) json.fail(`${what} has no image_id`, at);
  if (category === undefined) return json.fail(`${what} has no category_id`, at);
  if (bbox.length !== 4) json.fail(`${what}.bbox has ${bbox.length} numbers, expected x, y, width, height`, at);
  const [x, y, w, h] = bbox as [number, number, number, number];
  if (w < 0 || h < 0) json.fail(`${what}.bbox [${bbox}] has a negative width or height`, at);
  return { image, category, bbox: [x, y, w, h], area: area ?? w * h, crowd, index, at };
}

/** An image id: COCO's are numbers, other makers' may be text. */
export function readId(json: JsonScanner, what: string): number | string {
  return json.kind() === 'string' ? json.string(what) : json.number(what);
}

/** Lines of ascending places without counting from the start each time. */
function lineCounter(bytes: Buffer): (at: number) => number {
  let [line, next, last] = [1, bytes.indexOf(10), 0];
  return (at) => {
    if (at < last) [line, next] = [1, bytes.indexOf(10)];
    last = at;
    while (next >= 0 && next < at) {
      line++;
      next = bytes.indexOf(10, next + 1);
    }
    return line;
  };
}
