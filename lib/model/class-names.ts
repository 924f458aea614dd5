import { readFileSync } from 'node:fs';
import { SsdPruneError } from '../errors';
import { readError } from '../files';

/** The classes of Pascal VOC as Paddle numbers them: background first, then by alphabet. */
export const vocClasses: readonly string[] = [
  'background',
  'aeroplane',
  'bicycle',
  'bird',
  'boat',
  'bottle',
  'bus',
  'car',
  'cat',
  'chair',
  'cow',
  'diningtable',
  'dog',
  'horse',
  'motorbike',
  'person',
  'pottedplant',
  'sheep',
  'sofa',
  'train',
  'tvmonitor',
];

/**
 * Class names from a text file, one a line; empty lines don't count, and `background` is put first where it isn't.
 * @throws {SsdPruneError} ERR_IO where it can't be read, ERR_BAD_DATA where it names no class or one twice
 */
export function readClassNames(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw readError(`class names ${file}`, error);
  }
  const names: string[] = ['background'];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const name = line.trim();
    if (name === '' || (name === 'background' && names.length === 1)) continue;
    if (names.includes(name)) throw new SsdPruneError('ERR_BAD_DATA', `${file}:${i + 1}: "${name}" is named twice`);
    names.push(name);
  }
  if (names.length === 1) throw new SsdPruneError('ERR_BAD_DATA', `${file} names no class`);
  return names;
}
