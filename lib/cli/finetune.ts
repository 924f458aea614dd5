import type { Argv } from 'yargs';
import { invalidArgument } from '../errors';
import type { FinetuneOptions } from '../train/finetune-file';
import { type RecipeKey, type RecipeSettings, recipeKeys, recipeOptions } from '../train/recipe-settings';
import { interruptible } from './guards';
import { TrainingDisplay } from './training-display';
import { makeUi } from './ui';

interface FinetuneArguments extends RecipeSettings {
  model: string;
  output: string;
  data: string;
  split?: string;
  detector?: string;
  teacher?: string;
  epochs: number;
  evaluateEvery: number;
  keep: 'best' | 'last';
  threads: number;
  skipBad: boolean;
  state?: string;
  resume: boolean;
  maxSteps?: number;
  otherInstructionSet: boolean;
  force: boolean;
  json: boolean;
  quiet: boolean;
}

/** A setting of the recipe as an option; its default, where it has no constant one, stands behind its description. */
const recipeOption = (key: keyof RecipeSettings) => {
  const { describe, unset, choices, default: value }: RecipeKey = recipeKeys[key];
  return {
    ...(choices ? { choices } : { type: typeof value === 'boolean' ? ('boolean' as const) : ('number' as const) }),
    ...(value !== undefined && { default: value }),
    describe: unset === undefined ? describe : `${describe}  [default: ${unset}]`,
  };
};

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('model', { type: 'string', demandOption: true, describe: 'ONNX file' })
    .options({
      output: { alias: 'o', type: 'string', demandOption: true, describe: 'Where to write the trained model' },
      data: {
        type: 'string',
        demandOption: true,
        describe: 'Folder in Pascal VOC or COCO layout; without labels any folder, or a list, of pictures',
      },
      split: {
        type: 'string',
        describe: 'Pictures to train on  [default: "train"; without labels of a VOC folder only]',
      },
      labels: recipeOption('labels'),
      detector: { type: 'string', describe: "Detector settings (JSON), where the model's metadata have none" },
      teacher: { type: 'string', describe: 'ONNX file to learn from too: the model before it was pruned' },
      epochs: { type: 'number', default: 6, describe: 'Times through the pictures' },
      'batch-size': recipeOption('batchSize'),
      'micro-batch': recipeOption('microBatch'),
      precision: recipeOption('precision'),
      rate: recipeOption('rate'),
      decay: recipeOption('decay'),
      'warm-up': recipeOption('warmUp'),
      'heads-first': recipeOption('headsFirst'),
      optimizer: recipeOption('optimizer'),
      'max-norm': recipeOption('maxNorm'),
      average: recipeOption('average'),
      'weight-decay': recipeOption('weightDecay'),
      'backbone-rate': recipeOption('backboneRate'),
      loss: recipeOption('loss'),
      overlap: recipeOption('overlap'),
      augment: recipeOption('augment'),
      'teacher-classes': recipeOption('teacherClasses'),
      'teacher-boxes': recipeOption('teacherBoxes'),
      'teacher-features': recipeOption('teacherFeatures'),
      temperature: recipeOption('temperature'),
      'batch-statistics': {
        ...recipeOption('batchStatistics'),
        describe: 'BatchNormalization by the batch; --no-batch-statistics: by what the model says',
      },
      recalibrate: recipeOption('recalibrate'),
      'held-back': recipeOption('heldBack'),
      explosion: {
        type: 'number',
        default: recipeKeys.explosion.default,
        describe: 'A loss so many times the least running mean stops the run; 0: never',
      },
      'evaluate-every': { type: 'number', default: 1, describe: 'Epochs between evaluations on them' },
      keep: { choices: ['best', 'last'] as const, default: 'best', describe: 'Which weights are written' },
      seed: recipeOption('seed'),
      threads: { type: 'number', default: 0, describe: 'Threads; 0: one a core. They change no bit' },
      'skip-bad': { type: 'boolean', default: false, describe: 'Leave out pictures and annotations that are broken' },
      state: { type: 'string', describe: "Where the run's state is kept until it is finished  [default: OUT.state]" },
      resume: { type: 'boolean', default: false, describe: 'Go on from the state, with the same options' },
      'max-steps': { type: 'number', describe: 'End after so many steps; --resume goes on' },
      'other-instruction-set': {
        type: 'boolean',
        default: false,
        describe: 'Resume what ran on another instruction set: last bits differ',
      },
      force: { type: 'boolean', default: false, describe: 'Replace the output, start over where there is a state' },
    })
    .example(
      '$0 finetune small.onnx -o tuned.onnx --data VOC2007 --teacher ssd.onnx',
      'the pruned model learns from the whole one',
    )
    .example('$0 finetune small.onnx -o tuned.onnx --data VOC2007 --teacher ssd.onnx --resume', 'after Ctrl-C')
    .example(
      '$0 finetune small.onnx -o tuned.onnx --data holiday/ --labels none --teacher ssd.onnx',
      'on pictures that nobody has annotated',
    );
}

export async function handler(args: FinetuneArguments): Promise<void> {
  const ui = makeUi(args);
  const options = finetuneOptions(args);
  // Read by the addon when it first shares out work.
  if (args.threads > 0) process.env.SSD_PRUNE_THREADS = String(args.threads);
  const { finetuneFile } = require('../train/finetune-file') as typeof import('../train/finetune-file');
  const { belowStart, fewHeldBack } = require('../train/weight-warnings') as typeof import('../train/weight-warnings');
  const { renderFinetuneReport } = require('../train/finetune-table') as typeof import('../train/finetune-table');
  const show = new TrainingDisplay(ui);
  const report = await interruptible((signal) =>
    finetuneFile(args.model, args.output, {
      ...options,
      signal,
      onCheck: (done, total) => show.checked(done, total),
      onReady: (trainer, problems) => {
        const few = args.keep === 'best' ? fewHeldBack(trainer.held.length, '--held-back') : undefined;
        if (few !== undefined) ui.warn(few);
        show.ready(trainer.step, trainer.recipe.steps, problems);
      },
      onEvent: (event) => show.event(event),
    }),
  ).finally(() => show.stop());
  const noBetter = belowStart(report, {
    ...{ began: 'it began with', output: args.output, keep: report.kept === 'start' ? 'best' : 'last' },
    advice: `a lower --rate${report.teacher === null ? ', or --teacher' : ''}`,
  });
  if (noBetter !== undefined && report.finished) ui.warn(noBetter);
  ui.result(report, () => renderFinetuneReport(report));
}

function finetuneOptions(args: FinetuneArguments): FinetuneOptions {
  const { data, epochs, evaluateEvery, keep, threads, skipBad, resume, otherInstructionSet, force } = args;
  if (!Number.isInteger(threads) || threads < 0 || threads > 256) {
    throw invalidArgument('threads', 'an integer from 0 to 256', threads);
  }
  const given = <K extends keyof FinetuneArguments>(key: K) => (args[key] === undefined ? {} : { [key]: args[key] });
  return {
    ...recipeOptions(args.explosion === 0 ? { ...args, explosion: null } : args),
    ...{ data, epochs, evaluateEvery, keep, threads, skipBad, resume, otherInstructionSet, force },
    ...{ ...given('split'), ...given('detector'), ...given('teacher'), ...given('state'), ...given('maxSteps') },
  };
}
