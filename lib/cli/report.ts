import type { Argv } from 'yargs';
import { invalidArgument } from '../errors';
import type { DeviceChoice } from '../evaluate/providers';
import { refuseWithout } from './calibration-options';
import { interruptible } from './guards';
import { runOptions } from './run-options';
import { makeUi, type Progress } from './ui';

interface ReportArguments {
  report: string;
  output: string;
  log?: string;
  sensitivity?: string;
  data?: string;
  split?: string;
  pictures?: number;
  scoreThreshold?: number;
  detector?: string;
  bench: boolean;
  before?: string;
  after?: string;
  device: DeviceChoice;
  force: boolean;
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  const { detector, device } = runOptions;
  return yargs
    .positional('report', {
      ...{ type: 'string', demandOption: true },
      describe: 'JSON that run, prune, finetune or sensitivity wrote',
    })
    .options({
      output: { type: 'string', alias: 'o', demandOption: true, describe: 'The page, an HTML file' },
      log: { type: 'string', describe: "The run's log of JSON lines: curves of loss, rate and speed" },
      sensitivity: { type: 'string', describe: 'A sensitivity report: its curves' },
      data: { type: 'string', describe: 'VOC or COCO folder: what both models find on some of its pictures' },
      split: { type: 'string', describe: "Which pictures  [default: the run's evaluation split, else val]" },
      pictures: { type: 'number', describe: 'How many, spread over the split  [default: 4]' },
      'score-threshold': { type: 'number', describe: 'Only boxes that score more  [default: 0.3]' },
      detector,
      bench: { type: 'boolean', default: false, describe: 'Time both models side by side' },
      before: { type: 'string', describe: "The model before, where it isn't where the report says" },
      after: { type: 'string', describe: 'The model after, the same' },
      device,
      force: { type: 'boolean', default: false, describe: 'Replace the page where it exists' },
    })
    .example('$0 report run.json -o run.html --log log.jsonl', 'a run: settings, layers, mAP by epoch, curves')
    .example('$0 report prune.json -o cut.html --data VOC2007 --bench', 'a cut, with detections before and after');
}

export async function handler(args: ReportArguments): Promise<void> {
  const ui = makeUi(args);
  const { reportPage } = require('../report/page-file') as typeof import('../report/page-file');
  const { log, sensitivity, data, split, pictures, scoreThreshold, detector, before, after } = args;
  if (data === undefined) refuseWithout('data', ['split', 'detector', 'pictures', 'score-threshold'], args);
  if (scoreThreshold !== undefined && !(scoreThreshold >= 0 && scoreThreshold < 1)) {
    throw invalidArgument('scoreThreshold', 'a number from 0 to below 1', scoreThreshold);
  }
  let progress: Progress | undefined;
  const report = await interruptible((signal) =>
    reportPage(args.report, args.output, {
      ...{ device: args.device, bench: args.bench, force: args.force, signal },
      ...(pictures !== undefined && { pictures }),
      ...(scoreThreshold !== undefined && { scoreThreshold }),
      ...(log !== undefined && { log }),
      ...(sensitivity !== undefined && { sensitivity }),
      ...(data !== undefined && { data }),
      ...(split !== undefined && { split }),
      ...(detector !== undefined && { detector }),
      ...(before !== undefined && { before }),
      ...(after !== undefined && { after }),
      onNote: ui.note,
      onProgress(done, total) {
        progress ??= ui.progress('timed runs', total);
        progress.update(done);
      },
    }),
  ).finally(() => progress?.stop());
  ui.result(report, () => `${report.output}: a page of ${report.kind}, ${Math.ceil(report.bytes / 1000)} kB`);
}
