import { copyFile } from 'node:fs/promises';
import { breathe } from '../abort';
import { embeddedDetector } from '../embedded/detector';
import { invalidArgument } from '../errors';
import type { Machine } from '../machine';
import { checkTarget } from '../prune/options';
import type { PruneFileOptions } from '../prune/prune-file';
import type { PruneReport } from '../prune/report';
import type { Evaluation } from '../train/trainer-events';
import { demoCommands, demoFiles } from './commands';
import { benchmark, calibrationImages, demoPattern, finetuning as recipe } from './recipe';

export interface DemoOptions {
  /** Share of the work that is cut, between 0 and 1. Defaults to `0.5`. */
  targetRatio?: number;
  /** Scenes to calibrate and to fine-tune on. Defaults to `1600`. */
  trainScenes?: number;
  /** Others, to measure mAP on. Defaults to `300`. */
  valScenes?: number;
  /** Times that fine-tuning goes through the scenes. Defaults to `6`. */
  epochs?: number;
  /** Of scenes and fine-tuning. Defaults to `0`. */
  seed?: number;
  /** Replace what an earlier demo left in the folder. Defaults to `false`. */
  force?: boolean;
  /** Told before each stage, with the command lines that do the same. */
  onStage?: (stage: DemoStage) => void;
  /** How far a stage is. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

export interface DemoStage {
  /** From 1 to {@link demoStages}. */
  number: number;
  title: string;
  /** Whole lines for a POSIX shell, which replace what the demo left. */
  commands: readonly string[];
}

/** Stages of a demo. */
export const demoStages = 7;

/** One of the demo's four models. */
export interface DemoModel {
  name: 'original' | 'cut' | 'calibrated' | 'fine-tuned';
  file: string;
  macs: number;
  parameters: number;
  bytes: number;
  /** By the VOC devkit's rules, on scenes that no model has seen. */
  map: number;
  latency: { threads: number; minMilliseconds: number; medianMilliseconds: number }[];
}

/** What `demo --json` prints. */
export interface DemoReport {
  schema: 'ssd-prune.demo/1';
  folder: string;
  prunedParams: string;
  /** Parameters that the pattern selects, and how many channels they keep. */
  layers: { name: string; channels: number; cut: number; calibrated: number }[];
  targetRatio: number;
  scenes: { train: number; val: number };
  models: DemoModel[];
  finetuning: { epochs: number; imagesPerSecond: number; evaluations: readonly Evaluation[] };
  /** The same scene with the boxes that the original, the cut and the fine-tuned model find. */
  pictures: string[];
  /** The command lines of all stages. */
  commands: string[];
  machine: Machine;
  runtime: string | null;
  seconds: number;
}

/**
 * The whole job on embedded data: the package's own detector is cut, which costs mAP, and fine-tuned, which brings it
 * back; all models are measured, and the boxes they find are drawn.
 * @param folder where models, scenes and pictures go; made where it isn't there
 * @throws {SsdPruneError} ERR_ADDON_MISSING and ERR_NO_RUNTIME before anything is written, ERR_OUTPUT_EXISTS where an earlier demo's files are in the way, ERR_ABORTED, and what the
 * stages' functions throw
 */
