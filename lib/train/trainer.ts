import { throwIfAborted } from '../abort';
import type { Dataset, Sample } from '../data/dataset';
import { checkOptions, invalidArgument, SsdPruneError } from '../errors';
import type { DetectorSettings } from '../model/detector';
import type { OnnxModel } from '../model/onnx-model';
import type { NativeStepReport, NativeTrainer } from '../native/trainer';
import type { CutResult } from '../prune/cut';
import { noAugmentation } from './augmentation';
import type { TrainingBatch } from './batches';
import { divergence, explosionLimit, noLoss, StepStatus, withLoss } from './divergence';
import { makeNativeTrainer } from './native-trainer';
import type { DetectorNetwork } from './network';
import { groupParameters, type ParameterGroup } from './optimizer';
import { type PlacedParameter, placeParameters, placeState, readOptimizer, writeOptimizer } from './optimizer-arrays';
import { type OptimizerState, sliceOptimizerState } from './optimizer-state';
import { parameterOffsets } from './parameters';
import { type DataPosition, endlessBatches } from './passes';
import { recalibrate, type StatisticRange, statisticRanges } from './recalibration';
import type { Recipe } from './recipe';
import { averageDecay, groupRates, learningRate } from './schedule';
import { SpeedMeter } from './speed-meter';
import { stepEvent } from './step-event';
import type { TrainResult } from './trainer-events';
import { checkMaxSteps, type ResumeOptions, type RunOptions, type TrainerOptions } from './trainer-options';
import {
  checkIdentity,
  identifyRun,
  type Progress,
  type RunIdentity,
  readTrainerState,
  saveTrainerState,
} from './trainer-state';
import { planTraining } from './training-plan';
import { modelWithWeights } from './validation';
import { WeightJudge } from './weight-judge';

/**
 * Trains a detector's weights on annotated pictures. Everything random follows from the recipe's seed: a run that was
 * stopped after any step, saved and resumed gives the same bits as one that was not, with any number of threads.
 *
 * @example
 * const trainer = new Trainer(model, readDetectorSettings(model), dataset, { epochs: 6, teacher: { model: unpruned } });
 * const result = await trainer.run({ onEvent: console.error });
 * await writeModel(trainer.model('best'), 'tuned.onnx');
 */
