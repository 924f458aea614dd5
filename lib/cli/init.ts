import type { Argv } from 'yargs';
import { SsdPruneError } from '../errors';
import { makeUi } from './ui';

interface InitArguments {
  output: string;
  classes?: string;
  classNames?: string;
  width: string;
  inputSize: string;
  seed: string;
  force: boolean;
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('output', { type: 'string', demandOption: true, describe: 'ONNX file to write' })
    .options({
      classes: { type: 'string', describe: 'Number of classes with the background (default: 21, Pascal VOC)' },
      'class-names': { type: 'string', describe: 'File with one class name a line; "background" may be left out' },
      width: { type: 'string', default: '1', describe: 'Factor on all widths, rounded to multiples of 8' },
      'input-size': { type: 'string', default: '300', describe: 'Width and height of the input in pixels' },
      seed: { type: 'string', default: '0', describe: 'Seed of the weights' },
      force: { type: 'boolean', default: false, describe: 'Replace the file where it exists' },
    })
    .example('$0 init ssd.onnx', 'MobileNetV1-SSD 300 for Pascal VOC')
    .example('$0 init small.onnx --classes 2 --width 0.5 --seed 1', 'one class and the background, half as wide')
    .example('$0 init tiny.onnx --width 0.25 --input-size 160', 'for small pictures, or few milliseconds');
}

export async function handler(args: InitArguments): Promise<void> {
  const ui = makeUi(args);
  const { checkOutput } = require('../files') as typeof import('../files');
  await checkOutput(args.output, { force: args.force });
  const { buildMobileNetV1Ssd } = require('../model/mobilenet-v1-ssd') as typeof import('../model/mobilenet-v1-ssd');
  const { readClassNames } = require('../model/class-names') as typeof import('../model/class-names');
  const { writeModel } = require('../model/write') as typeof import('../model/write');
  const { countElements, listParameters } = require('../model/parameters') as typeof import('../model/parameters');
  const [width, seed] = [number('width', args.width), number('seed', args.seed)];
  const inputSize = number('input-size', args.inputSize);
  const classNames = args.classNames === undefined ? undefined : readClassNames(args.classNames);
  const classes = args.classes === undefined ? (classNames?.length ?? 21) : number('classes', args.classes);
  const model = buildMobileNetV1Ssd({ classes, width, inputSize, seed, ...(classNames && { classNames }) });
  await writeModel(model, args.output, { force: args.force });
  const elements = countElements(listParameters(model));
  const { output } = args;
  const document = { schema: 'ssd-prune.init/1', output, classes, width, inputSize, seed, parameters: elements };
  ui.result(
    document,
    () =>
      `${output}: MobileNetV1-SSD ${inputSize}, ${classes} classes with the background, width ${width}, ${elements.toLocaleString('en')} parameters, seed ${seed} (untrained)`,
  );
}

/** yargs would make NaN of a typing error; this names it. */
function number(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new SsdPruneError('ERR_USAGE', `Expected a number for --${name} but received "${text}"`);
  return value;
}
