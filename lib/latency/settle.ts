import { throwIfAborted } from '../abort';
import type { InputChoices } from '../bench/feeds';
import type { TimedModel } from '../bench/latency';
import { SsdPruneError } from '../errors';
import { runtimeVersion } from '../evaluate/runtime';
import { checkThreads } from '../evaluate/session';
import { describeMachine } from '../machine';
import { readDetectorSize } from '../model/input-shapes';
import type { OnnxModel } from '../model/onnx-model';
import { encodeModel } from '../model/write';
import type { PrunePlan, Pruner } from '../prune/prune';
import type { SearchResult, WidthSearch } from '../prune/ratio-search';
import { type WidthGrid, widthGrid } from '../prune/width-grid';
import { type EndToEnd, race } from './end-to-end';
import { LatencyTable } from './latency-table';
import { measureSamples } from './measure-samples';
import { narrower } from './narrower';
import { leastTimes, profileNodes, undisturbedTime } from './node-times';
import type { LatencyReport, LatencyTrial } from './report';
import { loadSamples, sampleFile, sampleKey, saveSamples } from './sample-cache';
import { sampleWidths } from './sample-widths';
import { checkLatencyTarget, type LatencyTarget } from './target';
import { timedNodes } from './timed-nodes';

/** Latency as the budget of a cut, at batch size 1 on the CPU. */
export interface LatencyBudget {
  target: LatencyTarget;
  /** Threads of the sessions; 0 is one a core. Defaults to `1`. */
  threads?: number;
  onNote?: (message: string) => void;
  onProgress?: (stage: LatencyStage, done: number, total: number) => void;
}

/** The table of layers, widths tried end to end, and the finished model. */
export type LatencyStage = 'table' | 'widths' | 'result';

/** What {@link LatencySearch} needs of a plan that has no widths yet. */
export interface OpenPlan extends Pick<PrunePlan, 'selection' | 'options'> {
  readonly pruner: Pruner;
  /** Finds widths for any cost. */
  readonly search: WidthSearch;
}

/** Widths are tried end to end this often at most. */
const maxTrials = 6;
/** Nearer to the target than this, as a share of it, nothing more is tried. */
const nearEnough = 0.01;
/** A result that misses the target by more, as a share of it, is said to. */
const allowed = 0.03;
/** Standard errors of the share that end a measurement, and seconds: of widths on trial, and of the result. */
const [trialRace, resultRace] = [
  { goal: 0.005, seconds: 4 },
  { goal: 0.003, seconds: 10 },
];
/**
 * What the share of kernel times may be wrong by, as a standard error: on a machine that is busy it says more than whole
 * runs do, on a quiet one less.
 */
const kernelError = 0.01;

/** Finds widths by a table of node times, tries them end to end, and corrects the table's budget until they fit. */
export class LatencySearch {
  private readonly threads: number;
  private readonly trials: LatencyTrial[] = [];
  private table: LatencyTable | undefined;
  private tableFacts: Pick<LatencyReport['table'], 'models' | 'cached' | 'file'> | undefined;
  private chosen: SearchResult | undefined;
  private share = Number.NaN;
  private readonly original: TimedModel;

  constructor(
    private readonly model: OnnxModel,
    private readonly budget: LatencyBudget,
    private readonly inputShapes: ReadonlyMap<string, readonly number[]> | undefined,
    private readonly signal: AbortSignal | undefined,
  ) {
    checkLatencyTarget(budget.target);
    this.threads = budget.threads ?? 1;
    checkThreads(this.threads);
    this.original = { name: model.file ?? 'the model', model: encodeModel(model) };
  }

