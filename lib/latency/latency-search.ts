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
import { widthGrid } from '../prune/width-grid';
import { type EndToEnd, race } from './end-to-end';
import type { LatencyTable } from './latency-table';
import { narrower } from './narrower';
import { leastTimes, profileNodes, undisturbedTime } from './node-times';
import { type OpenedTable, openTable } from './open-table';
import type { LatencyReport, LatencyTrial } from './report';
import { checkLatencyTarget, type LatencyTarget } from './target';

/** Latency as the budget of a cut, at batch size 1 on the CPU. */
export interface LatencyBudget {
  target: LatencyTarget;
  /** Threads of the sessions; 0 is one a core. Defaults to `1`. */
  threads?: number;
  /** A folder that keeps the table of layers besides the user's cache, and is asked first. */
  tables?: string;
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
/** Standard error from which whole runs say nothing: what disturbs them so is not even itself from turn to turn. */
const hopeless = 0.02;

/** Finds widths by a table of node times, tries them end to end, and corrects the table's budget until they fit. */
export class LatencySearch {
  private readonly threads: number;
  private readonly trials: LatencyTrial[] = [];
  private readonly inputs: InputChoices;
  private opened: OpenedTable | undefined;
  private chosen: SearchResult | undefined;
  /** Milliseconds of the original's least run so far: of the table until it has run as a whole. */
  private fastest = Number.NaN;
  private raced = false;
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
    const openSize = readDetectorSize(model);
    this.inputs = { ...(inputShapes && { inputShapes }), ...(openSize !== undefined && { openSize }) };
    this.original = { name: model.file ?? 'the model', model: encodeModel(model) };
  }

  /**
   * Widths whose measured latency is the target's.
   * @throws {SsdPruneError} ERR_TARGET_UNREACHABLE with the latency that can be reached
   */
  async widths({ pruner, selection, options, search }: OpenPlan): Promise<SearchResult> {
    const grids = selection.groups.map((group) => widthGrid(group, options));
    const { tables, onNote, onProgress } = this.budget;
    const { threads, inputs, signal } = this;
    const opened = await openTable(pruner, grids, {
      ...{ threads, inputs, signal, tables, onNote },
      onProgress: (done, total) => onProgress?.('table', done, total),
    });
    this.opened = opened;
    const { table } = opened;
    const whole = table.total(table.whole());
    const narrowest = table.whole();
    for (const { group, steps } of grids) narrowest[group.id] = steps[0]!;
    const least = table.total(narrowest) / whole;
    this.fastest = whole;
    this.checkCut();
    /** What measured shares are of predicted ones. */
    let correction = 1;
    if (least > this.wanted * (1 - nearEnough)) {
      const { share, result } = await this.measure(pruner, narrowest, least);
      if (share > this.wanted * (1 + nearEnough)) throw unreachable(this.wanted, share, result);
      correction = share / least;
      this.trials.length = 0;
    }
    let best: { found: SearchResult; miss: number } | undefined;
    const tried = new Set<string>();
    const ratios: number[] = [];
    for (let i = 0; i < maxTrials; i++) {
      this.budget.onProgress?.('widths', i, maxTrials);
      const found = fitting(search, table, 1 - Math.max(this.wanted / correction, least), options.tolerance);
      if (tried.has(found.kept.join())) break;
      tried.add(found.kept.join());
      const predicted = 1 - found.cut;
      const { share } = await this.measure(pruner, found.kept, predicted);
      const miss = Math.abs(share / this.wanted - 1);
      if (!best || miss < best.miss) best = { found, miss };
      if (miss <= nearEnough) break;
      ratios.push(share / predicted);
      correction = ratios.reduce((a, b) => a + b, 0) / ratios.length;
    }
    this.budget.onProgress?.('widths', maxTrials, maxTrials);
    this.chosen = best!.found;
    return best!.found;
  }

  /** Measures the finished model beside the original. */
  async report(result: OnnxModel): Promise<LatencyReport> {
    this.budget.onProgress?.('result', 0, 1);
    const measured = await this.race(result, resultRace);
    const kernelShare = await this.kernelShare(this.model, result);
    this.budget.onProgress?.('result', 1, 1);
    const bestShare = weighted({ ...measured, kernelShare });
    const { target } = this.budget;
    const { table, ...facts } = this.opened!;
    return {
      target: { share: this.wanted, milliseconds: 'milliseconds' in target ? target.milliseconds : null },
      device: 'cpu',
      threads: this.threads,
      batchSize: 1,
      ...measured,
      kernelShare,
      bestShare,
      reached: Math.abs(bestShare / this.wanted - 1) <= allowed,
      table: {
        predictedShare: table.total(this.chosen!.kept) / table.total(table.whole()),
        block: table.block,
        ...facts,
      },
      iterations: this.trials,
      machine: describeMachine(),
      runtime: runtimeVersion() ?? null,
    };
  }

  /** The share to aim at; for a target in milliseconds it follows what the original takes at its best. */
  private get wanted(): number {
    const { target } = this.budget;
    return 'share' in target ? target.share : target.milliseconds / this.fastest;
  }

  /** @throws {SsdPruneError} ERR_TARGET_UNREACHABLE where the original is fast enough */
  private checkCut(): void {
    if (this.wanted < 1) return;
    throw new SsdPruneError(
      'ERR_TARGET_UNREACHABLE',
      `${this.original.name} takes about ${milliseconds(this.fastest)} as it is, less than --target-latency asks for: there is nothing to cut.`,
    );
  }

  /** Tries widths. */
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
    const trial = { predictedShare, share, standardError, kernelShare };
    this.trials.push(trial);
    return { share: weighted(trial), result };
  }

  private async race(candidate: OnnxModel, how: { goal: number; seconds: number }): Promise<EndToEnd> {
    const { threads, inputShapes, signal } = this;
    const smaller = { name: 'the smaller model', model: encodeModel(candidate) };
    const result = await race(this.original, smaller, { ...how, threads, inputShapes, signal });
    const { minMilliseconds } = result.before;
    this.fastest = this.raced ? Math.min(this.fastest, minMilliseconds) : minMilliseconds;
    this.raced = true;
    return result;
  }

  private async kernelShare(original: OnnxModel, candidate: OnnxModel): Promise<number> {
    const none = new Set<number>();
    const profile = (model: OnnxModel) =>
      profileNodes(model, none, { threads: this.threads, runs: 10, inputs: this.inputs, signal: this.signal });
    let [before, after] = [await profile(original), await profile(candidate)];
    for (let round = 1; round < 3; round++) {
      before = leastTimes(before, await profile(original));
      after = leastTimes(after, await profile(candidate));
    }
    return undisturbedTime(after) / undisturbedTime(before);
  }
}

/** The mean of both ways to measure a share, weighted by how certain they are. */
function weighted({ share, standardError, kernelShare }: Omit<LatencyTrial, 'predictedShare'>): number {
  if (standardError > hopeless) return kernelShare;
  const [own, other] = [1 / Math.max(standardError, 1e-4) ** 2, 1 / kernelError ** 2];
  return (own * share + other * kernelShare) / (own + other);
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
