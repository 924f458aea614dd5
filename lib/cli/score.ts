import type { Argv } from 'yargs';
import { evalOptions, type MetricArguments, metricOptions, warnAbout } from './metric-options';
import { makeUi } from './ui';

interface ScoreArguments extends MetricArguments {
  detections: string;
  data: string;
  split: string;
  classes?: string;
  limit?: number;
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
    .option('limit', { type: 'number', describe: 'Only the first pictures of the split, as in eval --limit' })
    .options(metricOptions)
    .example('$0 score detections.json --data VOC2007 --split val', "mAP by Paddle's detection_map")
    .example('$0 score detections.json --data coco --split val2017 --protocol coco --json', "COCO's AP, as JSON");
}

export async function handler(args: ScoreArguments): Promise<void> {
  const ui = makeUi(args);
  const { limitDataset, openDataset, readClassList } = require('../data/dataset') as typeof import('../data/dataset');
  const { limitDetections } = require('../evaluate/detections') as typeof import('../evaluate/detections');
  const { checkEvaluateOptions, evaluateDetections } =
    require('../evaluate/mean-ap') as typeof import('../evaluate/mean-ap');
  const { evalReport, renderEvalReport } = require('../evaluate/report') as typeof import('../evaluate/report');
  const { readDetections } = require('../evaluate/results') as typeof import('../evaluate/results');
  const metric = evalOptions(args);
  checkEvaluateOptions(metric);
  const classes = args.classes === undefined ? undefined : await readClassList(args.classes);
  const whole = await openDataset(args.data, {
    split: args.split,
    requireImages: false,
    ...(classes ? { classes } : {}),
  });
  const dataset = limitDataset(whole, args.limit);
  warnAbout(dataset, ui);
  // The file may hold more pictures than are scored, but none that the split lacks.
  const found = limitDetections(await readDetections(args.detections, whole), dataset.samples.length);
  const without = dataset.samples.length - new Set(found.image).size;
  if (without > 0) {
    const hint = args.limit === undefined ? ' (--limit scores the first pictures only)' : '';
    ui.warn(
      `${without} of ${dataset.samples.length} pictures have no detection in ${args.detections} and count as empty${hint}`,
    );
  }
  const result = evaluateDetections(dataset, found, metric);
  const report = evalReport(result, { detections: args.detections });
  ui.result(report, () => renderEvalReport(report));
}
