import path from 'node:path';
import type { RunConfig } from '../config/config';
import { errorInKeys } from '../config/option-keys';
import { SsdPruneError } from '../errors';
import { checkOutput, makeFolder, realPlace } from '../files';
import type { DetectorSettings } from '../model/detector';
import { detectorKey } from '../model/detector-key';
import { writeModel } from '../model/write';
import { saveReport } from '../prune/prune-file';
import type { RunLog } from '../report/event-queue';
import type { Evaluation } from '../train/trainer-events';
import { belowStart } from '../train/weight-warnings';
import { type Checkpoint, checkSameRun, identify } from './checkpoint';
import { CheckpointFolder, type StoredCheckpoint } from './checkpoint-folder';
import { historyFile } from './checkpoint-names';
import type { CompressionEvent, RunSoFar } from './events';
import { checkGiven } from './given';
import { prepare } from './preparation';
import { Run } from './run';
import type { RunInputs } from './run-inputs';
import { changes, keptWeights, type RunReport } from './run-report';
import { makeStrategies } from './strategies';
import type { Strategy } from './strategy';

export interface CompressorOptions {
  /** Go on from the newest checkpoint; where there is none, begin. Defaults to `false`. */
  resume?: boolean;
  /** Replace outputs and, unless resuming, start over where there are checkpoints. Defaults to `false`. */
  force?: boolean;
  /** Go on though the checkpoint was made with another instruction set: the last bits will differ. Defaults to `false`. */
  otherInstructionSet?: boolean;
  /** Strategies of the caller's own, behind those of the configuration. */
  strategies?: readonly Strategy[];
  onEvent?: (event: CompressionEvent) => void;
  /** Told as the pictures are checked. */
  onCheck?: (done: number, total: number) => void;
  /** Ends the run with ERR_ABORTED, in a checkpoint that it goes on from. */
  signal?: AbortSignal;
}

/**
 * The whole job of a configuration: cuts, training, evaluation, epoch by epoch, with checkpoints from which a run that was
 * stopped in whatever way goes on to the same bits. An error ends it; none is swallowed.
 *
 * @example
 * const config = await readConfig('compress.yaml');
 * const report = await new Compressor(config, { onEvent: console.error }).run();
 */
export class Compressor {
  readonly #config: RunConfig;
  readonly #options: CompressorOptions;
  readonly #strategies: readonly Strategy[];
  #emit: (event: CompressionEvent) => void = () => {};
  /** What the run says of its state where an error ends it. */
  #withHint: (error: unknown) => unknown = (error) => error;
  #begun = false;

