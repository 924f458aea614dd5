import { throwIfAborted } from '../abort';
import type { RunConfig } from '../config/config';
import type { Dataset } from '../data/dataset';
import { modelDigest, sha256 } from '../digests';
import { checkOptions, SsdPruneError } from '../errors';
import type { DetectorSettings } from '../model/detector';
import type { OnnxModel } from '../model/onnx-model';
import { pruneModel } from '../prune/prune-model';
import type { PruneReport } from '../prune/report';
import { Trainer } from '../train/trainer';
import type { Evaluation } from '../train/trainer-events';
import { fewHeldBack } from '../train/weight-warnings';
import type { Checkpoint, Position } from './checkpoint';
import type { StoredCheckpoint } from './checkpoint-folder';
import { checkRequest, pruneOptions } from './cut-request';
import { plainJson } from './given';
import { evaluateNetwork, type Metric } from './metric';
import { withHint, withName } from './run-errors';
import type { RunParts } from './run-parts';
import type { CutRecord } from './run-report';
import { savedStates } from './strategies';
import type { CompressionContext, CutRequest, Strategy } from './strategy';

/** For strategies without types. */
const neededOfCut = 'prunedParams, and a target or ratios';

/**
 * A compression in progress: epoch after epoch, its strategies, training, evaluation, checkpoint. Everything that it is
 * at the end of an epoch, or between two steps of one, is in a checkpoint or follows from the configuration.
 */
