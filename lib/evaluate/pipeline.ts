import { throwIfAborted } from '../abort';
import { decodePicture, type Picture } from '../data/images';
import { invalidArgument, SsdPruneError } from '../errors';
import type { DetectorSettings } from '../model/detector';
import { BoxDecoder, type NmsOverrides } from './decode';
import { Preprocessor } from './preprocess';
import type { DetectorSession } from './session';

export interface PipelineOptions {
  /** Pictures a run; a model whose batch is fixed has its own. Defaults to 8. */
  batchSize?: number;
  /** Pictures decoded at the same time. Defaults to the number of cores, at most UV_THREADPOOL_SIZE (Node's own is 4). */
  decoders?: number;
  /** Replaces what the detector settings say of suppression. */
  nms?: NmsOverrides;
  /** Turn pictures by their EXIF orientation. Defaults to `false`. */
  orient?: boolean;
  /** Picture that cannot be read: told here and left out, instead of ending everything. */
  onBadPicture?: (error: SsdPruneError, index: number) => void;
  /** Looked at between batches and pictures; ends the work with ERR_ABORTED. */
  signal?: AbortSignal;
}

export interface PictureDetections {
  /** Index of the picture in the list. */
  index: number;
  /** Pixels of the picture as decoded. */
  width: number;
  height: number;
  /** Rows of label, score, xmin, ymin, xmax, ymax; corners are shares of the picture. */
  rows: Float32Array;
}

/** A batch on its way: filled from the front, `pictures` of it hold something. */
interface Batch {
  data: Float32Array;
  pictures: { index: number; width: number; height: number }[];
}

/**
 * Detections of pictures, in their order. Three things go on at the same time: pictures are decoded and resized into
 * the batch after the next, the session runs one batch while another waits at its door, and boxes are made of the
 * batch before.
 */
export async function* detectPictures(
  session: DetectorSession,
  detector: DetectorSettings,
  files: readonly string[],
  options: PipelineOptions = {},
): AsyncGenerator<PictureDetections> {
  const preprocessor = new Preprocessor(detector.input);
  const decoder = new BoxDecoder(detector, options.nms);
  const { size, fixed } = batchSizeOf(session, detector, options.batchSize);
  const free: Float32Array[] = [];
  const chunks = Math.ceil(files.length / size);

  const load = async (chunk: number): Promise<Batch> => {
    const indexes = range(chunk * size, Math.min((chunk + 1) * size, files.length));
    const pictures = await decodeAll(indexes, files, options);
    const places = fixed ? size : pictures.length;
    let data = free.pop();
    if (data?.length !== places * preprocessor.size) data = new Float32Array(places * preprocessor.size);
    const batch = data;
    await Promise.all(pictures.map(({ picture }, place) => preprocessor.fill(picture, batch, place)));
    return {
      data: batch,
      pictures: pictures.map(({ index, picture: { width, height } }) => ({ index, width, height })),
    };
  };

  const run = async (loading: Promise<Batch>): Promise<PictureDetections[]> => {
    const { data, pictures } = await loading;
    if (pictures.length === 0) return [];
    const dims = [data.length / preprocessor.size, 3, preprocessor.height, preprocessor.width];
    const { outputs, feeds } = await session.runHandingOver({ [detector.input.name]: { dims, data } }, decoder.outputs);
    if (feeds) free.push(feeds[detector.input.name]!.data);
    const rows = await decoder.detect(outputs, pictures.length);
    return pictures.map((picture, i) => ({ ...picture, rows: rows[i]! }));
  };

  // Loading is a chain of its own, at most `ahead` batches before the one that is given out.
  const ahead = 3;
  const running: Promise<PictureDetections[]>[] = [];
  let lastLoaded: Promise<unknown> = Promise.resolve();
  let next = 0;
  const begin = (): void => {
    const chunk = next++;
    const loading = lastLoaded.then(() => load(chunk));
    lastLoaded = loading;
    const result = run(loading);
    // A failure is thrown when its batch's turn comes; until then nobody listens.
    result.catch(() => {});
    running.push(result);
  };
  try {
    while (running.length > 0 || next < chunks) {
      while (running.length < ahead && next < chunks) begin();
      const batch = await running.shift()!;
      throwIfAborted(options.signal);
      yield* batch;
    }
  } finally {
    await Promise.allSettled(running);
  }
}

const range = (begin: number, end: number): number[] => Array.from({ length: end - begin }, (_, i) => begin + i);

/** Decodes some pictures, a few at a time; those that cannot be read are reported or thrown. */
async function decodeAll(
  indexes: number[],
  files: readonly string[],
  { decoders, orient = false, onBadPicture, signal }: PipelineOptions,
): Promise<{ index: number; picture: Picture }[]> {
  const pictures: ({ index: number; picture: Picture } | undefined)[] = [];
  let at = 0;
  // Of several bad pictures the first in the list is named, whichever was found first.
  const failures: { place: number; error: unknown }[] = [];
  const work = async (): Promise<void> => {
    while (at < indexes.length && failures.length === 0) {
      const place = at++;
      const index = indexes[place]!;
      throwIfAborted(signal);
      try {
        pictures[place] = { index, picture: await decodePicture(files[index]!, { orient }) };
      } catch (error) {
        if (onBadPicture && error instanceof SsdPruneError && error.code === 'ERR_BAD_DATA') onBadPicture(error, index);
        else failures.push({ place, error });
      }
    }
  };
  await Promise.all(Array.from({ length: decoders ?? defaultDecoders() }, work));
  const [first] = failures.sort((a, b) => a.place - b.place);
  if (first) throw first.error;
  return pictures.filter((picture) => picture !== undefined);
}

/** Pictures decoded at the same time where nothing else is asked for: one a core, as far as Node's thread pool goes. */
export function defaultDecoders(): number {
  const { availableParallelism } = require('node:os') as typeof import('node:os');
  return Math.min(Number(process.env.UV_THREADPOOL_SIZE) || 4, availableParallelism());
}

/** The batch size asked for, or the model's own where its shape fixes one; checks that the input fits the settings. */
export function batchSizeOf(
  session: DetectorSession,
  { input }: DetectorSettings,
  asked = 8,
): { size: number; fixed: boolean } {
  if (!Number.isInteger(asked) || asked < 1 || asked > 4096) {
    throw invalidArgument('batchSize', 'an integer from 1 to 4096', asked);
  }
  const value = session.inputs.find(({ name }) => name === input.name);
  const wanted = [3, input.height, input.width];
  const fits =
    value?.dims.length === 4 &&
    wanted.every((dim, i) => typeof value.dims[i + 1] === 'string' || value.dims[i + 1] === dim);
  if (!value || !fits) {
    const has = session.inputs.map(({ name, dims }) => `"${name}" (${dims.join(', ')})`).join(', ');
    throw new SsdPruneError(
      'ERR_BAD_CONFIG',
      `The detector settings ask for an input "${input.name}" of (n, ${wanted.join(', ')}), but the model has ${has}`,
    );
  }
  const [batch] = value.dims;
  return typeof batch === 'number' ? { size: batch, fixed: true } : { size: asked, fixed: false };
}
