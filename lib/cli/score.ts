import type { Argv } from 'yargs';
import type { ApVersion, Protocol } from '../evaluate/mean-ap';
import { makeUi } from './ui';

interface ScoreArguments {
  detections: string;
  data: string;
  split: string;
  classes?: string;
  protocol: Protocol;
  apVersion: ApVersion;
  overlapThreshold: number;
  evaluateDifficult: boolean;
  bootstrap: number;
  seed: number;
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('detections', {
      type: 'string',
      demandOption: true,
      describe:
        "JSON in COCO's results format; for VOC data image_id is the picture's name, category_id the class index",
    })
    .option('data', { type: 'string', demandOption: true, describe: 'Folder in Pascal VOC or COCO layout' })
    .option('split', { type: 'string', default: 'val', describe: 'Pictures to score' })
    .option('classes', {
      type: 'string',
      describe: "File with a class name a line. Default: VOC's 20, COCO's categories",
    })
    .option('protocol', {
      choices: ['detection_map', 'voc', 'coco'] as const,
      default: 'detection_map',
      describe: 'Whose rules',
    })
    .option('ap-version', { choices: ['11point', 'integral'] as const, default: '11point', describe: 'Not for coco' })
    .option('overlap-threshold', { type: 'number', default: 0.5, describe: 'Not for coco' })
    .option('evaluate-difficult', { type: 'boolean', default: false, describe: 'Count difficult objects too' })
    .option('bootstrap', { type: 'number', default: 1000, describe: 'Resamples for the 95 % intervals; 0: none' })
    .option('seed', { type: 'number', default: 0, describe: 'Seed of the resamples' })
    .example('$0 score detections.json --data VOC2007 --split val', "mAP by Paddle's detection_map")
    .example('$0 score detections.json --data coco --split val2017 --protocol coco --json', "COCO's AP, as JSON");
}

export async function handler(args: ScoreArguments): Promise<void> {
  const ui = makeUi(args);
  const { openDataset, readClassList } = require('../data/dataset') as typeof import('../data/dataset');
  const { evaluateDetections } = require('../evaluate/mean-ap') as typeof import('../evaluate/mean-ap');
  const { evalReport, renderEvalReport } = require('../evaluate/report') as typeof import('../evaluate/report');
  const { readDetections } = require('../evaluate/results') as typeof import('../evaluate/results');
  const classes = args.classes === undefined ? undefined : await readClassList(args.classes);
  const dataset = await openDataset(args.data, {
    split: args.split,
    requireImages: false,
    ...(classes ? { classes } : {}),
  });
  for (const warning of dataset.warnings.slice(0, 5)) ui.warn(warning);
  if (dataset.warnings.length > 5) ui.warn(`and ${dataset.warnings.length - 5} more boxes like these`);
  const result = evaluateDetections(dataset, await readDetections(args.detections, dataset), {
    protocol: args.protocol,
    apVersion: args.apVersion,
    overlapThreshold: args.overlapThreshold,
    evaluateDifficult: args.evaluateDifficult,
    bootstrap: { resamples: args.bootstrap, seed: args.seed },
  });
  const report = evalReport(result, { detections: args.detections });
  ui.result(report, () => renderEvalReport(report));
}
