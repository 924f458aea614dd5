import type { Argv } from 'yargs';
import { invalidArgument } from '../errors';
import type { DeviceChoice } from '../evaluate/providers';
import { makeUi, type Progress } from './ui';

interface BenchArguments {
  models: string[];
  batchSizes: string;
  threads: string;
  runs: number;
  warmup: number;
  device: DeviceChoice;
  inputShape: string[];
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('models', {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'ONNX files; the first is what the others are compared with',
    })
    .options({
      'batch-sizes': { type: 'string', default: '1,8', describe: 'Pictures a run, each size a series' },
      threads: { type: 'string', default: '1', describe: 'Threads of a session, each count a series; 0: one a core' },
      runs: { type: 'number', default: 50, describe: 'Timed runs of each model in each series' },
      warmup: { type: 'number', default: 5, describe: 'Runs before them' },
      device: { choices: ['auto', 'cuda', 'cpu'] as const, default: 'auto', describe: 'Where to run' },
      'input-shape': {
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
        describe: 'NAME=1,3,300,300 where a model leaves it open',
      },
    })
    .example('$0 bench ssd.onnx small.onnx', 'both at batch 1 and 8, one thread, taking turns')
    .example('$0 bench ssd.onnx small.onnx --threads 1,2 --batch-sizes 1 --json', 'for scripts')
    .example('$0 bench open.onnx --input-shape image=1,3,300,300 --device cuda', 'a model of open size on the GPU');
}

export async function handler(args: BenchArguments): Promise<void> {
  const ui = makeUi(args);
  const { benchModels } = require('../bench/bench') as typeof import('../bench/bench');
  const { renderBenchReport } = require('../bench/table') as typeof import('../bench/table');
  const { parseInputShapes } = require('../model/input-shapes') as typeof import('../model/input-shapes');
  let progress: Progress | undefined;
  const report = await benchModels(args.models, {
    batchSizes: integers('batch-sizes', args.batchSizes),
    threads: integers('threads', args.threads),
    runs: args.runs,
    warmup: args.warmup,
    device: args.device,
    ...(args.inputShape.length > 0 && { inputShapes: parseInputShapes(args.inputShape) }),
    onProgress(done, total) {
      progress ??= ui.progress('runs', total);
      progress.update(done);
    },
    onNote: ui.note,
  }).finally(() => progress?.stop());
  ui.result(report, () => renderBenchReport(report));
}

function integers(name: string, text: string): number[] {
  return text.split(',').map((entry) => {
    if (!/^\s*\d+\s*$/.test(entry)) throw invalidArgument(`--${name}`, 'integers such as 1,8', text);
    return Number(entry);
  });
}
