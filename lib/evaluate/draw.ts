import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { loadSharp } from '../data/images';
import { SsdPruneError } from '../errors';
import { identity, replaceFile } from '../files';
import type { DetectedPicture } from './detect';

/** Formats that a drawn picture keeps; others become PNG under the name with `.png` behind it. */
const formats = new Map([
  ['.jpg', 'jpeg'],
  ['.jpeg', 'jpeg'],
  ['.png', 'png'],
  ['.webp', 'webp'],
  ['.tif', 'tiff'],
  ['.tiff', 'tiff'],
  ['.avif', 'avif'],
] as const);

type Format = typeof formats extends Map<string, infer F> ? F : never;

const formatOf = (file: string): Format | undefined =>
  (formats as ReadonlyMap<string, Format>).get(path.extname(file).toLowerCase());

/**
 * Where in `folder` each picture's copy goes: under the picture's own name.
 * @param folder must exist
 * @throws {SsdPruneError} ERR_OUTPUT_EXISTS where a copy would replace one of the pictures, ERR_USAGE where two pictures
 * have the same name
 */
export async function drawnFiles(files: readonly string[], folder: string): Promise<string[]> {
  const target = await realpath(folder);
  const inputs = new Set(await Promise.all(files.map(identity)));
  inputs.delete(undefined);
  const taken = new Map<string, string>();
  const drawn: string[] = [];
  for (const file of files) {
    const base = path.basename(file);
    const name = formatOf(base) ? base : `${base}.png`;
    const place = path.join(target, name);
    if (inputs.has(await identity(place))) {
      throw new SsdPruneError(
        'ERR_OUTPUT_EXISTS',
        `${place} is one of the pictures; name another folder for the copies`,
      );
    }
    const other = taken.get(place);
    if (other !== undefined) {
      throw new SsdPruneError(
        'ERR_USAGE',
        `${other} and ${file} would both be drawn as ${place}; draw them one by one`,
      );
    }
    taken.set(place, file);
    drawn.push(path.join(folder, name));
  }
  return drawn;
}

/**
 * Draws a picture's boxes with class and score on a copy of the same size, upright.
 * @param output its extension says the format; written under a temporary name first
 * @throws {SsdPruneError} ERR_BAD_DATA where the picture can't be read, ERR_IO where the copy can't be written
 */
export async function drawDetections(picture: DetectedPicture, output: string): Promise<void> {
  await replaceFile(output, [await drawn(picture, formatOf(output) ?? 'png', 90)]);
}

/**
 * The same on a small JPEG in memory.
 * @param longest pixels of the longer side, at most
 * @throws {SsdPruneError} ERR_BAD_DATA where the picture can't be read
 */
export async function drawSmall(
  picture: DetectedPicture,
  longest: number,
): Promise<{ jpeg: Uint8Array; width: number; height: number }> {
  const factor = Math.min(1, longest / Math.max(picture.width, picture.height));
  const scaled = (size: number): number => Math.max(1, Math.round(size * factor));
  const [width, height] = [scaled(picture.width), scaled(picture.height)];
  const detections = picture.detections.map((found) => ({
    ...found,
    box: found.box.map((side) => side * factor) as typeof found.box,
  }));
  return { jpeg: await drawn({ ...picture, width, height, detections }, 'jpeg', 82), width, height };
}

/** The picture, resized to what it says its size is, with boxes upon it. */
async function drawn(picture: DetectedPicture, format: Format, quality: number): Promise<Buffer> {
  const { file, width, height } = picture;
  const sharp = loadSharp();
  const overlay = Buffer.from(overlaySvg(picture));
  try {
    return await sharp(file, { failOn: 'error' })
      .autoOrient()
      .resize(width, height, { fit: 'fill' })
      .composite([{ input: overlay }])
      .toFormat(format, { quality })
      .toBuffer();
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    throw new SsdPruneError('ERR_BAD_DATA', `${file}: cannot draw on this picture: ${reason}`, {
      cause: error,
    });
  }
}

/** Boxes and labels as an SVG of the picture's size; the best box is drawn last, on top. */
export function overlaySvg({ width, height, detections }: DetectedPicture): string {
  const short = Math.min(width, height);
  const font = Math.max(10, Math.round(short / 28));
  const line = Math.max(1.5, short / 200);
  const shapes = [...detections].reverse().map(({ class: name, score, box: [xmin, ymin, xmax, ymax] }) => {
    const label = `${name} ${score.toFixed(2)}`;
    const { fill, ink } = classColour(name);
    const labelHeight = font * 1.25;
    // Wide enough for any sans-serif face; characters beyond Latin are about as wide as they are high.
    const labelWidth = [...label].reduce((sum, char) => sum + (char < '\u0500' ? 0.58 : 1.05), 0.5) * font;
    // Above the box where there is room, else inside it; never beyond the right edge.
    const top = ymin >= labelHeight ? ymin - labelHeight : ymin;
    const left = Math.max(0, Math.min(xmin, width - labelWidth));
    return (
      `<rect x="${n(xmin)}" y="${n(ymin)}" width="${n(xmax - xmin)}" height="${n(ymax - ymin)}" fill="none" stroke="${fill}" stroke-width="${n(line)}"/>` +
      `<rect x="${n(left)}" y="${n(top)}" width="${n(labelWidth)}" height="${n(labelHeight)}" fill="${fill}"/>` +
      `<text x="${n(left + font * 0.25)}" y="${n(top + font * 0.98)}" font-family="sans-serif" font-size="${font}" fill="${ink}">${escapeXml(label)}</text>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${shapes.join('')}</svg>`;
}

const n = (value: number): string => String(Math.round(value * 100) / 100);

/** A colour that depends on the class name alone, so that pictures of different runs compare; and ink to read on it. */
function classColour(name: string): { fill: string; ink: string } {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619) >>> 0;
  const hue = (hash >>> 8) % 360;
  // Yellow to cyan shines at half lightness, blue and red do not.
  return { fill: `hsl(${hue}, 90%, 50%)`, ink: hue > 15 && hue < 200 ? '#000' : '#fff' };
}

/** Text of any class name as XML text; characters that XML has no place for become `?`. */
function escapeXml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };
  return (
    text
      .replace(/\p{Surrogate}/gu, '?')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is to be replaced
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '?')
      .replace(/[&<>"']/g, (char) => entities[char]!)
  );
}
