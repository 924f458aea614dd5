import type { Dataset } from '../data/dataset';
import { invalidArgument, type SsdPruneError } from '../errors';
import type { DetectorSettings } from '../model/detector';
import { rowLength } from './decode';
import { DetectionBuilder, type DetectionSet } from './detections';
import { type EvalResult, type EvaluateOptions, evaluateDetections } from './mean-ap';
import { batchesOf, detectPictures, type PipelineOptions } from './pipeline';
import type { Device } from './providers';
import type { SessionOptions } from './session';
import { SessionPool } from './session-pool';

export interface DetectDatasetOptions extends SessionOptions, PipelineOptions {
  onProgress?: (done: number, total: number) => void;
}

export interface DatasetDetections {
  detections: DetectionSet;
  device: Device;
  /** Why the device is not CUDA, where `auto` was asked for. */
  note: string | undefined;
  /** From the first picture's file to the last picture's boxes; making the session and metrics are not in it. */
  imagesPerSecond: number;
  /** Pictures whose size is not what their annotation says, so that boxes may not be where they seem. */
  resized: string[];
}

/**
 * Runs a detector over all pictures of a dataset.
 * @param model a file or the bytes of a model
 * @throws {SsdPruneError} what {@link SessionPool.create} and {@link detectPictures} throw
 */
export async function detectDataset(
  model: string | Uint8Array,
  detector: DetectorSettings,
  dataset: Dataset,
  options: DetectDatasetOptions = {},
): Promise<DatasetDetections> {
  if (!Array.isArray(dataset?.samples)) throw invalidArgument('dataset', 'what openDataset gives', dataset);
  const session = await SessionPool.create(model, batchesOf(dataset.samples.length, options), options);
  try {
    const { samples } = dataset;
    const builder = new DetectionBuilder();
    const resized: string[] = [];
    const files = samples.map(({ image }) => image);
    const { onBadPicture, onProgress } = options;
    let done = 0;
    const advance = (): void => onProgress?.(++done, samples.length);
    const pipeline: PipelineOptions = {
      ...options,
      ...(onBadPicture && {
        onBadPicture: (error: SsdPruneError, index: number) => {
          onBadPicture(error, index);
          advance();
        },
      }),
    };
    const begin = performance.now();
    for await (const { index, width, height, rows } of detectPictures(session, detector, files, pipeline)) {
      const sample = samples[index]!;
      if (sample.width !== width || sample.height !== height) resized.push(sample.image);
      for (let at = 0; at < rows.length; at += rowLength) {
        builder.push(index, rows[at]!, rows[at + 1]!, rows[at + 2]!, rows[at + 3]!, rows[at + 4]!, rows[at + 5]!);
      }
      advance();
    }
    const imagesPerSecond = samples.length / ((performance.now() - begin) / 1000);
    const { device, note } = session;
    return { detections: builder.finish(), device, note, imagesPerSecond, resized };
  } finally {
    await session.close();
  }
}

/** {@link detectDataset} and {@link evaluateDetections} in one: mean average precision of a model. */
export async function evaluateModel(
  model: string | Uint8Array,
  detector: DetectorSettings,
  dataset: Dataset,
  options: DetectDatasetOptions & EvaluateOptions = {},
): Promise<DatasetDetections & { result: EvalResult }> {
  const run = await detectDataset(model, detector, dataset, options);
  return { ...run, result: evaluateDetections(dataset, run.detections, options) };
}
