import type { Argv } from 'yargs';
import { SsdPruneError } from '../errors';
import { type CalibrationArguments, calibration, calibrationOptions, refuseWithout } from './calibration-options';
import { layerOptions, lockOptions, selectionOptions, widthOptions } from './layer-options';
import { type MapSensitivityArguments, mapOptions, measureMap } from './map-sensitivity';
import { makeUi, type Ui } from './ui';
import { undefaulted } from './undefaulted';

interface SensitivityArguments extends CalibrationArguments, MapSensitivityArguments {
  data?: string;
  targetRatio?: number;
  tolerance?: number;
  json: boolean;
  quiet: boolean;
}

/** What only `--calibrate` reads. */
const errorOptions = {
  'calibration-images': { type: 'number', describe: 'Pictures drawn for --calibrate  [default: 64]' },
  'calibration-seed': calibrationOptions['calibration-seed'],
  'target-ratio': {
    type: 'number',
    describe: 'With --calibrate: show the widths that remove this share of the work, and their errors',
  },
  ...undefaulted({ tolerance: widthOptions.tolerance }),
} as const;

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('model', { type: 'string', demandOption: true, describe: 'ONNX file' })
    .options({
      ...selectionOptions,
      calibrate: {
        type: 'string',
        describe: 'Measure errors of reconstruction on these pictures: a folder, or a list (a path a line)',
      },
      data: { type: 'string', describe: 'Or measure mAP on this folder in Pascal VOC or COCO layout' },
      split: {
        type: 'string',
        describe: 'Split of the folder  [default: "val"; with --calibrate "train" of VOC]',
      },
      detector: { type: 'string', describe: "Detector settings (JSON), where the model's metadata have none" },
      device: {
        choices: ['auto', 'cuda', 'cpu'] as const,
        describe: 'Where the model runs  [default: "auto"; "cpu" with --calibrate]',
      },
      ...errorOptions,
      ...mapOptions,
      align: { type: 'number', describe: 'Widths are multiples of this  [default: 8]' },
      count: widthOptions.count,
      'min-channels': widthOptions['min-channels'],
      ...lockOptions,
      plot: { type: 'string', describe: 'Draw the curves into this SVG file' },
      force: {
        type: 'boolean',
        default: false,
        describe: 'Replace the plot and the pickle where they exist; begin a report of other settings anew',
      },
      report: {
        type: 'string',
        describe: 'Write the JSON report to this file, too; with --data after each point, and go on from it',
      },
    })
    .example(
      "$0 sensitivity ssd.onnx --pruned-params 'conv2d_[1-9].w_0' --calibrate VOC2007 --plot curves.svg",
      'what each layer loses as it gets narrower, in seconds: no mAP is evaluated',
    )
    .example(
      "$0 sensitivity ssd.onnx --pruned-params 'conv2d_[1-9].w_0' --calibrate pictures/ --target-ratio 0.2",
      'the widths for a target, and where it hurts most',
    )
    .example(
      "$0 sensitivity ssd.onnx --pruned-params 'conv2d_[1-9].w_0' --data VOC2007 --images 500 --report points.json",
      'the loss of mAP; the same command goes on where it was broken off',
    );
}

export async function handler(args: SensitivityArguments): Promise<void> {
  const ui = makeUi(args);
  const { calibrate, data } = args;
  if (calibrate !== undefined && data !== undefined)
    throw new SsdPruneError('ERR_USAGE', 'Measure errors (--calibrate) or mAP (--data), one at a time.');
  if (data !== undefined) {
    refuseWithout('calibrate', Object.keys(errorOptions), args);
    const report = await measureMap(args, data, ui);
    const { renderMapSensitivity } = require('../sensitivity/map-table') as typeof import('../sensitivity/map-table');
    return ui.result(report, () => renderMapSensitivity(report));
  }
  if (calibrate === undefined) {
    throw new SsdPruneError(
      'ERR_USAGE',
      'Say what is measured on: pictures alone with --calibrate DIR, in seconds, or mAP with --data DIR.',
    );
  }
  refuseWithout('data', Object.keys(mapOptions), args);
  if (args.targetRatio === undefined) refuseWithout('target-ratio', ['tolerance'], args);
  await measureErrors(args, calibrate, ui);
}

async function measureErrors(args: SensitivityArguments, calibrate: string, ui: Ui): Promise<void> {
  const { sensitivityFile } =
    require('../sensitivity/sensitivity-file') as typeof import('../sensitivity/sensitivity-file');
  const report = await sensitivityFile(args.model, {
    ...layerOptions(args),
    calibrate: calibration(args, calibrate, ui),
    force: args.force,
    ...(args.targetRatio !== undefined && { targetRatio: args.targetRatio }),
    ...(args.plot !== undefined && { plot: args.plot }),
    ...(args.report !== undefined && { report: args.report }),
  });
  const { renderSensitivityReport } =
    require('../sensitivity/sensitivity-table') as typeof import('../sensitivity/sensitivity-table');
  ui.result(report, () => renderSensitivityReport(report));
}
