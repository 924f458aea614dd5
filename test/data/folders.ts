import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const temporary = (): string => mkdtempSync(path.join(tmpdir(), 'ssd-prune-'));

/** Writes files below `folder`, with the folders they need; returns `folder`. */
export function put(folder: string, files: Record<string, string | Uint8Array>): string {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return folder;
}

export type VocObject = { name: string; box: [number, number, number, number]; difficult?: 0 | 1 };

/** An annotation as VOC writes it, one tag a line: the first object's <name> is on line 5. */
export const vocXml = (width: number, height: number, objects: VocObject[]): string =>
  [
    '<annotation>',
    `<size><width>${width}</width><height>${height}</height><depth>3</depth></size>`,
    '<segmented>0</segmented>',
    ...objects.flatMap(({ name, box: [xmin, ymin, xmax, ymax], difficult = 0 }) => [
      '<object>',
      `<name>${name}</name>`,
      `<truncated>0</truncated><difficult>${difficult}</difficult>`,
      `<bndbox><xmin>${xmin}</xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox>`,
      '</object>',
    ]),
    '</annotation>',
    '',
  ].join('\n');

export interface VocPicture {
  width: number;
  height: number;
  objects: VocObject[];
}

/** A VOC folder whose split `val` names the pictures. */
export async function vocFolder(pictures: Record<string, VocPicture>): Promise<string> {
  const sharp = require('sharp') as typeof import('sharp');
  const files: Record<string, string | Uint8Array> = {};
  for (const [id, { width, height, objects }] of Object.entries(pictures)) {
    const grey = sharp({ create: { width, height, channels: 3, background: '#888' } });
    files[`JPEGImages/${id}.jpg`] = await grey.jpeg().toBuffer();
    files[`Annotations/${id}.xml`] = vocXml(width, height, objects);
  }
  files['ImageSets/Main/val.txt'] = `${Object.keys(pictures).join('\n')}\n`;
  return put(temporary(), files);
}
