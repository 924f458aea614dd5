import { checkedPicture } from '../data/check';
import { leaveOut, openDataset, type Sample } from '../data/dataset';
import { invalidArgument, type SsdPruneError } from '../errors';
import { detectFiles } from '../evaluate/detect';
import { drawSmall } from '../evaluate/draw';
import type { DeviceChoice } from '../evaluate/providers';
import { readDetectorSettings } from '../model/detector';
import { readModel } from '../model/read';
import type { PageDetections, PagePicture } from './page/pictures';

export interface SampleOptions {
  /** Folder in Pascal VOC or COCO layout. */
  data: string;
  split: string;
  /** Pictures, spread evenly over the split. Defaults to 4. */
  pictures?: number;
  /** Only boxes that score more are drawn. Defaults to 0.3. */
  scoreThreshold?: number;
  /** Detector settings, where a model's metadata have none. */
  detector?: string;
  /** Defaults to `auto`. */
  device?: DeviceChoice;
  /** Told of pictures in whose place others are shown, since they can't be read. */
  onNote?: (message: string) => void;
  signal?: AbortSignal;
}

/** Pixels of the longer side of a picture on the page. */
const longest = 480;

/**
 * What one or two models find on pictures of a split, drawn. In the place of one that is broken the next whole one is
 * shown.
 * @param after null: the first model alone
 * @throws {SsdPruneError} what {@link openDataset}, {@link readModel}, {@link detectFiles} and {@link drawSmall} throw;
 * ERR_USAGE for a number of pictures that is none; ERR_BAD_DATA where all are broken
 */
export async function samplePictures(
  before: string,
  after: string | null,
  options: SampleOptions,
): Promise<PagePicture[]> {
  const { data, split, pictures: count = 4 } = options;
  if (!Number.isInteger(count) || count < 1 || count > 100) {
    throw invalidArgument('pictures', 'an integer from 1 to 100', count);
  }
  const first = readDetectorSettings(await readModel(before), options.detector);
  const bad: SsdPruneError[] = [];
  const onBadSample = (problem: SsdPruneError): void => void bad.push(problem);
  const { samples } = await openDataset(data, { split, classes: first.classes, onBadSample });
  const chosen = await wholeOnes(samples, count, onBadSample);
  if (chosen.length === 0 && bad[0]) throw bad[0];
  for (const { message } of bad.slice(0, 5)) options.onNote?.(`${message}; not shown`);
  const files = chosen.map(({ image }) => image);
  const found = [await detectionsOf(before, files, options)];
  if (after !== null) found.push(await detectionsOf(after, files, options));
  return chosen.map(({ id }, i) => ({ name: id, before: found[0]![i]!, after: found[1]?.[i] ?? null }));
}

async function detectionsOf(model: string, files: string[], options: SampleOptions): Promise<PageDetections[]> {
  const { detector, scoreThreshold = 0.3, device = 'auto', signal } = options;
  const settings = readDetectorSettings(await readModel(model), detector);
  const drawn: PageDetections[] = [];
  for await (const picture of detectFiles(model, settings, files, {
    ...{ device, nms: { scoreThreshold } },
    ...(signal && { signal }),
  })) {
    const boxes = picture.detections.map(({ class: name, score }) => ({ class: name, score }));
    drawn.push({ ...(await drawSmall(picture, longest)), boxes });
  }
  return drawn;
}

/** So many of them, from all over the list; in the place of one that can't be decoded the next one that can. */
async function wholeOnes(
  samples: readonly Sample[],
  count: number,
  onBadSample: (problem: SsdPruneError) => void,
): Promise<Sample[]> {
  const [all, wanted] = [samples.length, Math.min(count, samples.length)];
  const looked = new Set<number>();
  const chosen: number[] = [];
  for (let i = 0; i < wanted; i++) {
    const place = Math.floor((i + 0.5) * (all / wanted));
    for (let step = 0; step < all && chosen.length === i; step++) {
      const at = (place + step) % all;
      if (looked.has(at)) continue;
      looked.add(at);
      try {
        await checkedPicture(samples[at]!);
        chosen.push(at);
      } catch (error) {
        leaveOut(error, { onBadSample });
      }
    }
  }
  return chosen.sort((a, b) => a - b).map((at) => samples[at]!);
}