export class Trainer {
  readonly recipe: Recipe;
  /** Pictures that are trained on, and those that weights are judged by. */
  readonly trained: readonly Sample[];
  readonly held: readonly Sample[];
  readonly #network: DetectorNetwork;
  readonly #detector: DetectorSettings;
  readonly #native: NativeTrainer;
  readonly #identity: RunIdentity;
  readonly #placed: readonly PlacedParameter[];
  readonly #groups: readonly ParameterGroup[];
  readonly #statistics: readonly StatisticRange[];
  readonly #judge: WeightJudge;
  readonly #dataset: Pick<Dataset, 'classes' | 'samples'>;
  readonly #options: TrainerOptions;
  #progress: Progress = {
    ...{ step: 0, data: { pass: 0, index: 0 }, recalibrated: false },
    loss: noLoss,
  };
  #meter = new SpeedMeter();
  #running = false;

  /**
   * @param dataset its classes are those of the detector, background first; the recipe's `labels: 'none'` reads no boxes
   * @throws {SsdPruneError} what {@link planTraining} throws
   */
  constructor(
    model: OnnxModel,
    detector: DetectorSettings,
    dataset: Pick<Dataset, 'classes' | 'samples'>,
    options: TrainerOptions = {},
  ) {
    checkGiven(model, dataset, options);
    const { teacher, threads = 0 } = options;
    const planned = planTraining(model, detector, dataset, options);
    const { network, trained, held, recipe } = planned;
    this.#network = network;
    this.#detector = detector;
    this.#dataset = dataset;
    this.#options = options;
    this.trained = trained;
    this.held = held;
    this.recipe = recipe;
    const { labels, loss } = recipe;
    const judging = labels === 'none' && teacher && { ...teacher, confidence: loss.teacher?.confidence ?? 0.5 };
    this.#judge = new WeightJudge({
      ...{ network: this.#network, detector, dataset, held, threads },
      ...(judging && { teacher: judging }),
    });
    const { offsets } = parameterOffsets(this.#network.plan);
    this.#placed = placeParameters(this.#network, offsets);
    this.#groups = groupParameters(this.#network.parameters, this.recipe.groups);
    this.#statistics = statisticRanges(this.#network.plan.graph, offsets);
    const parts = { groups: this.#groups, placed: this.#placed, statistics: this.#statistics };
    this.#native = makeNativeTrainer(network, planned, recipe, detector, parts);
    this.#identity = identifyRun(planned, dataset.samples, detector);
  }

  /** Steps taken, by earlier runs that were resumed too. */
  get step(): number {
    return this.#progress.step;
  }

  /** How the run went so far. */
  get result(): TrainResult {
    const { evaluations, best } = this.#judge;
    return {
      ...{ finished: this.step >= this.recipe.steps, step: this.step, steps: this.recipe.steps },
      ...{ evaluations: [...evaluations], best, belowStart: evaluations.length > 1 && best === evaluations[0] },
      imagesPerSecond: this.#meter.overall,
    };
  }

  /**
   * The pictures held back, with the objects that weights are judged by: those that the teacher finds where labels are
   * not read.
   * @throws {SsdPruneError} ERR_BAD_DATA where it finds nothing
   */
  truth(signal?: AbortSignal): Promise<readonly Sample[]> {
    return this.#judge.truth(signal);
  }

  /** Bytes of network, teacher and optimiser. */
  get bytes(): number {
    return this.#native.bytes;
  }

  /**
   * Trains until all steps are taken, or `maxSteps` more. After an error the weights are those after the last whole step.
   * @throws {SsdPruneError} ERR_ABORTED; ERR_DIVERGED naming the step whose loss or gradients are no numbers or exploded;
   * ERR_BAD_DATA for a picture that can't be read; what evaluation throws (ERR_NO_RUNTIME, unless nothing is held back)
   */
  async run(options: RunOptions = {}): Promise<TrainResult> {
    const { maxSteps = Number.POSITIVE_INFINITY, signal } = options;
    checkMaxSteps(maxSteps);
    if (this.#running) throw new SsdPruneError('ERR_USAGE', 'This trainer runs already.');
    this.#running = true;
    const abort = (): void => this.#native.abort();
    signal?.addEventListener('abort', abort);
    this.#meter = new SpeedMeter();
    try {
      throwIfAborted(signal);
      if (this.step === 0) await this.#evaluateWhereDue(options);
      await this.#recalibrate(options);
      await this.#train(Math.min(this.recipe.steps, this.step + maxSteps), options);
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#running = false;
    }
    return this.result;
  }

  /**
   * The model with other weights and nothing else changed.
   * @param which `best`: those that were judged best on the pictures held back, the model's own among them, or the last
   * ones where nothing was judged; `last`: those after the last step
   */
  model(which: 'best' | 'last' = 'best'): OnnxModel {
    const { evaluations, bestWeights } = this.#judge;
    if (which === 'last' || evaluations.length === 0) return modelWithWeights(this.#network, this.#current());
    return modelWithWeights(this.#network, bestWeights ?? this.#network.weights);
  }

  /** Writes all that {@link restore} needs to go on from here; while it runs, only in `afterStep`. */
  async save(file: string): Promise<void> {
    const weights = new Float32Array(this.#network.weights.length);
    this.#native.get('weights', weights);
    await saveTrainerState(file, {
      identity: this.#identity,
      progress: this.#progress,
      evaluations: this.#judge.evaluations,
      weights,
      best: this.#judge.bestWeights,
      optimizer: this.optimizerState(),
    });
  }

  /**
   * Goes on where {@link save} was called, perhaps in another process.
   * @throws {SsdPruneError} ERR_IO, ERR_BAD_DATA for what is no whole state, ERR_USAGE for the state of another run,
   * saying what differs
   */
  async restore(file: string, { otherInstructionSet = false }: ResumeOptions = {}): Promise<void> {
    if (this.#running) throw new SsdPruneError('ERR_USAGE', 'This trainer runs: restore a state between runs.');
    const state = await readTrainerState(file);
    checkIdentity(file, state.identity, this.#identity, otherInstructionSet);
    this.#native.set('weights', state.weights);
    this.#setOptimizer(state.optimizer);
    this.#judge.restore(state.evaluations, state.best);
    this.#progress = state.progress;
  }

  /** What the optimiser remembers, by parameter; see `sliceOptimizerState` for a cut in the middle of a run. */
  optimizerState(): OptimizerState {
    const { rule, average } = this.recipe.optimizer;
    const length = this.#network.weights.length;
    return readOptimizer(this.#native, rule, this.#placed, length, average !== undefined);
  }

  /**
   * A trainer that goes on from here, at the same step and with the same pictures and recipe, with channels cut from the
   * network. What the optimiser remembers of slices that stay stays with them; weights and their average are the cut
   * model's, running statistics are measured anew where the recipe says so, and what was judged before is forgotten: it
   * was of another network.
   * @param cut of what {@link model} gave for `last`, repaired or not
   * @throws {SsdPruneError} ERR_USAGE while it runs; what the constructor throws
   */
  withCut({ model, tensors }: CutResult): Trainer {
    if (this.#running) throw new SsdPruneError('ERR_USAGE', 'This trainer runs: cut its network between runs.');
    const trainer = new Trainer(model, this.#detector, this.#dataset, this.#options);
    const { step, data } = this.#progress;
    trainer.#progress = { ...trainer.#progress, step, data };
    if (step === 0) return trainer;
    const sliced = placeState(sliceOptimizerState(this.optimizerState(), tensors), trainer.#placed);
    trainer.#setOptimizer(sliced);
    trainer.#restartAverage(trainer.#network.weights);
    return trainer;
  }

  /**
   * Gives back the memory of network, teacher and optimiser, which nothing else does soon; whatever needs them is
   * ERR_USAGE from then on.
   * @throws {SsdPruneError} ERR_USAGE while it runs
   */
  close(): void {
    if (this.#running) throw new SsdPruneError('ERR_USAGE', 'This trainer runs: close it between runs.');
    this.#native.close();
  }

  #setOptimizer(state: OptimizerState): void {
    writeOptimizer(this.#native, state, this.#placed, this.#network.weights.length);
  }

  /** From the first step on the average is what weights are judged by. */
  #restartAverage(weights: Float32Array): void {
    if (this.step > 0 && this.recipe.optimizer.average !== undefined) this.#native.set('average', weights);
  }

  /** The averaged weights, where an average is kept and has begun, else the weights. */
  #current(): Float32Array {
    const weights = new Float32Array(this.#network.weights.length);
    const averaged = this.recipe.optimizer.average !== undefined && this.step > 0;
    this.#native.get(averaged ? 'average' : 'weights', weights);
    return weights;
  }

  async #recalibrate({ onEvent, signal }: RunOptions): Promise<void> {
    const { recalibrate: count, batchSize, microBatch } = this.recipe;
    if (this.#progress.recalibrated || count === 0 || this.#statistics.length === 0) return;
    const weights = this.#network.weights.slice();
    // Pictures as they are: that is what the finished model will see.
    const batches = this.#batches({ pass: 0, index: 0 }, signal, noAugmentation);
    try {
      const passes = batchSize / microBatch;
      await recalibrate(this.#native, this.#statistics, weights, batches, { count, passes, signal });
    } finally {
      await batches.return(undefined as never);
    }
    this.#native.set('weights', weights);
    this.#restartAverage(weights);
    this.#progress.recalibrated = true;
    onEvent?.({ event: 'recalibration', batches: count });
  }

  async #train(until: number, options: RunOptions): Promise<void> {
    const { checkpoint, afterStep, onEvent, signal } = options;
    const batches = this.#batches(this.#progress.data, signal);
    try {
      for (;;) {
        await this.#evaluateWhereDue(options);
        if (this.step >= until) return;
        const begin = performance.now();
        const { value } = await batches.next();
        const { batch, next } = value;
        const report = await this.#step(batch, signal);
        batch.release();
        this.#progress.data = next;
        this.#meter.add(this.recipe.batchSize, (performance.now() - begin) / 1000);
        onEvent?.(stepEvent(report, this.recipe, this.step, this.#meter.now));
        const { steps, stepsPerEpoch } = this.recipe;
        if (checkpoint && this.step % stepsPerEpoch === 0 && this.step < steps) await this.save(checkpoint);
        await afterStep?.();
      }
    } finally {
      await batches.return(undefined as never);
    }
  }

  #batches(from: DataPosition, signal: AbortSignal | undefined, augment = this.recipe.augment) {
    const { batchSize, seed, labels } = this.recipe;
    const layout = { kind: 'nhwc', pitch: 3 } as const;
    const options = { batchSize, seed, augment, layout, unlabelled: labels === 'none', ...(signal && { signal }) };
    return endlessBatches(this.trained, this.#detector.input, options, from);
  }

  /** One step; nothing is changed where it throws. */
  async #step(batch: TrainingBatch, signal: AbortSignal | undefined): Promise<NativeStepReport> {
    const { recipe, step } = this;
    const { offsets, boxes, labels } = batch;
    const { loss } = this.#progress;
    const lossLimit = explosionLimit(loss, recipe.explosion);
    throwIfAborted(signal);
    const report = await this.#native.step({
      ...{ pictures: batch.inputs, offsets, boxes, labels, lossLimit },
      learningRates: groupRates(recipe.schedule, step, this.#groups),
      maxNorm: recipe.optimizer.maxNorm ?? 0,
      averageDecay: averageDecay(recipe.optimizer.average ?? 0, step),
      batchStatistics: recipe.batchStatistics,
    });
    if (report.status === StepStatus.aborted) throwIfAborted(signal);
    if (report.status !== StepStatus.done) {
      throw divergence(report, {
        ...{ step: step + 1, rate: learningRate(recipe.schedule, step), lossLimit },
        picture: this.trained[batch.samples[report.badPicture]!]?.image,
        parameter: this.#placed[report.badGroup]?.name,
      });
    }
    this.#progress.loss = withLoss(loss, report.loss);
    this.#progress.step++;
    return report;
  }

  async #evaluateWhereDue({ onEvent, signal }: RunOptions): Promise<void> {
    const { step, recipe } = this;
    if (!this.#judge.isDue(step, recipe)) return;
    const weights = step === 0 ? this.#network.weights : this.#current();
    // Not in the call's argument: nobody would judge where nobody listens.
    const evaluation = await this.#judge.judge(weights, step, step / recipe.stepsPerEpoch, signal);
    onEvent?.(evaluation);
  }
}

/** For callers without types: what is no model, no pictures or no options is named here, and not where it is first used. */
function checkGiven(model: OnnxModel, dataset: Pick<Dataset, 'classes' | 'samples'>, options: TrainerOptions): void {
  if (typeof model?.metadata !== 'function') throw invalidArgument('model', 'what readModel gives', model);
  if (!Array.isArray(dataset?.samples) || !Array.isArray(dataset.classes)) {
    throw invalidArgument('dataset', 'what openDataset gives', dataset);
  }
  checkOptions(options, 'settings of training');
  const { teacher } = options;
  if (teacher !== undefined && typeof teacher?.model?.metadata !== 'function') {
    throw invalidArgument('teacher', 'an object whose model is what readModel gives', teacher);
  }
}
