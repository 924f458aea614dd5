import path from 'node:path';
import { embeddedDetector } from '../embedded/detector';
import { benchmark, calibrationImages, demoPattern, finetuning } from './recipe';

/** What a demo is asked for, without open ends. */
export interface DemoChoices {
  targetRatio: number;
  trainScenes: number;
  valScenes: number;
  epochs: number;
  seed: number;
}

/** Where a demo's models and scenes lie. */
export interface DemoFiles {
  original: string;
  cut: string;
  calibrated: string;
  tuned: string;
  scenes: string;
}

export function demoFiles(folder: string): DemoFiles {
  const place = (name: string): string => path.join(folder, name);
  return {
    ...{ original: place('original.onnx'), cut: place('cut.onnx'), calibrated: place('calibrated.onnx') },
    ...{ tuned: place('fine-tuned.onnx'), scenes: place('scenes') },
  };
}

/** Stages of a demo, each with the lines for a shell that do the same. */
export type DemoCommands = Record<
  'scenes' | 'original' | 'cut' | 'calibrated' | 'finetuned' | 'evaluated' | 'benched',
  readonly string[]
>;

/** Lines that make the same files, in the same folder: they may be typed after the demo, so they replace what is there. */
export function demoCommands(files: DemoFiles, choices: DemoChoices): DemoCommands {
  const { original, cut, calibrated, tuned, scenes } = files;
  const { targetRatio, trainScenes, valScenes, epochs, seed } = choices;
  const seeded = ['--seed', seed];
  const draw = (split: string, count: number): string =>
    line('scenes', scenes, '--split', split, '--count', count, ...seeded, '--force');
  const prune = (output: string, ...more: Word[]): string =>
    line(
      ...['prune', original, '-o', output, '--pruned-params', demoPattern, '--target-ratio', targetRatio],
      ...[...more, '--force'],
    );
  const pictures = ['--calibrate', scenes, '--split', 'train', '--calibration-images', calibrationImages];
  const { rule, rate, average, augment, overlap, teacherClasses, teacherFeatures, batchSize } = finetuning;
  const { batchSizes, threads, runs, warmup } = benchmark;
  return {
    scenes: [draw('train', trainScenes), draw('val', valScenes)],
    original: [shellWords('cp', embeddedDetector, original), line('params', original, '--pruned-params', demoPattern)],
    cut: [prune(cut)],
    calibrated: [prune(calibrated, ...pictures, '--calibration-seed', seed)],
    finetuned: [
      line(
        ...['finetune', calibrated, '-o', tuned, '--data', scenes, '--split', 'train', '--teacher', original],
        ...['--epochs', epochs, '--rate', rate, '--average', average, '--augment', augment, '--overlap', overlap],
        ...['--optimizer', rule, '--teacher-classes', teacherClasses, '--teacher-features', teacherFeatures],
        ...['--batch-size', batchSize],
        ...['--evaluate-every', epochs, ...seeded, '--force'],
      ),
    ],
    evaluated: [original, cut, calibrated, tuned].map((model) =>
      line('eval', model, '--data', scenes, '--split', 'val', '--protocol', 'voc'),
    ),
    benched: [
      line(
        ...['bench', original, cut, calibrated, tuned, '--batch-sizes', batchSizes.join(), '--threads', threads.join()],
        ...['--runs', runs, '--warmup', warmup],
      ),
    ],
  };
}

type Word = string | number;

const line = (...words: Word[]): string => `npx ssd-prune ${shellWords(...words)}`;

/** Words as a POSIX shell takes them apart again. */
function shellWords(...words: Word[]): string {
  const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
  return words.map((word) => (/^[\w./:=,@%+-]+$/.test(`${word}`) ? `${word}` : quote(`${word}`))).join(' ');
}
