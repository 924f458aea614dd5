import type { Device } from '../evaluate/providers';
import type { OpenPlan } from '../latency/latency-search';
import type { OnnxModel } from '../model/onnx-model';
import type { ChannelGroup } from '../prune/channel-groups';
import type { CutResult } from '../prune/cut';
import type { PruneOptions, PrunePlanOptions } from '../prune/options';
import type { PrunePlan, Pruner } from '../prune/prune';
import type { SearchResult, WidthSearch } from '../prune/ratio-search';
import { allocateByError, sayWidths } from './allocation';
import { chooseByError, chooseByWeights, withoutPictures } from './channel-choice';
import { type CurveOptions, measureCurves } from './error-curves';
import { refineFrom } from './reconstruction';
import type { Repair } from './repair';
import { fewOf, StageSamples } from './stage-samples';
import { groupStages, namesOf, type Stage, whyUnread, withTail } from './stages';
import { Student } from './student';

export interface CalibrateOptions extends CurveOptions {
  /** Defaults to `full`. */
  repair?: Repair;
  /**
   * Rounds that take the activation behind a layer into account, with `repair: 'full'`, where a layer is cut so deep
   * that it gains by them (see refineFrom of reconstruction.ts). Defaults to `4`.
   */
  rounds?: number;
  /** Chooses widths with the allocation's search, instead of a target ratio. */
  widths?: ((plan: OpenPlan) => Promise<SearchResult>) | undefined;
}

/** What was done for one group of channels, or one layer of the tail. */
export interface RepairReport {
  /** The layers whose channels were cut, joined by ` + `; the layer refitted, in the tail. */
  readonly layer: string;
  readonly criterion: string;
  /** Layers that were refitted. */
  readonly readers: readonly string[];
  /** Share of the readers' output variance that the student no longer has; null where nothing was measured. */
  readonly errorKept: number | null;
  /** How many pictures' activations it was done by: fewer in early layers, whose activations are big. */
  readonly pictures: number;
  /** Why channels were chosen without pictures, or a reader kept its weights. */
  readonly reason?: string;
}

export interface Calibrated {
  /** On the original with the repaired weights written in: what the cut is proven against. */
  readonly pruner: Pruner;
  readonly plan: PrunePlan;
  readonly cut: CutResult;
  readonly repair: readonly RepairReport[];
  /** Where the models ran on the pictures. */
  readonly device: Device;
}

/**
 * Cuts a model with the help of pictures. Groups of channels are worked through in network order. For each, the layers
 * that read it are sampled: X, what they read in the model as already cut and repaired, and Y, what they made at the
 * same places in the original, before any normalisation or activation behind them. From the second moments of X and Y
 * follows which channels go (`obs`: those whose loss the readers can make up for best; or any criterion that needs no
 * pictures), and the weights with which the readers come nearest to Y without them. These are written into the
 * full-size model, of which the next group's student is a cut. A BatchNormalization behind a reader keeps its scale and
 * variance, since the reader's output is fitted to what it always saw; only its mean moves.
 * The plan's options say what was done: widths `uniform` where they were to follow from errors and no group's could be
 * measured, and the criterion without pictures where no group's channels could be chosen by them.
 * @throws {SsdPruneError} what {@link Pruner.plan} throws, and ERR_BAD_DATA where activations are not finite
 */
export async function calibrate(model: OnnxModel, given: PruneOptions, options: CalibrateOptions): Promise<Calibrated> {
  const student = new Student(model, given);
  const byError = given.allocation === 'error';
  // A target out of reach is found out before any picture is looked at. The widths by error follow from the pictures.
  const plan = options.widths ? undefined : student.pruner.plan(byError ? { ...given, allocation: 'uniform' } : given);
  return StageSamples.use(student, options, (samples) =>
    new Calibration(student, samples, options).run(byError ? undefined : plan?.search, given.targetRatio ?? 0),
  );
}

class Calibration {
  private readonly reports: RepairReport[] = [];
  private readonly repair: Repair;

  constructor(
    private readonly student: Student,
    private readonly samples: StageSamples,
    private readonly options: CalibrateOptions,
  ) {
    this.repair = options.repair ?? 'full';
  }

  /** @param search widths; undefined where they are to follow from error curves, or from `options.widths`. */
  async run(search: SearchResult | undefined, target: number): Promise<Calibrated> {
    const { student } = this;
    const { pruner, selection, planOptions } = student;
    const { widths, options } = search ? { widths: search, options: planOptions } : await this.allocate(target);
    await this.cutTo(widths.kept);
    const plan = { selection, options: { ...options, criterion: this.usedCriterion() }, search: widths };
    return { pruner, plan, cut: student.finish(), repair: this.reports, device: this.samples.device };
  }

