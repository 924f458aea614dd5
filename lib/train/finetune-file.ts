import { stat, unlink } from 'node:fs/promises';
import type { CheckOptions } from '../data/check';
import { checkOptions, invalidArgument, SsdPruneError, withState } from '../errors';
import { checkOutput } from '../files';
import { readDetectorSettings, settingsToCarry } from '../model/detector';
import { detectorKey } from '../model/detector-key';
import { readModel } from '../model/read';
import { readNetwork } from './network';
import { checkRecipe, type Recipe } from './recipe';
import { checkTaught, readTeacher, teacherNetwork } from './teacher';
import { Trainer } from './trainer';
import type { Evaluation, TrainResult } from './trainer-events';
import { checkMaxSteps, type RunOptions, type TrainerOptions } from './trainer-options';
import { openTrainingData } from './training-data';

export interface FinetuneOptions extends Omit<TrainerOptions, 'teacher'>, Omit<RunOptions, 'checkpoint'> {
  /** Folder in Pascal VOC or COCO layout. With `labels: 'none'` any folder of pictures, or a list of them. */
  data: string;
  /** Pictures to train on. Defaults to `train`; without labels it is for VOC and COCO folders alone. */
  split?: string;
  /** Leave out pictures and annotations that are broken, instead of refusing all. Defaults to `false`. */
  skipBad?: boolean;
  /** ONNX file of the network that the trained one is to be like. */
  teacher?: string;
  /** Detector settings, where the models' metadata have none. */
  detector?: string;
  /** Which weights are written: the best on the pictures held back, or those after the last step. Defaults to `best`. */
  keep?: 'best' | 'last';
  /** Replace the output, and start over where there is a state. Defaults to `false`. */
  force?: boolean;
  /** Where the run's state is kept between calls; removed when it is finished. Defaults to `OUT.state`. */
  state?: string;
  /** Go on from the state. Defaults to `false`. */
  resume?: boolean;
  /** Go on though the state was made with another instruction set. Defaults to `false`. */
  otherInstructionSet?: boolean;
  /** Told as the pictures are checked. */
  onCheck?: CheckOptions['onProgress'];
  /** Told of the trainer, which is closed when the call ends, before its first step, and of what was left out of the pictures. */
  onReady?: (trainer: Trainer, problems: readonly string[]) => void;
}

/** What `finetune --json` prints. */
export interface FinetuneReport {
  schema: 'ssd-prune.finetune/1';
  model: string;
  /** Null where nothing was written: the run isn't finished. */
  output: string | null;
  teacher: string | null;
  /** `split`: null where none was named, and none is looked for. */
  data: { folder: string; split: string | null; trained: number; heldBack: number; leftOut: number };
  recipe: Recipe;
  finished: boolean;
  step: number;
  evaluations: readonly Evaluation[];
  best: Evaluation | null;
  /** Which weights the output holds. */
  kept: 'start' | 'best' | 'last' | null;
  /** Whether training made nothing better than what it began with, on the pictures held back. */
  belowStart: boolean;
  imagesPerSecond: number;
  /** The state to go on from, where the run isn't finished. */
  state: string | null;
  /** Of this call, from opening the model on. */
  seconds: number;
}

/**
 * Fine-tunes a model file: checks the pictures, trains, and writes the model with other weights and nothing else changed,
 * but that its metadata get the detector settings where only a file had them.
 * A run that is called off, or ends after `maxSteps`, leaves its state, from which a call with `resume` goes on to the
 * very same weights.
 * @throws {SsdPruneError} ERR_OUTPUT_EXISTS; ERR_ABORTED naming the state; ERR_DIVERGED; what {@link readModel},
 * {@link openTrainingData}, {@link Trainer} and its `run` throw
 */
