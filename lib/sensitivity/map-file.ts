import { breathe } from '../abort';
import type { Dataset } from '../data/dataset';
import { SsdPruneError } from '../errors';
import { checkOutput, replaceFile } from '../files';
import { readDetectorSettings } from '../model/detector';
import { readModel } from '../model/read';
import { openPruner } from '../prune/prune-model';
import { readLossCurves } from './loss-curves';
import type { MapSensitivityReport } from './map-report';
import { type MapSensitivityOptions, sensitivityByMap } from './map-sensitivity';
import { layersByCurve } from './measured-groups';
import { encodePaddleCurves, type PaddleForm } from './paddle-file';
import { checkPlot, savePlot } from './plot-file';

export interface MapSensitivityFileOptions
  extends Omit<MapSensitivityOptions, 'detector' | 'dataset' | 'results' | 'imported'> {
  /** Folder in Pascal VOC or COCO layout. */
  data: string;
  /** Defaults to `val`. */
  split?: string;
  /** Only the first pictures of the split. */
  limit?: number;
  /** Only so many pictures of the split, drawn by `seed`, which is that of the criterion `random`, too. */
  images?: number;
  /** Detector settings, where the model's metadata have none. */
  detector?: string;
  /** Keep the points in this JSON file as they come; what is there of the same settings is not evaluated again. */
  report?: string;
  /** A results file, or a sensitivities file of PaddleSlim: its points are not evaluated again. */
  sensitivities?: string;
  /** Write the losses as PaddleSlim does, a pickle, at the end. */
  pickle?: string;
  /** Defaults to `1.x`: differences in mAP; `2.x`: shares of it. */
  pickleForm?: PaddleForm;
  /** Draw the curves into this SVG file at the end. */
  plot?: string;
  /** Replace the plot and the pickle where they exist, and begin anew where the report holds points of other settings. */
  force?: boolean;
  /** Told of the pictures before the work. */
  onDataset?: (dataset: Dataset) => void;
}

/**
 * {@link sensitivityByMap} of a model file on a dataset's folder, its points kept in a file, its curves drawn.
 * @throws {SsdPruneError} what {@link sensitivityByMap}, {@link readModel}, {@link openDataset}, {@link readLossCurves}
 * and {@link checkOutput} throw
 */
export async function sensitivityMapFile(
  input: string,
  options: MapSensitivityFileOptions,
): Promise<MapSensitivityReport> {
  const { data, split = 'val', limit, images, detector: settings, onDataset, ...rest } = options;
  const { report, plot, pickle, pickleForm = '1.x', sensitivities, ...measured } = rest;
  const { force = false, run, signal, seed } = measured;
  const { datasetFiles, drawDataset, limitDataset, openDataset } =
    require('../data/dataset') as typeof import('../data/dataset');
  if (limit !== undefined && images !== undefined)
    throw new SsdPruneError('ERR_USAGE', 'Take the first pictures (--limit) or drawn ones (--images), not both.');
  if (plot !== undefined) await checkPlot(plot, force);
  if (pickle !== undefined) await checkOutput(pickle, { force });
  await breathe(signal);
  const model = await readModel(input);
  const detector = readDetectorSettings(model, settings);
  const whole = await openDataset(data, {
    split,
    // Index 0 is background, whatever the settings call it.
    classes: ['background', ...detector.classes.slice(1)],
    requireImages: run?.onBadPicture === undefined,
  });
  const read = [input, ...model.dataFiles, ...datasetFiles(whole), settings, detector.priorsFile, sensitivities];
  const inputs = read.filter((file) => file !== undefined);
  for (const file of [report, plot, pickle]) {
    if (file === undefined) continue;
    await checkOutput(file, { inputs });
    inputs.push(file);
  }
  const imported = sensitivities === undefined ? undefined : await readLossCurves(sensitivities);
  const dataset = images === undefined ? limitDataset(whole, limit) : drawDataset(whole, images, seed);
  onDataset?.(dataset);
  const result = await sensitivityByMap(model, {
    ...measured,
    detector,
    dataset,
    ...(report !== undefined && { results: report }),
    ...(imported && { imported }),
  });
  if (pickle !== undefined) {
    // As PaddleSlim lists them: each of the layers that go together, with the losses of all.
    const together = layersByCurve(openPruner(model).groups);
    const layers = result.layers.flatMap(({ name, channels, points }) =>
      (together.get(name) ?? [name]).map((layer) => ({
        ...{ name: layer, channels },
        points: points.map(({ ratio, loss, relativeLoss }) => ({
          ratio,
          loss: pickleForm === '2.x' ? relativeLoss : loss,
        })),
      })),
    );
    await replaceFile(pickle, [encodePaddleCurves(layers, pickleForm)]);
  }
  if (plot !== undefined) await savePlot(plot, result);
  return result;
}
