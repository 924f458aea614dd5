import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { SsdPruneError } from '../errors';
import type { DetectorSettings } from '../model/detector';
import { rowLength } from './decode';
import { detectPictures, type PipelineOptions } from './pipeline';
import { DetectorSession, type SessionOptions } from './session';

export interface DetectedBox {
  class: string;
  score: number;
  /** xmin, ymin, xmax, ymax in pixels of the upright picture, from its upper left corner; cut at its edges. */
  box: [number, number, number, number];
}

export interface DetectedPicture {
  file: string;
  /** Pixels of the picture turned upright as its EXIF orientation says. */
  width: number;
  height: number;
  /** Best first. */
  detections: DetectedBox[];
}

export interface DetectFilesOptions extends SessionOptions, Omit<PipelineOptions, 'orient'> {
  /** Called with the session's device once it is chosen, and for `auto` on the CPU with the reason. */
  onDevice?: (device: string, note: string | undefined) => void;
}

const suffixes = new Set(['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif']);

/**
 * Files as given, and of each folder the pictures that lie directly in it, by name.
 * @throws {SsdPruneError} ERR_BAD_DATA where a path is not there or a folder holds no picture
 */
export async function listPictures(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const given of paths) {
    const found = await stat(given).catch(() => undefined);
    if (!found) throw new SsdPruneError('ERR_BAD_DATA', `${given}: no such file or folder`);
    if (!found.isDirectory()) {
      files.push(given);
      continue;
    }
    const names = (await readdir(given)).filter((name) => suffixes.has(path.extname(name).toLowerCase()));
    if (names.length === 0) {
      throw new SsdPruneError('ERR_BAD_DATA', `${given}: no picture in this folder (${[...suffixes].join(' ')})`);
    }
    files.push(...names.sort().map((name) => path.join(given, name)));
  }
  return files;
}

/**
 * Runs a detector over picture files, in their order; pictures are turned upright first.
 * @param model a file or the bytes of a model
 * @throws {SsdPruneError} what {@link DetectorSession.create} and {@link detectPictures} throw
 */
export async function* detectFiles(
  model: string | Uint8Array,
  detector: DetectorSettings,
  files: readonly string[],
  options: DetectFilesOptions = {},
): AsyncGenerator<DetectedPicture> {
  // Decoding shares the cores with the session: a thread that spins takes them away from it.
  const session = await DetectorSession.create(model, { spinning: false, ...options });
  try {
    options.onDevice?.(session.device, session.note);
    for await (const { index, width, height, rows } of detectPictures(session, detector, files, {
      ...options,
      orient: true,
    })) {
      const detections = boxesOf(rows, detector.classes, width, height);
      yield { file: files[index]!, width, height, detections };
    }
  } finally {
    await session.close();
  }
}

function boxesOf(rows: Float32Array, classes: readonly string[], width: number, height: number): DetectedBox[] {
  const inside = (share: number, size: number): number => Math.min(Math.max(share, 0), 1) * size;
  const boxes: DetectedBox[] = [];
  for (let at = 0; at < rows.length; at += rowLength) {
    const [label, score, xmin, ymin, xmax, ymax] = rows.subarray(at, at + rowLength) as unknown as number[];
    boxes.push({
      class: classes[label!]!,
      score: score!,
      box: [inside(xmin!, width), inside(ymin!, height), inside(xmax!, width), inside(ymax!, height)],
    });
  }
  return boxes.sort((a, b) => b.score - a.score);
}
