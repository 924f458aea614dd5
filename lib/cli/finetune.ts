import type { Argv } from 'yargs';
import { invalidArgument } from '../errors';
import type { AugmentationName } from '../train/augmentation';
import type { FinetuneOptions } from '../train/finetune-file';
import type { OptimizerSettings } from '../train/optimizer';
import { interruptible } from './guards';
import { TrainingDisplay } from './training-display';
import { makeUi } from './ui';

interface FinetuneArguments {
  model: string;
  output: string;
  data: string;
  split?: string;
  labels: 'annotations' | 'none';
  detector?: string;
  teacher?: string;
  epochs: number;
  batchSize: number;
  microBatch?: number;
  rate?: number;
  decay: 'cosine' | 'paddle' | 'constant';
  warmUp?: number;
  headsFirst: number;
  optimizer: OptimizerSettings['rule'];
  maxNorm: number;
  average: number;
  weightDecay: number;
  backboneRate: number;
  loss?: 'softmax' | 'focal';
  overlap: number;
  augment: AugmentationName;
  teacherClasses: number;
  teacherBoxes: number;
  temperature: number;
  batchStatistics: boolean;
  recalibrate?: number;
  heldBack: number;
  evaluateEvery: number;
  keep: 'best' | 'last';
  seed: number;
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
      labels: {
        choices: ['annotations', 'none'] as const,
        default: 'annotations',
        describe: 'What is learnt besides the teacher; none: its scores and boxes alone, on any pictures',
      },
      detector: { type: 'string', describe: "Detector settings (JSON), where the model's metadata have none" },
      teacher: { type: 'string', describe: 'ONNX file to learn from too: the model before it was pruned' },
      epochs: { type: 'number', default: 6, describe: 'Times through the pictures' },
      'batch-size': { type: 'number', default: 16, describe: 'Pictures of a step' },
      'micro-batch': {
        type: 'number',
        describe: 'Pictures at a time  [default: the batch with BatchNormalization, else up to 8]',
      },
      rate: { type: 'number', describe: 'Greatest learning rate  [default: 0.0005 with adamw, else 0.001]' },
      decay: { choices: ['cosine', 'paddle', 'constant'] as const, default: 'cosine', describe: 'How it goes down' },
      'warm-up': { type: 'number', describe: 'Steps in which it rises  [default: a twentieth of all, at most 100]' },
      'heads-first': { type: 'number', default: 0, describe: 'Epochs that train the heads alone' },
      optimizer: { choices: ['sgd', 'rmsprop', 'adamw'] as const, default: 'adamw', describe: 'How weights follow' },
      'max-norm': { type: 'number', default: 10, describe: 'Greatest norm of the gradients; 0: no limit' },
      average: {
        type: 'number',
        default: 0.998,
        describe: 'Share that the averaged weights keep a step; 0: no average',
      },
      'weight-decay': { type: 'number', default: 0.0005, describe: 'Decay of filters' },
      'backbone-rate': { type: 'number', default: 1, describe: 'Multiplies the rate of filters outside the heads' },
      loss: {
        choices: ['softmax', 'focal'] as const,
        describe: 'Class loss  [default: "focal" for heads trained with sigmoids, else "softmax"]',
      },
      overlap: {
        type: 'number',
        default: 0.5,
        describe: 'Intersection over union from which on a prior box answers for an object',
      },
      augment: {
        choices: ['paddle', 'light', 'none'] as const,
        default: 'paddle',
        describe: 'What happens to pictures; light: little crops, turned; none: only resized',
      },
      'teacher-classes': { type: 'number', default: 1, describe: "Weight of the teacher's class scores" },
      'teacher-boxes': { type: 'number', default: 1, describe: "Weight of the teacher's boxes" },
      temperature: { type: 'number', default: 1, describe: "Softens both's class scores" },
      'batch-statistics': {
        type: 'boolean',
        default: true,
        describe: 'BatchNormalization by the batch; --no-batch-statistics: by what the model says',
      },
      recalibrate: {
        type: 'number',
        describe: 'Batches that running statistics are measured on first  [default: 16 with BatchNormalization]',
      },
      'held-back': {
        type: 'number',
        default: 0.1,
        describe: 'Share of the pictures that the best weights are chosen by',
      },
      'evaluate-every': { type: 'number', default: 1, describe: 'Epochs between evaluations on them' },
      keep: { choices: ['best', 'last'] as const, default: 'best', describe: 'Which weights are written' },
      seed: { type: 'number', default: 0, describe: 'Everything random follows from it' },
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
  const { renderFinetuneReport } = require('../train/finetune-table') as typeof import('../train/finetune-table');
  const show = new TrainingDisplay(ui);
  const report = await interruptible((signal) =>
    finetuneFile(args.model, args.output, {
      ...options,
      signal,
      onCheck: (done, total) => show.checked(done, total),
      onReady: (trainer, problems) => show.ready(trainer.step, trainer.recipe.steps, problems),
      onEvent: (event) => show.event(event),
    }),
  ).finally(() => show.stop());
  if (report.belowStart && report.finished) {
    const { evaluations, kept } = report;
    const holds = kept === 'start' ? 'the weights it began with' : 'the last ones all the same';
    ui.warn(
      `training made nothing better than what it began with, by the pictures held back (mAP ${evaluations[0]!.map.toFixed(4)} at the start, ${evaluations.at(-1)!.map.toFixed(4)} at the end): ${args.output} holds ${holds}; try a lower --rate${report.teacher === null ? ', or --teacher' : ''}`,
    );
  }
  ui.result(report, () => renderFinetuneReport(report));
}

function finetuneOptions(args: FinetuneArguments): FinetuneOptions {
  const { data, labels, epochs, batchSize, decay, headsFirst, weightDecay, backboneRate } = args;
  const { batchStatistics, heldBack, evaluateEvery, keep, seed, skipBad, resume, otherInstructionSet, force } = args;
  const { threads, average, maxNorm, augment, overlap } = args;
  if (!(average >= 0 && average < 1)) throw invalidArgument('average', 'a share from 0 to below 1', average);
  if (!(maxNorm >= 0)) throw invalidArgument('maxNorm', 'a number from 0 up', maxNorm);
  if (!Number.isInteger(threads) || threads < 0 || threads > 256) {
    throw invalidArgument('threads', 'an integer from 0 to 256', threads);
  }
  const given = <K extends keyof FinetuneArguments>(key: K) => (args[key] === undefined ? {} : { [key]: args[key] });
  return {
    ...{
      data,
      labels,
      epochs,
      batchSize,
      decay,
      headsFirst,
      batchStatistics,
      heldBack,
      evaluateEvery,
      keep,
      seed,
      augment,
    },
    ...{ threads, skipBad, resume, otherInstructionSet, force },
    ...{ ...given('split'), ...given('detector'), ...given('teacher'), ...given('microBatch'), ...given('warmUp') },
    ...given('rate'),
    ...{ ...given('recalibrate'), ...given('state'), ...given('maxSteps') },
    optimizer: {
      rule: args.optimizer,
      ...(maxNorm > 0 && { maxNorm }),
      ...(average > 0 && { average }),
    },
    groups: { weightDecay, backboneRate },
    loss: {
      ...(args.loss !== undefined && { classes: args.loss }),
      overlap,
      teacher: {
        classWeight: args.teacherClasses,
        boxWeight: args.teacherBoxes,
        temperature: args.temperature,
      },
    },
  };
}
