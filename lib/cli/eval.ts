import type { Argv } from 'yargs';
import { SsdPruneError } from '../errors';
import type { DeviceChoice } from '../evaluate/providers';
import { evalOptions, type MetricArguments, metricOptions, warnAbout } from './metric-options';
import { makeUi } from './ui';

interface EvalArguments extends MetricArguments {
  model: string;
  data: string;
  split: string;
  detector?: string;
  device: DeviceChoice;
  batchSize: number;
  threads: number;
  scoreThreshold?: number;
  nmsThreshold?: number;
  topK?: number;
  keepTopK?: number;
  limit?: number;
  skipBad: boolean;
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
      detector: { type: 'string', describe: "Detector settings (JSON), where the model's metadata have none" },
      device: { choices: ['auto', 'cuda', 'cpu'] as const, default: 'auto', describe: 'Where to run' },
      'batch-size': { type: 'number', default: 8, describe: 'Pictures a run' },
      threads: { type: 'number', default: 0, describe: 'Threads of the session; 0: one a core' },
      ...metricOptions,
      'score-threshold': { type: 'number', describe: "Only boxes that score more. Default: the detector's" },
      'nms-threshold': { type: 'number', describe: "Overlap above which the worse box goes. Default: the detector's" },
      'top-k': { type: 'number', describe: "Boxes a class before suppression, -1: all. Default: the detector's" },
      'keep-top-k': { type: 'number', describe: "Boxes a picture, -1: all. Default: the detector's" },
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
  const { existsSync } = require('node:fs') as typeof import('node:fs');
  const { readModel } = require('../model/read') as typeof import('../model/read');
  const { readDetectorSettings } = require('../model/detector') as typeof import('../model/detector');
  const { openDataset } = require('../data/dataset') as typeof import('../data/dataset');
  const { detectDataset, limitDataset } = require('../evaluate/evaluate') as typeof import('../evaluate/evaluate');
  const { evaluateDetections } = require('../evaluate/mean-ap') as typeof import('../evaluate/mean-ap');
  const { evalReport, renderEvalReport } = require('../evaluate/report') as typeof import('../evaluate/report');
  const { writeDetections } = require('../evaluate/results') as typeof import('../evaluate/results');
  const { nmsOverrides } = require('./nms-options') as typeof import('./nms-options');

  const nms = nmsOverrides(args);
  if (args.detections !== undefined && existsSync(args.detections) && samePath(args.detections, args.model)) {
    throw new SsdPruneError('ERR_OUTPUT_EXISTS', `--detections names the model itself: ${args.detections}`);
  }
  const detector = readDetectorSettings(await readModel(args.model), args.detector);
  const whole = await openDataset(args.data, {
    split: args.split,
    classes: detector.classes,
    requireImages: !args.skipBad,
  });
  const dataset = limitDataset(whole, args.limit);
  warnAbout(dataset, ui);

  const progress = ui.progress('pictures', dataset.samples.length);
  const options = {
    device: args.device,
    threads: args.threads,
    batchSize: args.batchSize,
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
  const result = evaluateDetections(dataset, run.detections, evalOptions(args));
  const { device, imagesPerSecond } = run;
  const report = evalReport(result, {
    model: args.model,
    detections: args.detections ?? null,
    device,
    imagesPerSecond,
  });
  ui.result(report, () => renderEvalReport(report));
}

function samePath(a: string, b: string): boolean {
  const { realpathSync } = require('node:fs') as typeof import('node:fs');
  return realpathSync(a) === realpathSync(b);
}
