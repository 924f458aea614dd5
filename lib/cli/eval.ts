import type { Argv } from 'yargs';
import type { SsdPruneError } from '../errors';
import { evalOptions, type MetricArguments, metricOptions, warnAbout } from './metric-options';
import { type NmsArguments, nmsOptions, nmsOverrides } from './nms-options';
import { type RunArguments, runOptions } from './run-options';
import { makeUi } from './ui';

interface EvalArguments extends MetricArguments, NmsArguments, RunArguments {
  model: string;
  data: string;
  split: string;
  limit?: number;
  detections?: string;
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('model', { type: 'string', demandOption: true, describe: 'ONNX file' })
    .options({
      data: { type: 'string', demandOption: true, describe: 'Folder in Pascal VOC or COCO layout' },
      split: { type: 'string', default: 'val', describe: 'Pictures to evaluate on' },
      ...runOptions,
      ...metricOptions,
      ...nmsOptions,
      limit: { type: 'number', describe: 'Only the first pictures of the split' },
      'skip-bad': { type: 'boolean', default: false, describe: 'Count pictures that cannot be read as empty' },
      detections: { type: 'string', describe: "Save what was detected, in COCO's results format" },
    })
    .example('$0 eval ssd.onnx --data VOC2007 --split val', "mAP by Paddle's detection_map")
    .example(
      '$0 eval ssd.onnx --data VOC2007 --protocol voc --detections found.json',
      "the devkit's rules; keep the boxes",
    )
    .example(
      '$0 eval ssd.onnx --data coco --split val2017 --protocol coco --device cuda --json',
      "COCO's AP on the GPU",
    );
}

export async function handler(args: EvalArguments): Promise<void> {
  const ui = makeUi(args);
  const { readModel } = require('../model/read') as typeof import('../model/read');
  const { readDetectorSettings } = require('../model/detector') as typeof import('../model/detector');
  const { datasetFiles, limitDataset, openDataset } = require('../data/dataset') as typeof import('../data/dataset');
  const { detectDataset } = require('../evaluate/evaluate') as typeof import('../evaluate/evaluate');
  const { checkEvaluateOptions, evaluateDetections } =
    require('../evaluate/mean-ap') as typeof import('../evaluate/mean-ap');
  const { evalReport, renderEvalReport } = require('../evaluate/report') as typeof import('../evaluate/report');
  const { writeDetections } = require('../evaluate/results') as typeof import('../evaluate/results');

  const nms = nmsOverrides(args);
  const metric = evalOptions(args);
  checkEvaluateOptions(metric);
  const model = await readModel(args.model);
  const detector = readDetectorSettings(model, args.detector);
  const whole = await openDataset(args.data, {
    split: args.split,
    // Index 0 is background, whatever the settings call it.
    classes: ['background', ...detector.classes.slice(1)],
    requireImages: !args.skipBad,
  });
  const dataset = limitDataset(whole, args.limit);
  // Before the work: what would fail, or do harm, only once every picture is through.
  if (args.detections !== undefined) {
    const { checkOutput } = require('../files') as typeof import('../files');
    const settings = [args.detector, detector.priorsFile].filter((file) => file !== undefined);
    await checkOutput(args.detections, {
      inputs: [args.model, ...model.dataFiles, ...settings, ...datasetFiles(whole)],
    });
  }
  warnAbout(dataset, ui);

  const progress = ui.progress('pictures', dataset.samples.length);
  const options = {
    device: args.device,
    threads: args.threads,
    ...(args.batchSize !== undefined && { batchSize: args.batchSize }),
    nms,
    onProgress: (done: number) => progress.update(done),
    ...(args.skipBad && { onBadPicture: (error: SsdPruneError) => ui.warn(`${error.message}; skipped`) }),
  };
  const run = await detectDataset(args.model, detector, dataset, options).finally(() => progress.stop());
  if (run.note) ui.note(run.note);
  if (run.resized.length > 0) {
    ui.warn(`${run.resized.length} pictures are not of the size that their annotation says, ${run.resized[0]} first`);
  }
  if (args.detections !== undefined) await writeDetections(args.detections, dataset, run.detections);
  const result = evaluateDetections(dataset, run.detections, metric);
  const { device, imagesPerSecond } = run;
  const report = evalReport(result, {
    model: args.model,
    detections: args.detections ?? null,
    device,
    imagesPerSecond,
  });
  ui.result(report, () => renderEvalReport(report));
}