  /**
   * Widths whose measured latency is the target's.
   * @throws {SsdPruneError} ERR_TARGET_UNREACHABLE with the latency that can be reached
   */
  async widths({ pruner, selection, options, search }: OpenPlan): Promise<SearchResult> {
    const grids = selection.groups.map((group) => widthGrid(group, options));
    const table = await this.openTable(pruner, grids);
    this.table = table;
    const whole = table.total(table.whole());
    const narrowest = table.whole();
    for (const { group, steps } of grids) narrowest[group.id] = steps[0]!;
    const least = table.total(narrowest) / whole;
    const wantedOf = await this.wanted();
    let wanted = wantedOf(undefined);
    /** What measured shares are of predicted ones. */
    let correction = 1;
    if (least > wanted * (1 - nearEnough)) {
      const { share, result } = await this.measure(pruner, narrowest, least);
      wanted = wantedOf(result);
      if (share > wanted * (1 + nearEnough)) throw unreachable(wanted, share, result);
      correction = share / least;
      this.trials.length = 0;
    }
    let best: { found: SearchResult; miss: number } | undefined;
    const tried = new Set<string>();
    const ratios: number[] = [];
    for (let i = 0; i < maxTrials; i++) {
      this.budget.onProgress?.('widths', i, maxTrials);
      const found = fitting(search, table, 1 - Math.max(wanted / correction, least), options.tolerance);
      if (tried.has(found.kept.join())) break;
      tried.add(found.kept.join());
      const predicted = 1 - found.cut;
      const { share, result } = await this.measure(pruner, found.kept, predicted);
      wanted = wantedOf(result);
      const miss = Math.abs(share / wanted - 1);
      if (!best || miss < best.miss) best = { found, miss };
      if (miss <= nearEnough) break;
      ratios.push(share / predicted);
      correction = ratios.reduce((a, b) => a + b, 0) / ratios.length;
    }
    this.budget.onProgress?.('widths', maxTrials, maxTrials);
    this.share = wanted;
    this.chosen = best!.found;
    return best!.found;
  }

  /** Measures the finished model beside the original. */
  async report(result: OnnxModel): Promise<LatencyReport> {
    this.budget.onProgress?.('result', 0, 1);
    const measured = await this.race(result, resultRace);
    const kernelShare = await this.kernelShare(this.model, result);
    this.budget.onProgress?.('result', 1, 1);
    const { target } = this.budget;
    const milliseconds = 'milliseconds' in target ? target.milliseconds : null;
    const ratio =
      milliseconds === null ? measured.share / this.share : measured.after.medianMilliseconds / milliseconds;
    const { table, chosen } = this;
    return {
      target: {
        share: milliseconds === null ? this.share : milliseconds / measured.before.medianMilliseconds,
        milliseconds,
      },
      device: 'cpu',
      threads: this.threads,
      batchSize: 1,
      ...measured,
      reached: Math.abs(ratio - 1) <= allowed,
      kernelShare,
      table: {
        predictedShare: table!.total(chosen!.kept) / table!.total(table!.whole()),
        block: table!.block,
        ...this.tableFacts!,
      },
      iterations: this.trials,
      machine: describeMachine(),
      runtime: runtimeVersion() ?? null,
    };
  }

  private get inputs(): InputChoices {
    const openSize = readDetectorSize(this.model);
    return {
      ...(this.inputShapes && { inputShapes: this.inputShapes }),
      ...(openSize !== undefined && { openSize }),
    };
  }

  private async openTable(pruner: Pruner, grids: readonly WidthGrid[]): Promise<LatencyTable> {
    const nodes = timedNodes(pruner.groups);
    const widths = sampleWidths(grids, nodes, pruner.macs.whole());
    const shapes = [[...(this.inputShapes ?? [])], this.inputs.openSize];
    const key = sampleKey(pruner.model, shapes, widths, this.threads);
    let samples = await loadSamples(key, widths);
    const cached = samples !== undefined;
    let file: string | null = sampleFile(key);
    if (!samples) {
      samples = await measureSamples(pruner, widths, {
        threads: this.threads,
        inputs: this.inputs,
        onProgress: (done, total) => this.budget.onProgress?.('table', done, total),
        signal: this.signal,
      });
      try {
        await saveSamples(key, samples);
      } catch (error) {
        file = null;
        this.budget.onNote?.(`The table of latencies isn't kept: ${(error as Error).message}`);
      }
    }
    this.tableFacts = { models: widths.length, cached, file };
    return new LatencyTable(pruner.macs.whole(), nodes, samples);
  }