export async function runDemo(folder: string, options: DemoOptions = {}): Promise<DemoReport> {
  const { targetRatio = 0.5, trainScenes = 1600, valScenes = 300, epochs = 6, seed = 0 } = options;
  const { force = false, signal, onStage, onProgress } = options;
  if (typeof folder !== 'string' || folder === '') throw invalidArgument('folder', 'the name of a folder', folder);
  checkTarget({ prunedParams: demoPattern, targetRatio });
  const started = performance.now();
  const files = demoFiles(folder);
  const { original, cut, calibrated, tuned, scenes: data } = files;
  const lines = demoCommands(files, { targetRatio, trainScenes, valScenes, epochs, seed });
  const commands: string[] = [];
  let number = 0;
  const begin = async (title: string, own: readonly string[]): Promise<void> => {
    await breathe(signal);
    commands.push(...own);
    onStage?.({ number: ++number, title, commands: own });
  };

  await checkTools();
  const { checkOutput, makeFolder } = require('../files') as typeof import('../files');
  await makeFolder(folder);
  const { drawDetectedScene, sceneFiles } = require('./picture') as typeof import('./picture');
  const drawn = [original, cut, tuned];
  const { scene, pictures } = sceneFiles(folder, drawn);
  for (const file of [original, cut, calibrated, tuned, scene, ...pictures]) await checkOutput(file, { force });

  await begin(`${trainScenes} labelled scenes to train on, ${valScenes} to measure on`, lines.scenes);
  const { sceneClasses } = require('../scenes/shapes') as typeof import('../scenes/shapes');
  const { writeScenes } = require('../scenes/voc-folder') as typeof import('../scenes/voc-folder');
  const { openDataset } = require('../data/dataset') as typeof import('../data/dataset');
  for (const [split, count] of [
    ['train', trainScenes],
    ['val', valScenes],
  ] as const) {
    await writeScenes(data, {
      split,
      count,
      seed,
      force,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    });
  }
  const val = await openDataset(data, { split: 'val', classes: sceneClasses });

  await begin('The trained detector, and what the pattern selects of it', lines.original);
  await copyFile(embeddedDetector, await checkOutput(original, { force }));
  const { readModel } = require('../model/read') as typeof import('../model/read');
  const { readDetectorSettings } = require('../model/detector') as typeof import('../model/detector');
  const { describeParameters } = require('../prune/parameter-list') as typeof import('../prune/parameter-list');
  const model = await readModel(original);
  const detector = readDetectorSettings(model);
  const { tensorDims } = require('../model/tensor') as typeof import('../model/tensor');
  const selected = describeParameters(model, demoPattern).selected!;

  const { pruneFile } = require('../prune/prune-file') as typeof import('../prune/prune-file');
  const prune = (output: string, more: Partial<PruneFileOptions>): Promise<PruneReport> =>
    pruneFile(original, output, { prunedParams: demoPattern, targetRatio, force, ...(signal && { signal }), ...more });
  await begin('The cut, by weights alone, and its proof', lines.cut);
  const plain = await prune(cut, {});
  await begin('The same cut, chosen and repaired by pictures', lines.calibrated);
  const repaired = await prune(calibrated, {
    calibrate: { pictures: data, split: 'train', images: calibrationImages, seed },
  });

  await begin('Fine-tuning of what is left, with the original as its teacher', lines.finetuned);
  const { finetuneFile } = require('../train/finetune-file') as typeof import('../train/finetune-file');
  const { rule, rate, average, augment, overlap, teacherClasses, teacherFeatures, batchSize } = recipe;
  const finetuning = await finetuneFile(calibrated, tuned, {
    ...{ data, split: 'train', teacher: original, epochs, evaluateEvery: epochs, rate, seed, force },
    ...{
      optimizer: { rule, maxNorm: 10, average },
      augment,
      batchSize,
      loss: { overlap, teacher: { classWeight: teacherClasses, featureWeight: teacherFeatures } },
    },
    ...(signal && { signal }),
    onEvent: (event) => {
      if (event.event === 'step') onProgress?.(event.step, event.steps);
    },
  });

  await begin('mAP on scenes that no model has seen', lines.evaluated);
  const list = [
    { name: 'original', file: original, macs: plain.macs.before, parameters: plain.parameters.before },
    { name: 'cut', file: cut, macs: plain.macs.after, parameters: plain.parameters.after },
    { name: 'calibrated', file: calibrated, macs: repaired.macs.after, parameters: repaired.parameters.after },
    { name: 'fine-tuned', file: tuned, macs: repaired.macs.after, parameters: repaired.parameters.after },
  ] as const;
  const { evaluateModel } = require('../evaluate/evaluate') as typeof import('../evaluate/evaluate');
  const maps: number[] = [];
  for (const { file } of list) {
    await breathe(signal);
    const { result } = await evaluateModel(file, detector, val, { protocol: 'voc' });
    maps.push(result.map!);
    onProgress?.(maps.length, list.length);
  }

  const all = list.map(({ file }) => file);
  await begin('Latency of all models, in turns', lines.benched);
  const { benchModels } = require('../bench/bench') as typeof import('../bench/bench');
  const bench = await benchModels(all, {
    ...benchmark,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  await drawDetectedScene(drawn, detector, val, folder);
  return {
    ...{ schema: 'ssd-prune.demo/1', folder, prunedParams: demoPattern, targetRatio },
    layers: selected.map((name) => ({
      ...{ name, channels: tensorDims(model.constant(name)!)[0]! },
      ...{ cut: widthOf(plain, name), calibrated: widthOf(repaired, name) },
    })),
    scenes: { train: trainScenes, val: valScenes },
    models: list.map((one, i) => ({
      ...one,
      bytes: bench.models[i]!.bytes,
      map: maps[i]!,
      latency: bench.results
        .filter(({ model: file }) => file === one.file)
        .map(({ threads, minMilliseconds, medianMilliseconds }) => ({ threads, minMilliseconds, medianMilliseconds })),
    })),
    ...{
      finetuning: { epochs, imagesPerSecond: finetuning.imagesPerSecond, evaluations: finetuning.evaluations },
      pictures,
      commands,
      machine: bench.machine,
      runtime: bench.runtime,
    },
    seconds: (performance.now() - started) / 1000,
  };
}

/** Loads what later stages need: nobody is to wait for scenes, and then to hear that it isn't there. */
async function checkTools(): Promise<void> {
  const { addon } = require('../native/addon') as typeof import('../native/addon');
  addon();
  const { DetectorSession } = require('../evaluate/session') as typeof import('../evaluate/session');
  const session = await DetectorSession.create(embeddedDetector);
  await session.close();
}

/** Channels that a parameter has after a cut. */
function widthOf({ layers }: PruneReport, name: string): number {
  const layer = layers.find((one) => one.name === name)!;
  return layer.shapeAfter[layer.axis]!;
}
