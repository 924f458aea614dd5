import type { Argv } from 'yargs';
import { evalOptions, type MetricArguments, metricOptions, warnAbout } from './metric-options';
import { makeUi } from './ui';

interface ScoreArguments extends MetricArguments {
  detections: string;
  data: string;
  split: string;
  classes?: string;
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
    .options(metricOptions)
    .example('$0 score detections.json --data VOC2007 --split val', "mAP by Paddle's detection_map")
    .example('$0 score detections.json --data coco --split val2017 --protocol coco --json', "COCO's AP, as JSON");
}

export async function handler(args: ScoreArguments): Promise<void> {
  const ui = makeUi(args);
  const { openDataset, readClassList } = require('../data/dataset') as typeof import('../data/dataset');
  const { checkEvaluateOptions, evaluateDetections } =
    require('../evaluate/mean-ap') as typeof import('../evaluate/mean-ap');
  const { evalReport, renderEvalReport } = require('../evaluate/report') as typeof import('../evaluate/report');
  const { readDetections } = require('../evaluate/results') as typeof import('../evaluate/results');
  const metric = evalOptions(args);
  checkEvaluateOptions(metric);
  const classes = args.classes === undefined ? undefined : await readClassList(args.classes);
  const dataset = await openDataset(args.data, {
    split: args.split,
    requireImages: false,
    ...(classes ? { classes } : {}),
  });
  warnAbout(dataset, ui);
  const result = evaluateDetections(dataset, await readDetections(args.detections, dataset), metric);
  const report = evalReport(result, { detections: args.detections });
  ui.result(report, () => renderEvalReport(report));
}
