import type { Argv } from 'yargs';
import { SsdPruneError } from '../errors';
import { type CalibrationArguments, calibration, calibrationOptions } from './calibration-options';
import { type LayerArguments, layerOptions, lockOptions, selectionOptions, widthOptions } from './layer-options';
import { makeUi } from './ui';

interface SensitivityArguments extends LayerArguments, CalibrationArguments {
  model: string;
  targetRatio?: number;
  plot?: string;
  force: boolean;
  report?: string;
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('model', { type: 'string', demandOption: true, describe: 'ONNX file' })
    .options({
      ...selectionOptions,
      calibrate: { type: 'string', describe: 'Pictures to measure errors on: a folder, or a list (a path a line)' },
      ...calibrationOptions,
      'calibration-images': { type: 'number', describe: 'Pictures drawn for --calibrate  [default: 64]' },
      'target-ratio': {
        type: 'number',
        describe: 'Show the widths that remove this share of the work, and their errors',
      },
      align: { type: 'number', describe: 'Widths are multiples of this  [default: 8]' },
      ...widthOptions,
      ...lockOptions,
      plot: { type: 'string', describe: 'Draw the curves into this SVG file' },
      force: { type: 'boolean', default: false, describe: 'Replace the plot where it exists' },
      report: { type: 'string', describe: 'Write the JSON report to this file, too' },
    })
    .example(
      "$0 sensitivity ssd.onnx --pruned-params 'conv2d_[1-9].w_0' --calibrate VOC2007 --plot curves.svg",
      'what each layer loses as it gets narrower, in seconds: no mAP is evaluated',
    )
    .example(
      "$0 sensitivity ssd.onnx --pruned-params 'conv2d_[1-9].w_0' --calibrate pictures/ --target-ratio 0.2",
      'the widths for a target, and where it hurts most',
    );
}

export async function handler(args: SensitivityArguments): Promise<void> {
  const ui = makeUi(args);
  if (args.calibrate === undefined) {
    throw new SsdPruneError('ERR_USAGE', 'Errors are measured on pictures: name some with --calibrate DIR.');
  }
  const { sensitivityFile } =
    require('../sensitivity/sensitivity-file') as typeof import('../sensitivity/sensitivity-file');
  const report = await sensitivityFile(args.model, {
    ...layerOptions(args),
    calibrate: calibration(args, args.calibrate, ui),
    force: args.force,
    ...(args.targetRatio !== undefined && { targetRatio: args.targetRatio }),
    ...(args.plot !== undefined && { plot: args.plot }),
    ...(args.report !== undefined && { report: args.report }),
  });
  const { renderSensitivityReport } =
    require('../sensitivity/sensitivity-table') as typeof import('../sensitivity/sensitivity-table');
  ui.result(report, () => renderSensitivityReport(report));
}