export class Run implements CompressionContext {
  /** Of the cuts, and of how few pictures weights are judged by. */
  readonly warnings: string[] = [];
  readonly metrics: Metric[] = [];
  readonly cuts: CutRecord[] = [];
  readonly #parts: RunParts;
  /** What training went on with behind the last cut, with the weights of that moment. */
  #network: OnnxModel;
  #trainer: Trainer | undefined;
  #position: Position = { epoch: 0, begun: false };
  /** Whether this epoch's training and evaluation are through. */
  #trained = false;
  /** On the pictures held back, of networks before the last cut. */
  #earlier: readonly Evaluation[] = [];
  #acting: Strategy | undefined;
  #secondsBefore = 0;
  /** The step of the newest checkpoint. */
  #saved: number | undefined;
  #savedAt = performance.now();
  readonly #startedAt = performance.now();

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.#network = parts.inputs.model;
  }

  get config(): RunConfig {
    return this.#parts.config;
  }

  get epoch(): number {
    return this.#position.epoch;
  }

  get epochs(): number {
    return this.config.compressor.epochs;
  }

  get detector(): DetectorSettings {
    return this.#parts.inputs.detector;
  }

  get signal(): AbortSignal | undefined {
    return this.#parts.signal;
  }

  get force(): boolean {
    return this.#parts.force;
  }

  /** Trains the network; made when it is first needed, since cuts before the first epoch need none. */
  get trainer(): Trainer {
    const { config, inputs } = this.#parts;
    this.#trainer ??= new Trainer(this.#network, inputs.detector, inputs.training, {
      ...config.training,
      ...{ epochs: this.epochs, evaluateEvery: config.compressor.evalEpoch, threads: config.device.threads },
      ...(inputs.teacher && { teacher: inputs.teacher }),
    });
    return this.#trainer;
  }

  /** Of all networks there were, on the pictures held back. */
  get evaluations(): readonly Evaluation[] {
    return [...this.#earlier, ...this.judgements];
  }

  /** Of all calls. */
  get seconds(): number {
    return this.#secondsBefore + (performance.now() - this.#startedAt) / 1000;
  }

  model(): OnnxModel {
    return this.#trainer ? this.#trainer.model('last') : this.#network;
  }

  async kept(): Promise<unknown> {
    const found = (await this.#parts.folder.work(this.#actor.name)) as { place: string; state: unknown } | undefined;
    return found?.place === this.#place ? found.state : undefined;
  }

  async keep(state: unknown): Promise<void> {
    const { name } = this.#actor;
    const kept = plainJson(state, `${name}: what it keeps`);
    await this.#parts.folder.saveWork(name, { place: this.#place, state: kept });
  }

  /** The strategy that has its word. */
  get #actor(): Strategy {
    if (this.#acting) return this.#acting;
    throw new SsdPruneError('ERR_USAGE', 'A strategy keeps and finds its work while it has its word, not behind it.');
  }

  /** What unfinished work is of. */
  get #place(): string {
    const { identity } = this.#parts;
    return sha256([JSON.stringify([identity, this.#actor.name, this.#position]), modelDigest(this.model())]);
  }

  note(message: string): void {
    this.#parts.emit({ event: 'note', message });
  }

  check(request: CutRequest): void {
    checkOptions(request, neededOfCut);
    for (const warning of checkRequest(this.model(), request, this.config)) this.warn(warning);
  }

  warn(message: string): void {
    if (this.warnings.includes(message)) return;
    this.warnings.push(message);
    this.#parts.emit({ event: 'warning', message });
  }

  async cut(request: CutRequest): Promise<PruneReport> {
    const { emit } = this.#parts;
    const { cut, report: own } = await this.#prune(request, true);
    // Behind a resume the network comes from a checkpoint's file, which nobody asks for.
    const report = { ...own, model: this.#parts.inputs.model.file ?? null };
    this.#earlier = this.evaluations;
    const before = this.#trainer;
    this.#trainer = before?.withCut(cut);
    before?.close();
    this.#network = cut.model;
    const strategy = this.#acting?.name ?? '';
    this.cuts.push({ strategy, epoch: this.epoch, step: this.#step, report });
    emit({ event: 'cut', strategy, epoch: this.epoch, report });
    await this.#measure('cut', this.epoch + (this.#trained ? 1 : 0));
    return report;
  }

  async attempt(request: CutRequest): Promise<{ model: OnnxModel; report: PruneReport }> {
    const { cut, report } = await this.#prune(request, false);
    return { model: cut.model, report };
  }

  get judgements(): readonly Evaluation[] {
    return this.#trainer?.result.evaluations ?? [];
  }

  async heldBack(): Promise<Dataset> {
    if (this.trainer.held.length === 0) {
      throw new SsdPruneError(
        'ERR_USAGE',
        `${this.#acting?.name ?? 'A strategy'} chooses by pictures held back: set training.held_back above 0.`,
      );
    }
    const { data } = this.config;
    const { classes } = this.#parts.inputs.training;
    const samples = await this.trainer.truth(this.signal);
    const about = { directory: data.folder, split: `${data.train ?? 'all'}, held back`, categoryIds: [], warnings: [] };
    return { format: 'voc', ...about, classes, samples };
  }

  async judge(model: OnnxModel): Promise<number> {
    return (await evaluateNetwork(model, await this.heldBack(), this.#parts)).map;
  }

  /** mAP of a model on the evaluation split; null where there is none. */
  async evaluate(model: OnnxModel): Promise<number | null> {
    const { evaluation } = this.#parts.inputs;
    return evaluation && (await evaluateNetwork(model, evaluation, this.#parts)).map;
  }

  async #prune(request: CutRequest, verify: boolean): ReturnType<typeof pruneModel> {
    checkOptions(request, neededOfCut);
    const { config, signal } = this.#parts;
    return pruneModel(this.model(), { ...pruneOptions(request, config), verify, ...(signal && { signal }) });
  }

  /** Goes on from a checkpoint of the same run. */
  async restore({ document, network, state }: StoredCheckpoint): Promise<void> {
    const { readModel } = require('../model/read') as typeof import('../model/read');
    this.#network = await readModel(network);
    this.#position = document.position;
    this.warnings.push(...document.warnings);
    this.metrics.push(...document.metrics);
    this.cuts.push(...document.cuts);
    this.#earlier = document.earlier;
    this.#secondsBefore = document.seconds;
    for (const strategy of this.#parts.strategies) strategy.restore?.(document.strategies[strategy.name]);
    await this.trainer.restore(state, { otherInstructionSet: this.#parts.otherInstructionSet });
    this.#saved = document.step;
  }

  /** Before the first epoch. */
  async begin(): Promise<void> {
    await this.#measure('start', 0);
    await this.#each((strategy) => strategy.onCompressionBegin?.(this));
  }

  /** The epochs that are left, and the strategies' last word. */
  async finish(): Promise<void> {
    while (this.epoch < this.epochs) await this.#runEpoch();
    await this.#each((strategy) => strategy.onCompressionEnd?.(this));
  }

  /** An error that ends the run, with where its state is, once there is one. */
  withHint(error: unknown): unknown {
    return this.#saved === undefined ? error : withHint(error, this.#saved, this.#parts.folder.folder);
  }

  /** Gives back what training holds. */
  close(): void {
    this.#trainer?.close();
  }

  async #runEpoch(): Promise<void> {
    const { emit, config } = this.#parts;
    const { epoch } = this;
    emit({ event: 'epoch', epoch, epochs: this.epochs });
    if (!this.#position.begun) {
      const cuts = this.cuts.length;
      await this.#each((strategy) => strategy.onEpochBegin?.(this));
      // Not before: only now there is a trainer, and its first checkpoint is to hold what is odd.
      const few =
        epoch === 0 && config.output.keep === 'best' && fewHeldBack(this.trainer.held.length, 'training.held_back');
      if (few) this.warn(few);
      this.#position = { epoch, begun: true };
      // What chose the channels may have taken long, and looked at a clock.
      if (this.cuts.length > cuts) await this.#save();
    }
    try {
      await this.#train((epoch + 1) * this.trainer.recipe.stepsPerEpoch);
      const { evalEpoch } = config.compressor;
      const due = (epoch + 1) % evalEpoch === 0 || epoch + 1 === this.epochs;
      // A run whose strategies were stopped at an epoch's end has measured it.
      const last = this.metrics.at(-1);
      const measured = last?.stage === 'epoch' && last.epoch === epoch + 1;
      if (due && !measured) await this.#measure('epoch', epoch + 1);
      this.#trained = true;
    } catch (error) {
      // A full disk, say: the checkpoint before is there.
      await this.#save().catch(() => {});
      throw error;
    }
    await this.#endEpoch();
    this.#trained = false;
    this.#position = { epoch: epoch + 1, begun: false };
    await this.#save();
  }

  /** The strategies' word on an epoch: where one fails, all of them have it again when the run goes on. */
  async #endEpoch(): Promise<void> {
    const [states, cuts] = [savedStates(this.#parts.strategies), this.cuts.length];
    try {
      await this.#each((strategy) => strategy.onEpochEnd?.(this));
    } catch (error) {
      // Behind a cut the network is no longer what they had before them.
      if (this.cuts.length === cuts) await this.#save(states).catch(() => {});
      throw error;
    }
  }

  async #train(until: number): Promise<void> {
    const { emit, signal, config } = this.#parts;
    const milliseconds = 60_000 * config.compressor.checkpoints.minutes;
    await this.trainer.run({
      maxSteps: Math.max(0, until - this.trainer.step),
      onEvent: emit,
      afterStep: async () => {
        if (performance.now() - this.#savedAt >= milliseconds) await this.#save();
      },
      ...(signal && { signal }),
    });
  }

  async #each(act: (strategy: Strategy) => Promise<void> | void | undefined): Promise<void> {
    for (const strategy of this.#parts.strategies) {
      throwIfAborted(this.signal);
      this.#acting = strategy;
      try {
        await act(strategy);
      } catch (error) {
        throw withName(strategy, error);
      }
    }
    this.#acting = undefined;
  }

  get #step(): number {
    return this.#trainer?.step ?? 0;
  }

  /** Evaluates the network on the evaluation split, where there is one. */
  async #measure(stage: Metric['stage'], epoch: number): Promise<void> {
    const { inputs, emit } = this.#parts;
    if (!inputs.evaluation) return;
    const begin = performance.now();
    const found = await evaluateNetwork(this.model(), inputs.evaluation, this.#parts);
    const metric: Metric = { stage, epoch, step: this.#step, ...found };
    // Told first: what a listener's failure ends is measured again.
    emit({ event: 'metric', ...metric, seconds: (performance.now() - begin) / 1000 });
    this.metrics.push(metric);
  }

  async #save(states = savedStates(this.#parts.strategies)): Promise<void> {
    const { folder, identity, emit } = this.#parts;
    const { trainer } = this;
    const document: Checkpoint = {
      ...{ schema: 'ssd-prune.checkpoint/1', identity, position: this.#position, step: trainer.step },
      best: !this.#position.begun && trainer.result.best?.step === trainer.step,
      strategies: states,
      ...{
        warnings: this.warnings,
        metrics: this.metrics,
        cuts: this.cuts,
        earlier: this.#earlier,
        seconds: this.seconds,
      },
    };
    const place = await folder.save(document, this.#network, (file) => trainer.save(file));
    await folder.dropWork();
    this.#savedAt = performance.now();
    this.#saved = trainer.step;
    emit({ event: 'checkpoint', place });
  }
}
