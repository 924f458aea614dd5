import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Argv } from 'yargs';
import { makeUi, type Progress } from './ui';

interface DemoArguments {
  output?: string;
  targetRatio: number;
  trainScenes: number;
  valScenes: number;
  epochs: number;
  seed: number;
  force: boolean;
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .options({
      output: {
        type: 'string',
        alias: 'o',
        describe: 'Folder for models and pictures  [default: a new temporary one]',
      },
      'target-ratio': { type: 'number', default: 0.5, describe: 'Share of the work to cut' },
      'train-scenes': { type: 'number', default: 1600, describe: 'Pictures to calibrate and fine-tune on' },
      'val-scenes': { type: 'number', default: 300, describe: 'Pictures to measure mAP on' },
      epochs: { type: 'number', default: 6, describe: 'Times that fine-tuning goes through the pictures' },
      seed: { type: 'number', default: 0, describe: 'Seed of pictures and fine-tuning' },
      force: { type: 'boolean', default: false, describe: "Replace an earlier demo's files in the folder" },
    })
    .example('$0 demo', 'the whole job on the detector and the pictures that come with this package')
    .example('$0 demo -o demo --target-ratio 0.3', 'a smaller cut, its files in demo/');
}

export async function handler(args: DemoArguments): Promise<void> {
  const ui = makeUi(args);
  const { demoStages, runDemo } = require('../demo/demo') as typeof import('../demo/demo');
  const { renderDemoReport } = require('../demo/table') as typeof import('../demo/table');
  const { output, targetRatio, trainScenes, valScenes, epochs, seed, force } = args;
  const folder = output ?? mkdtempSync(path.join(tmpdir(), 'ssd-prune-demo-'));
  // A folder that nobody asked for by name is of no use half full.
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  if (output === undefined) process.on('exit', remove);
  let progress: Progress | undefined;
  let label = '';
  try {
    const report = await runDemo(folder, {
      ...{ targetRatio, trainScenes, valScenes, epochs, seed, force },
      onStage: ({ number, title, commands }) => {
        progress?.stop();
        progress = undefined;
        label = `stage ${number}`;
        ui.note([`${number}/${demoStages}  ${title}`, ...commands.map((line) => `     ${line}`)].join('\n'));
      },
      onProgress: (done, total) => {
        progress ??= ui.progress(label, total);
        progress.update(done);
        if (done < total) return;
        progress.stop();
        progress = undefined;
      },
    });
    process.removeListener('exit', remove);
    ui.result(report, () => renderDemoReport(report));
  } finally {
    progress?.stop();
  }
}