  /** Widths, and the options with the allocation that they come from. */
  private async allocate(target: number): Promise<{ widths: SearchResult; options: PrunePlanOptions }> {
    const { pruner, selection, planOptions } = this.student;
    const { search, allocation } =
      planOptions.allocation === 'error'
        ? await this.searchByError()
        : { search: pruner.widthSearch(selection.groups, planOptions), allocation: planOptions.allocation };
    const options: PrunePlanOptions = { ...planOptions, allocation };
    const widths = this.options.widths
      ? await this.options.widths({ pruner, selection, options, search })
      : search(pruner.costOf(options), target, options.tolerance);
    return { widths, options };
  }

  private async searchByError(): Promise<{ search: WidthSearch; allocation: 'error' | 'uniform' }> {
    const { grids, curves } = await measureCurves(this.student, this.samples, fewOf(this.options), this.options);
    return {
      search: (cost, target, tolerance) => allocateByError(grids, curves, cost, target, tolerance),
      allocation: sayWidths(curves) ? 'error' : 'uniform',
    };
  }

  /** Cuts and repairs stage by stage, until groups have as many members as `kept` says, by group id. */
  private async cutTo(kept: readonly number[]): Promise<void> {
    const { pruner, selection, readers } = this.student;
    const cut = selection.groups.filter((group) => kept[group.id]! < group.classes.length);
    const groups = groupStages(pruner.graph, cut, readers);
    const stages = this.repair === 'full' ? withTail(pruner.graph, groups, readers) : groups;
    // Before any repair: a criterion without pictures chooses what it chooses without them.
    const byWeights = new Map<ChannelGroup, number[]>();
    for (const stage of groups) {
      const group = stage.group!;
      if (!this.byPictures(stage)) {
        byWeights.set(group, chooseByWeights(pruner, group, this.student.planOptions, kept[group.id]!));
      }
    }
    for (const [i, stage] of stages.entries()) {
      const later = stages.slice(i + 1);
      const { group } = stage;
      this.options.onStage?.(namesOf(stage), i, stages.length);
      if (group) await this.cutGroup(stage, later, group.classes.length - kept[group.id]!, byWeights.get(group));
      else if (this.deep) await this.refitTail(stage, later);
    }
    this.options.onStage?.('', stages.length, stages.length);
  }

  /** What chose channels: not `obs` where weights alone did, for every group that was cut. */
  private usedCriterion(): PrunePlanOptions['criterion'] {
    const { criterion } = this.student.planOptions;
    const used = this.reports.flatMap((report) => (report.criterion === 'none' ? [] : report.criterion));
    return used.length > 0 && !used.includes('obs') ? withoutPictures(criterion) : criterion;
  }

  private byPictures({ fixed, readers }: Stage): boolean {
    return this.student.planOptions.criterion === 'obs' && fixed.length === 0 && readers.length > 0;
  }

  /** @param chosen classes that go; undefined where pictures choose `removals` of them */
  private async cutGroup(
    stage: Stage,
    later: readonly Stage[],
    removals: number,
    chosen: number[] | undefined,
  ): Promise<void> {
    const { student, samples, repair } = this;
    const { pruner, planOptions } = student;
    const problems = !chosen || repair !== 'none' ? await samples.next(stage, later, this.times) : [];
    const gone = chosen ?? (await chooseByError(pruner.graph, stage.group!, problems, removals));
    const keptOf = student.remove(gone);
    const errors: number[] = [];
    for (const problem of repair === 'none' ? [] : problems) {
      const error = await student.mend(problem, repair as Exclude<Repair, 'none'>, this.rounds);
      if (error !== undefined) errors.push(error);
    }
    await samples.cut(keptOf);
    const unread = whyUnread(stage);
    this.reports.push({
      layer: namesOf(stage),
      criterion: chosen ? withoutPictures(planOptions.criterion) : 'obs',
      readers: repair === 'none' ? [] : stage.readers.map(({ name }) => name),
      errorKept: errors.length > 0 ? errors.reduce((a, b) => a + b, 0) / errors.length : null,
      pictures: problems.length > 0 ? samples.pictures : 0,
      ...(unread !== undefined && { reason: unread }),
    });
  }

  private async refitTail(stage: Stage, later: readonly Stage[]): Promise<void> {
    for (const problem of await this.samples.next(stage, later, this.times)) {
      const error = await this.student.mend(problem, 'full', this.rounds);
      const { name } = problem.reader;
      const { pictures } = this.samples;
      this.reports.push({ layer: name, criterion: 'none', readers: [name], errorKept: error ?? null, pictures });
    }
  }

  /** Whether some layer was cut so deep that more work pays, see {@link refineFrom}. */
  private get deep(): boolean {
    return this.reports.some(({ errorKept }) => (errorKept ?? 0) >= refineFrom);
  }

  /** Behind a deep cut there is more that weights can't explain, from which more samples tell what they can. */
  private get times(): number {
    return this.repair === 'full' && this.deep ? 2 : 1;
  }

  private get rounds(): number {
    return this.repair === 'full' ? (this.options.rounds ?? 4) : 0;
  }
}