  /** The share to aim at, of the original's latency; it follows the machine for a target in milliseconds. */
  private async wanted(): Promise<(latest: EndToEnd | undefined) => number> {
    const { target } = this.budget;
    if ('share' in target) return () => target.share;
    const first = await race(this.original, this.original, { ...trialRace, ...this.raceOptions() });
    const shareOf = ({ before }: EndToEnd): number => target.milliseconds / before.medianMilliseconds;
    if (shareOf(first) >= 1) {
      throw new SsdPruneError(
        'ERR_TARGET_UNREACHABLE',
        `${this.original.name} takes ${milliseconds(first.before.medianMilliseconds)}, no more than the ${milliseconds(target.milliseconds)} asked for: there is nothing to cut.`,
      );
    }
    return (latest) => shareOf(latest ?? first);
  }

  /** Tries widths. The share is the mean of both ways to measure it, weighted by how certain they are. */
  private async measure(
    pruner: Pruner,
    kept: readonly number[],
    predictedShare: number,
  ): Promise<{ share: number; result: EndToEnd }> {
    throwIfAborted(this.signal);
    const candidate = narrower(pruner, kept);
    const result = await this.race(candidate, trialRace);
    const kernelShare = await this.kernelShare(pruner.model, candidate);
    const { share, standardError } = result;
    this.trials.push({ predictedShare, share, standardError, kernelShare });
    const [own, other] = [1 / Math.max(standardError, 1e-4) ** 2, 1 / kernelError ** 2];
    return { share: (own * share + other * kernelShare) / (own + other), result };
  }

  private race(candidate: OnnxModel, how: { goal: number; seconds: number }): Promise<EndToEnd> {
    return race(
      this.original,
      { name: 'the smaller model', model: encodeModel(candidate) },
      { ...how, ...this.raceOptions() },
    );
  }

  private raceOptions() {
    return { threads: this.threads, inputShapes: this.inputShapes, signal: this.signal };
  }

  private async kernelShare(original: OnnxModel, candidate: OnnxModel): Promise<number> {
    const none = new Set<number>();
    const profile = (model: OnnxModel) =>
      profileNodes(model, none, { threads: this.threads, runs: 6, inputs: this.inputs, signal: this.signal });
    let [before, after] = [await profile(original), await profile(candidate)];
    for (let round = 1; round < 3; round++) {
      before = leastTimes(before, await profile(original));
      after = leastTimes(after, await profile(candidate));
    }
    return undisturbedTime(after) / undisturbedTime(before);
  }
}

/** A window that is as narrow as the grid of widths allows. */
function fitting(search: WidthSearch, table: LatencyTable, cut: number, tolerance: number): SearchResult {
  for (let window = Math.max(tolerance, 1e-3); ; window *= 2) {
    try {
      return search(table, Math.max(cut, 1e-6), window);
    } catch (error) {
      if (!(error instanceof SsdPruneError) || error.code !== 'ERR_TARGET_UNREACHABLE' || window > 0.5) throw error;
    }
  }
}

const milliseconds = (value: number): string => `${value.toPrecision(3)} ms`;

function unreachable(wanted: number, share: number, { before, after }: EndToEnd): SsdPruneError {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  return new SsdPruneError(
    'ERR_TARGET_UNREACHABLE',
    `A latency of ${percent(wanted)} of the original's is out of reach: at the narrowest widths allowed the model takes ${percent(share)} (measured ${milliseconds(after.medianMilliseconds)} of ${milliseconds(before.medianMilliseconds)}). Ask for more time, select more layers, or lower --align or --min-channels.`,
  );
}
