import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { CutOptions, RunConfig, SensitiveOptions } from '../config/config';
import { drawDataset } from '../data/dataset';
import { SsdPruneError } from '../errors';
import { checkOutput, realPlace } from '../files';
import type { WeightCriterion } from '../prune/options';
import { importedCurves, type LossCurves, lossCurves } from '../sensitivity/loss-curves';
import type { CompressionContext, CutRequest, PlannedCut, Strategy, StrategyCheckOptions } from './strategy';

/** mAP that moves by less than this share of itself, from an epoch to the next, has come to rest. */
const converged = 0.005;

/**
 * Cuts to widths that follow from what mAP each layer costs as it alone gets narrower. Losses are measured on the pictures
 * held back, and kept point by point: a run that was killed meanwhile goes on with the next point. Of several steps each
 * takes the same share of what is left, and comes when training has brought back what the one before took.
 */
export class SensitiveStrategy implements Strategy {
  readonly #options: Pick<SensitiveOptions, 'startEpoch' | 'targetRatio' | 'steps' | 'ratios' | 'file' | 'evalRate'>;
  readonly #cut: Omit<CutOptions, 'allocation'>;
  /** Steps taken. */
  #taken = 0;

  constructor(
    readonly name: string,
    { startEpoch, endEpoch: _, targetRatio, steps, ratios, file, evalRate, ...cut }: SensitiveOptions,
  ) {
    this.#options = { startEpoch, targetRatio, steps, ratios, file, evalRate };
    this.#cut = cut;
  }

  /** As soon as can be: of several steps each comes when training has brought back what the one before took. */
  plannedCuts(): PlannedCut[] {
    const { startEpoch, steps } = this.#options;
    const request: CutRequest = { ...this.#cut, allocation: 'sensitivity', targetRatio: this.#step };
    return Array.from({ length: steps }, (_, i) => ({ epoch: startEpoch + i, request }));
  }

  onCompressionBegin(context: CompressionContext): void {
    context.check(this.#cut);
  }

  /** Not behind epochs of training: what is read, and whether what is measured can be written. */
  async check({ compressor }: RunConfig, { force }: StrategyCheckOptions): Promise<void> {
    const { file, startEpoch, steps } = this.#options;
    const paddle = await importedCurves(file);
    const results = paddle ? `${file}.json` : file;
    const { folder } = compressor.checkpoints;
    // A run makes that one.
    const coming = (await realPlace(path.dirname(results))) === (await realPlace(folder));
    if (!coming || (await stat(folder).catch(() => undefined))) await checkOutput(results);
    if (force) return;
    const there = await stat(results).catch(() => undefined);
    const later = steps > 1 ? await laterFiles(file) : [];
    const [old] = there && startEpoch > 0 ? [results] : later;
    if (old !== undefined) {
      throw new SsdPruneError(
        'ERR_OUTPUT_EXISTS',
        `${old} holds losses of another network than the one that this run will have then: name another sensitivities_file, or say --force to replace it`,
      );
    }
  }

  async onEpochBegin(context: CompressionContext): Promise<void> {
    const { startEpoch, steps } = this.#options;
    const { epoch } = context;
    if (this.#taken === steps || epoch < startEpoch || (epoch > startEpoch && !atRest(context))) return;
    const sensitivities = await this.#measure(context);
    await context.cut({ ...this.#cut, targetRatio: this.#step, allocation: 'sensitivity', sensitivities });
    this.#taken++;
  }

  onCompressionEnd(context: CompressionContext): void {
    const { steps } = this.#options;
    if (this.#taken < steps) {
      context.warn(
        `${this.name}: mAP held back moved until the end; ${this.#taken} of ${steps} cuts were made, less than target_ratio is gone: more epochs, or fewer num_steps`,
      );
    }
  }

  save(): unknown {
    return this.#taken;
  }

  restore(saved: unknown): void {
    this.#taken = saved as number;
  }

  /** Share of what is left that a step takes. */
  get #step(): number {
    const { targetRatio, steps } = this.#options;
    return 1 - (1 - targetRatio) ** (1 / steps);
  }

  async #measure(context: CompressionContext): Promise<LossCurves> {
    const { ratios, evalRate } = this.#options;
    const file = this.#taken === 0 ? this.#options.file : `${this.#options.file}.epoch${context.epoch}`;
    // PaddleSlim's own file stays as it is; what is measured besides is kept beside it.
    const paddle = await importedCurves(file);
    const held = await context.heldBack();
    const { evaluation: device, threads } = context.config.device;
    const { repair: _, tolerance: __, criterion, ...layers } = this.#cut;
    const { sensitivityByMap } =
      require('../sensitivity/map-sensitivity') as typeof import('../sensitivity/map-sensitivity');
    const report = await sensitivityByMap(context.model(), {
      ...layers,
      // The configuration lets no other one through.
      criterion: criterion as WeightCriterion,
      ...{ ratios, detector: context.detector, metric: context.config.evaluation, run: { device, threads } },
      dataset: evalRate < 1 ? drawDataset(held, Math.max(1, Math.round(evalRate * held.samples.length))) : held,
      results: paddle ? `${file}.json` : file,
      force: context.force,
      ...(paddle && { imported: paddle }),
      ...(context.signal && { signal: context.signal }),
      onPoint: ({ layer, ratio, map }, done, total) =>
        context.note(
          `${this.name}: ${layer} without ${(100 * ratio).toFixed(0)} %: mAP ${map.toFixed(4)} held back (${done} of ${total})`,
        ),
    });
    return lossCurves(report, file);
  }
}

/** Files of steps behind the first one, of an earlier run. */
async function laterFiles(file: string): Promise<string[]> {
  const [folder, own] = [path.dirname(file), `${path.basename(file)}.epoch`];
  const names = await readdir(folder).catch((): string[] => []);
  const later = names.filter((name) => name.startsWith(own) && /^\d+$/.test(name.slice(own.length)));
  return later.sort().map((name) => path.join(folder, name));
}

/** Whether the last epoch moved mAP on the pictures held back by hardly anything. */
function atRest({ judgements }: CompressionContext): boolean {
  const [before, last] = judgements.slice(-2);
  return before !== undefined && last !== undefined && Math.abs(last.map - before.map) < converged * before.map;
}