export async function finetuneFile(input: string, output: string, options: FinetuneOptions): Promise<FinetuneReport> {
  checkOptions(options, 'data');
  const started = performance.now();
  const { data, labels, skipBad, teacher: teacherFile, detector: detectorFile, keep = 'best' } = options;
  const split = options.split ?? (labels === 'none' ? undefined : 'train');
  const { force = false, state = `${output}.state`, resume = false, otherInstructionSet, onCheck, onReady } = options;
  const { maxSteps, afterStep, onEvent, signal, ...recipe } = options;
  // Before hours of decoding.
  await checkOutput(output, { force });
  await checkState(state, { inputs: [input, output], force, resume });
  checkTaught(teacherFile !== undefined, recipe);
  checkRecipe(recipe);
  if (maxSteps !== undefined) checkMaxSteps(maxSteps);
  if (keep !== 'best' && keep !== 'last') throw invalidArgument('keep', 'best or last', keep);
  const model = await readModel(input);
  const detector = readDetectorSettings(model, detectorFile);
  const carried = settingsToCarry(model, detectorFile);
  const teacher = teacherFile === undefined ? undefined : await readTeacher(teacherFile, detectorFile);
  // Neither fails behind minutes of decoding.
  readNetwork(model, detector);
  if (teacher) teacherNetwork(teacher, detector);
  // Index 0 is background, whatever the settings call it.
  const { dataset, files, problems } = await openTrainingData(data, ['background', ...detector.classes.slice(1)], {
    ...(split !== undefined && { split }),
    ...(labels !== undefined && { labels }),
    ...(skipBad !== undefined && { skipBad }),
    ...(onCheck && { onProgress: onCheck }),
    ...(signal && { signal }),
  });
  const settings = [detectorFile, detector.priorsFile, teacherFile].filter((file) => file !== undefined);
  const read = [...settings, ...files];
  await checkOutput(state, { inputs: [...model.dataFiles, ...read] });
  // Not even by --force, which is said for starting over, too; the model itself may be replaced by it.
  await checkOutput(output, { inputs: read });
  const trainer = new Trainer(model, detector, dataset, { ...trainerOptions(recipe), ...(teacher && { teacher }) });
  try {
    if (resume) await trainer.restore(state, { otherInstructionSet: otherInstructionSet ?? false });
    onReady?.(trainer, problems);

    const write = async (which: 'best' | 'last'): Promise<void> => {
      const { writeModel } = require('../model/write') as typeof import('../model/write');
      const trained = trainer.model(which);
      if (carried !== undefined) trained.setMetadata(detectorKey, carried);
      await writeModel(trained, output, { force });
    };
    const running = { checkpoint: state, maxSteps, afterStep, onEvent, signal };
    const finish = async (): Promise<TrainResult> => {
      const done = await trainer.run(given(running));
      await trainer.save(state);
      if (!done.finished) return done;
      await write(keep);
      await unlink(state).catch(() => {});
      return done;
    };
    const result = await finish().catch((error: unknown) => giveUp(error, trainer, state, output, write));
    return {
      schema: 'ssd-prune.finetune/1',
      ...{ model: input, output: result.finished ? output : null, teacher: teacherFile ?? null },
      data: {
        ...{ folder: data, split: split ?? null, trained: trainer.trained.length, heldBack: trainer.held.length },
        leftOut: problems.length,
      },
      ...{ recipe: trainer.recipe, finished: result.finished, step: result.step, evaluations: result.evaluations },
      ...{ best: result.best ?? null, kept: result.finished ? kept(result, keep) : null },
      ...{ belowStart: result.belowStart, imagesPerSecond: result.imagesPerSecond },
      ...{ state: result.finished ? null : state, seconds: (performance.now() - started) / 1000 },
    };
  } finally {
    trainer.close();
  }
}

/** The options that are the trainer's own. */
function trainerOptions(options: Partial<FinetuneOptions>): TrainerOptions {
  const { data: _, split, skipBad, teacher, detector, keep, force, state, resume, ...rest } = options;
  const { otherInstructionSet, onCheck, onReady, ...own } = rest;
  return own;
}

/** Before the work: a state that is there is another run's work, or this one's. */
async function checkState(
  file: string,
  { inputs, force, resume }: { inputs: string[]; force: boolean; resume: boolean },
): Promise<void> {
  await checkOutput(file, { inputs });
  const there = await stat(file).catch(() => undefined);
  if (there && !resume && !force) {
    throw new SsdPruneError(
      'ERR_OUTPUT_EXISTS',
      `${file} holds the state of a run that isn't finished: go on with --resume, or start over with --force`,
    );
  }
  if (!there && resume) throw new SsdPruneError('ERR_IO', `There is no state ${file} to resume from`);
}

/** Options without those that are left open. */
const given = <T extends object>(options: T) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: NonNullable<T[K]>;
  };

/** Keeps what a run has that ends before its time, and says where. */
async function giveUp(
  error: unknown,
  trainer: Trainer,
  state: string,
  output: string,
  write: (which: 'best' | 'last') => Promise<void>,
): Promise<never> {
  const own = error instanceof SsdPruneError;
  // What fails before the first step loses nothing.
  if (trainer.step === 0 && !(own && error.code === 'ERR_ABORTED')) throw error;
  const { best } = trainer.result;
  const diverged = own && error.code === 'ERR_DIVERGED';
  // Nobody knows when weights that nothing judged went wrong: those of the last whole epoch are further from it.
  const fromEpoch = diverged && best === undefined && (await goBack(trainer, state));
  try {
    if (!fromEpoch) await trainer.save(state);
  } catch {
    // A full disk, say: an earlier state may be there.
    throw error;
  }
  // A caller's own, of onEvent say, stays what it is.
  if (!own) throw error;
  const kept: string[] = [];
  if (diverged) {
    if (best === undefined) {
      await write('last');
      kept.push(`${output} holds the weights of step ${trainer.step}, which nothing judged.`);
    } else if (best.step > 0) {
      await write('best');
      kept.push(`${output} holds the weights of step ${best.step}, the best ones so far.`);
    }
  }
  throw withState(error, trainer.step, state, kept);
}

/** Goes back to the state that the last whole epoch left; `false` where there is none. */
const goBack = (trainer: Trainer, state: string): Promise<boolean> =>
  trainer.restore(state, { otherInstructionSet: true }).then(
    () => true,
    () => false,
  );

function kept({ best, evaluations }: TrainResult, keep: 'best' | 'last'): FinetuneReport['kept'] {
  if (keep === 'last' || evaluations.length === 0) return 'last';
  return best?.step === 0 ? 'start' : 'best';
}