  /**
   * @throws {SsdPruneError} ERR_BAD_CONFIG for strategies that there are not, and for two of one name; ERR_USAGE for what
   * is no configuration or no strategy
   */
  constructor(config: RunConfig, options: CompressorOptions = {}) {
    checkGiven(config, options);
    this.#config = config;
    this.#options = options;
    const { strategies = [] } = options;
    this.#strategies = [...makeStrategies(config.compressor.strategies), ...strategies];
    const names = this.#strategies.map(({ name }) => name);
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined) {
      throw new SsdPruneError('ERR_BAD_CONFIG', `Two strategies are called ${twice}: checkpoints tell them by name.`);
    }
  }

  /**
   * Runs, or goes on, until the model is written.
   * @throws {SsdPruneError} ERR_ABORTED and ERR_DIVERGED naming the checkpoints; ERR_OUTPUT_EXISTS; ERR_USAGE for
   * checkpoints of another run, saying what differs; ERR_BAD_DATA where none of them is whole; what {@link openInputs},
   * `pruneModel`, `Trainer.run` and `evaluateModel` throw
   */
  async run(): Promise<RunReport> {
    if (this.#begun) throw new SsdPruneError('ERR_USAGE', 'This compressor has run: make another one for another run.');
    this.#begun = true;
    const { resume = false, force = false } = this.#options;
    const { compressor, device } = this.#config;
    // Read by the addon when it first shares out work.
    if (device.threads > 0) process.env.SSD_PRUNE_THREADS = String(device.threads);
    await CheckpointFolder.look(compressor.checkpoints.folder, { resume, force });
    await makeFolderOf(this.#config);
    const logs = await this.#openLogs();
    try {
      // Before the page, whose curves are read from a log.
      const report = await this.#run().finally(() => closeAll(logs));
      await this.#writePage();
      return report;
    } catch (error) {
      throw errorInKeys(this.#withHint(error));
    }
  }

  async #run(): Promise<RunReport> {
    const { resume = false, force = false, otherInstructionSet = false, onCheck, signal } = this.#options;
    const config = this.#config;
    for (const message of config.warnings) this.#emit({ event: 'warning', message });
    // Loaded here: who imports the class for another one's sake needs no schema and no annotations.
    const { openInputs } = require('./run-inputs') as typeof import('./run-inputs');
    const names = this.#strategies.map(({ name }) => name);
    const newest = resume ? await CheckpointFolder.newest(config.compressor.checkpoints.folder) : undefined;
    const onModel = (digest: string, detector: DetectorSettings): void => {
      if (!newest) return;
      const unopened = { digest, detector, evaluation: null, calibration: null, imported: new Map<number, string>() };
      const own = identify(config, unopened, names);
      checkSameRun(newest.place, newest.document.identity, own, { unopened: true });
    };
    const inputs = await openInputs(config, { force, resume, signal, onModel, onCheck });
    const { problems } = inputs;
    for (const problem of problems.slice(0, 5)) this.#emit({ event: 'warning', message: `${problem}; left out` });
    if (problems.length > 5) this.#emit({ event: 'warning', message: `and ${problems.length - 5} more are left out` });
    const { folder: place, keep } = config.compressor.checkpoints;
    const folder = await CheckpointFolder.open(place, { keep });
    try {
      const identity = identify(config, inputs, names);
      const from = resume ? await this.#latest(folder) : undefined;
      // Now, and not behind an epoch of training.
      const { chooseDevice } = require('../evaluate/providers') as typeof import('../evaluate/providers');
      await chooseDevice(config.device.evaluation);
      if (from) checkSameRun(from.place, from.document.identity, identity);
      else await checkOutput(config.output.model, { force });
      const strategies = this.#strategies;
      const run = new Run({
        ...{ config, identity, inputs, strategies, folder, otherInstructionSet, signal, force },
        emit: this.#emit,
      });
      this.#withHint = (error) => run.withHint(error);
      try {
        if (from) await run.restore(from);
        else {
          await prepare(config, inputs, strategies, (message) => run.warn(message), { force, signal });
          if (!resume) await folder.startOver();
        }
        this.#emit({
          ...{ event: 'begin', epochs: config.compressor.epochs, resumed: from?.place ?? null },
          ...(from && { soFar: soFar(from.document, run.evaluations) }),
        });
        if (!from) await run.begin();
        await run.finish();
        return await this.#conclude(run, inputs, from);
      } finally {
        run.close();
      }
    } finally {
      await folder.close();
    }
  }

  /** Logs that the configuration asks for, and what its page is drawn from, told of every event from now on. */
  async #openLogs(): Promise<RunLog[]> {
    const { resume = false, force = false, onEvent } = this.#options;
    const { log, page, tensorboard } = this.#config.output;
    const onError = ({ message }: SsdPruneError): void => onEvent?.({ event: 'warning', message });
    const options = { resume, force, onError };
    const logs: RunLog[] = [];
    const { JsonLog } = require('../report/run-log') as typeof import('../report/run-log');
    if (log !== null) logs.push(await JsonLog.open(log, options));
    else if (page !== null) logs.push(await JsonLog.own(this.#history, options));
    if (tensorboard !== null) {
      const { TensorBoardLog } = require('../report/tensorboard') as typeof import('../report/tensorboard');
      logs.push(await TensorBoardLog.open(tensorboard, options));
    }
    this.#emit = (event) => {
      onEvent?.(event);
      for (const one of logs) one.event(event);
    };
    return logs;
  }

  /** The log that the page's curves are read from. */
  get #history(): string {
    const { output, compressor } = this.#config;
    return output.log ?? path.join(compressor.checkpoints.folder, historyFile);
  }

  /** The report as a page, with what both models find on a few pictures, and how long they take. */
  async #writePage(): Promise<void> {
    const { output, data, model, device } = this.#config;
    if (output.page === null || output.report === null) return;
    const { reportPage } = require('../report/page-file') as typeof import('../report/page-file');
    const { runCurves } = require('../report/page/run-curves') as typeof import('../report/page/run-curves');
    const curves = runCurves(this.#config);
    const { signal } = this.#options;
    await reportPage(output.report, output.page, {
      ...{ force: true, bench: true, device: device.evaluation, log: this.#history },
      ...(curves && { sensitivity: curves.file }),
      ...(data.evaluation !== null && { data: data.folder, split: data.evaluation }),
      ...(model.detector !== undefined && { detector: model.detector }),
      ...(signal && { signal }),
    });
  }

  async #latest(folder: CheckpointFolder): Promise<StoredCheckpoint | undefined> {
    const found = await folder.latest((message) => this.#emit({ event: 'warning', message }));
    if (!found) this.#emit({ event: 'note', message: `There is no checkpoint in ${folder.folder} yet: beginning.` });
    return found;
  }

  /** Writes the model and the report. */
  async #conclude(run: Run, inputs: RunInputs, from: StoredCheckpoint | undefined): Promise<RunReport> {
    const { model: files, output, data, compressor, file } = this.#config;
    const { trainer } = run;
    const noBetter = belowStart(trainer.result, {
      began: run.cuts.length > 0 ? 'the last cut left' : 'it began with',
      // Its name alone: logs of one run in two folders say the same.
      ...{ output: path.basename(output.model), keep: output.keep },
      advice: `a lower training.rate${files.teacher === null ? ', or model.teacher' : ''}`,
    });
    if (noBetter !== undefined) this.#emit({ event: 'warning', message: noBetter });
    const warnings = [...this.#config.warnings, ...run.warnings, ...(noBetter === undefined ? [] : [noBetter])];
    const model = trainer.model(output.keep);
    const map = await run.evaluate(model);
    if (inputs.carried !== undefined) model.setMetadata(detectorKey, inputs.carried);
    await writeModel(model, output.model, { force: true });
    const report: RunReport = {
      schema: 'ssd-prune.run/1',
      ...{ configuration: file, model: compressor.initModel ?? files.file, output: output.model },
      teacher: files.teacher,
      data: {
        ...{ folder: data.folder, train: data.train, trained: trainer.trained.length, heldBack: trainer.held.length },
        ...{ leftOut: inputs.problems.length, evaluation: data.evaluation },
        evaluated: inputs.evaluation?.samples.length ?? 0,
      },
      ...{ recipe: trainer.recipe, epochs: compressor.epochs, steps: trainer.step, warnings },
      ...{ resumed: from?.place ?? null, cuts: run.cuts, metrics: run.metrics, heldBack: run.evaluations },
      ...{ ...keptWeights(trainer, output.keep), map },
      ...{ ...changes(inputs.model, model), seconds: run.seconds },
    };
    if (output.report !== null) await saveReport(output.report, report);
    return report;
  }
}

/** A log that failed said so when it was to be written. */
async function closeAll(logs: readonly RunLog[]): Promise<void> {
  for (const log of logs) await log.close().catch(() => {});
}

/** What a checkpoint knows of the run before it, for who follows a run by its events. */
const soFar = ({ metrics, cuts, warnings, step, position }: Checkpoint, heldBack: readonly Evaluation[]): RunSoFar => ({
  ...{ metrics, cuts, warnings, heldBack, step, epoch: position.epoch },
});

/** Outputs may lie beside the checkpoints, whose folder no one needs to make. */
async function makeFolderOf({ output, compressor }: RunConfig): Promise<void> {
  const { folder } = compressor.checkpoints;
  const own = await realPlace(folder);
  for (const file of [output.model, output.report, output.page, output.log]) {
    if (file !== null && (await realPlace(path.dirname(file))) === own) await makeFolder(folder);
  }
}
