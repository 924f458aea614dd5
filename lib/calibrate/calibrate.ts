import { giveBack } from '../buffers';
import { SsdPruneError } from '../errors';
import type { OpenPlan } from '../latency/latency-search';
import type { OnnxModel } from '../model/onnx-model';
import { listParameters } from '../model/parameters';
import { tensorBytes } from '../model/tensor';
import type { ChannelGroup } from '../prune/channel-groups';
import { type CutResult, cutChannels } from '../prune/cut';
import type { PruneCriterion, PruneOptions, PrunePlanOptions, WeightCriterion } from '../prune/options';
import { type PrunePlan, Pruner } from '../prune/prune';
import { inferOptions } from '../prune/prune-file';
import { ChannelRanking, keptMembers } from '../prune/ranking';
import type { SearchResult, WidthSearch } from '../prune/ratio-search';
import type { Selection } from '../prune/selection';
import { type WidthGrid, widthGrid } from '../prune/width-grid';
import { type ActivationOptions, Activations, type Moves } from './activations';
import { allocateByError, type GroupCurve } from './allocation';
import { Lanes, type LanesOptions } from './lanes';
import { readLayer, writeLayer } from './layer-weights';
import type { CalibrationSource } from './pictures';
import { type AddedBiases, batchOf, dropZeroBiases, prepareOffsets, type Reader, readersOf } from './readers';
import { type ErrorCurve, openProblem, type Problem, refineFrom, refit, removalOrder } from './reconstruction';
import type { Repair } from './repair';
import { defaultSampleBytes, type Sampled, SampleMemory, sampleBytes } from './samples';
import { groupStages, type Stage, whyUnread, withTail } from './stages';

export interface CalibrateOptions extends Partial<ActivationOptions>, LanesOptions {
  source: CalibrationSource;
  /** Defaults to `full`. */
  repair?: Repair;
  /**
   * Rounds that take the activation behind a layer into account, with `repair: 'full'`, where a layer is cut so deep
   * that it gains by them (see refineFrom of reconstruction.ts). Defaults to `4`.
   */
  rounds?: number;
  /** Chooses widths with the allocation's search, instead of a target ratio. */
  widths?: ((plan: OpenPlan) => Promise<SearchResult>) | undefined;
  /** Called before each stage with what is being worked on. */
  onStage?: ((stage: string, index: number, count: number) => void) | undefined;
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
  /** Why channels were chosen without pictures, or a reader kept its weights. */
  readonly reason?: string;
}

export interface Calibrated {
  /** On the original with the repaired weights written in: what the cut is proven against. */
  readonly pruner: Pruner;
  readonly plan: PrunePlan;
  readonly cut: CutResult;
  readonly repair: readonly RepairReport[];
}

/**
 * Cuts a model with the help of pictures. Groups of channels are worked through in network order. For each, the layers
 * that read it are sampled: X, what they read in the model as already cut and repaired, and Y, what they made at the
 * same places in the original, before any normalisation or activation behind them. From the second moments of X and Y
 * follows which channels go (`obs`: those whose loss the readers can make up for best; or any criterion that needs no
 * pictures), and the weights with which the readers come nearest to Y without them. These are written into the
 * full-size model, of which the next group's student is a cut. A BatchNormalization behind a reader keeps its scale and
 * variance, since the reader's output is fitted to what it always saw; only its mean moves.
 * @throws {SsdPruneError} what {@link Pruner.plan} throws, and ERR_BAD_DATA where activations are not finite
 */
export async function calibrate(model: OnnxModel, given: PruneOptions, options: CalibrateOptions): Promise<Calibrated> {
  const work = new Calibration(model, given, options);
  const byError = given.allocation === 'error' && !given.ratios;
  // A target out of reach is found out before any picture is looked at. The widths by error follow from the pictures.
  const plan = options.widths ? undefined : work.pruner.plan(byError ? { ...given, allocation: 'uniform' } : given);
  return work.whileOpen(() => work.run(byError ? undefined : plan?.search, given.targetRatio ?? 0));
}

/** What the selected groups lose as they get narrower, see {@link errorCurves}. */
export interface Curves {
  readonly pruner: Pruner;
  readonly selection: Selection;
  readonly grids: readonly WidthGrid[];
  /** In network order; none for a group whose readers can't be sampled. */
  readonly curves: readonly GroupCurve[];
}

/**
 * How much of their output the layers that read a group's channels can't be made to give back as the group gets
 * narrower, for every selected group by itself, the others left whole. Nothing is cut, and no target is needed.
 * @throws {SsdPruneError} what {@link Pruner.select} throws, and ERR_BAD_DATA where activations are not finite
 */
export async function errorCurves(model: OnnxModel, given: PruneOptions, options: CalibrateOptions): Promise<Curves> {
  const work = new Calibration(model, given, options);
  return work.whileOpen(async () => {
    const { grids, curves } = await work.curves(options.source);
    return { pruner: work.pruner, selection: work.selection, grids, curves };
  });
}

/**
 * Pictures for error curves, which need less than repairs, and for the first layers: there activations of all pictures
 * can't be kept, so that each layer would run from the pictures again, and every picture has thousands of places.
 */
export const fewPictures = 64;

/** Samples of a layer for error curves. */
const curveRows = 8192;

class Calibration {
  private readonly added: AddedBiases;
  readonly pruner: Pruner;
  readonly selection: Selection;
  private readonly planOptions: PrunePlanOptions;
  private readonly readers: ReturnType<typeof readersOf>;
  /** Members kept in each group, by group id; those of all until widths are chosen. */
  private kept: readonly number[];
  /** The original, whose offsets are prepared like the full-size model's. */
  private readonly original: OnnxModel;
  private readonly memory = new SampleMemory();
  private lanes!: Lanes;
  private activations!: Activations;
  private early!: Activations;
  private readonly removed = new Set<number>();
  private readonly reports: RepairReport[] = [];
  private readonly repair: Repair;

  constructor(
    model: OnnxModel,
    given: PruneOptions,
    private readonly options: CalibrateOptions,
  ) {
    const full = model.clone();
    this.added = prepareOffsets(full);
    this.original = full.clone();
    this.pruner = new Pruner(full, inferOptions(model, given.inputShapes), listParameters(model));
    const { selection, options: planOptions } = this.pruner.select(given);
    this.selection = selection;
    this.planOptions = planOptions;
    this.readers = readersOf(this.pruner.graph);
    this.kept = this.pruner.macs.whole();
    this.repair = options.repair ?? 'full';
  }

  /** Does some work with threads that run the models. */
  async whileOpen<T>(work: () => Promise<T>): Promise<T> {
    this.lanes = await Lanes.open(this.pruner.model.file ?? 'the model', this.options);
    try {
      this.activations = this.activationsOf('all', this.options.source);
      this.early = this.activationsOf('few', this.few());
      return await work();
    } finally {
      await this.lanes.close();
    }
  }

  /** The first {@link fewPictures} of the pictures, in whole batches. */
  private few(): CalibrationSource {
    const { source, batchSize = 1 } = this.options;
    const count = Math.max(batchSize, fewPictures - (fewPictures % batchSize));
    return { count: Math.min(source.count, count), feeds: (first, last) => source.feeds(first, last) };
  }

  private activationsOf(key: string, source: CalibrationSource, rows = this.options.rows): Activations {
    const options = { batchSize: 1, seed: 0, ...this.options, ...(rows !== undefined && { rows }) };
    return new Activations(key, source, this.lanes, this.memory, options);
  }

  /** @param search widths; undefined where they are to follow from error curves. */
  async run(search: SearchResult | undefined, target: number): Promise<Calibrated> {
    const { graph } = this.pruner;
    const widths = search ?? (await this.allocate(target));
    this.kept = widths.kept;
    const cut = this.selection.groups.filter((group) => this.kept[group.id]! < group.classes.length);
    const groups = groupStages(graph, cut, this.readers);
    const stages = this.repair === 'full' ? withTail(graph, groups, this.readers) : groups;
    for (const [i, stage] of stages.entries()) {
      this.options.onStage?.(namesOf(stage), i, stages.length);
      if (stage.group) await this.cutGroup(stage, stages.slice(i + 1));
      else if (this.reports.some(({ errorKept }) => (errorKept ?? 0) >= refineFrom))
        await this.refitTail(stage, stages.slice(i + 1));
    }
    this.options.onStage?.('', stages.length, stages.length);
    const result = cutChannels(graph, this.removed, this.pruner.infer);
    dropZeroBiases(result.model, this.added);
    const plan = { selection: this.selection, options: this.planOptions, search: widths };
    return { pruner: this.pruner, plan, cut: result, repair: this.reports };
  }

  /** Error curves of all selected groups, every one cut alone in the original. */
  async curves(source: CalibrationSource): Promise<Pick<Curves, 'grids' | 'curves'>> {
    const grids = this.selection.groups.map((group) => widthGrid(group, this.planOptions));
    const stages = groupStages(this.pruner.graph, this.selection.groups, this.readers);
    const curves: GroupCurve[] = [];
    const rows = this.options.rows ?? curveRows;
    const activations = this.activationsOf('curves', source, rows);
    const bytesOf = ({ readers }: Stage): number =>
      sampleBytes(readers.map(sampledOf), source.count, { ...this.options, seed: 0, rows });
    const limit = this.options.sampleBytes ?? defaultSampleBytes;
    for (let done = 0; done < stages.length; ) {
      const together = leading(stages.slice(done), limit, bytesOf);
      const readers = together.flatMap((stage) => stage.readers);
      const later = stages.slice(done + together.length);
      this.options.onStage?.(namesOf(together[0]!), done, stages.length);
      const problems = await this.problems(activations, { ...together[0]!, readers }, later, 'original');
      for (const stage of together) {
        const group = stage.group!;
        const own = problems.splice(0, stage.readers.length);
        this.options.onStage?.(namesOf(stage), done, stages.length);
        done++;
        const least = grids.find((grid) => grid.group === group)!.steps[0]!;
        if (own.length === 0) continue;
        const curve = await this.curve(group, own, group.classes.length - least);
        const names = stage.readers.map(({ name }) => name);
        curves.push({ group, readers: names, partial: stage.fixed.length > 0, ...curve });
      }
    }
    await activations.restart();
    this.options.onStage?.('', stages.length, stages.length);
    return { grids, curves };
  }

  private async allocate(target: number): Promise<SearchResult> {
    const { pruner, selection, planOptions: options } = this;
    const search =
      options.allocation === 'error' ? await this.searchByError() : pruner.widthSearch(selection.groups, options);
    if (this.options.widths) return this.options.widths({ pruner, selection, options, search });
    return search(pruner.costOf(options), target, options.tolerance);
  }

  private async searchByError(): Promise<WidthSearch> {
    const { grids, curves } = await this.curves(this.few());
    return (cost, target, tolerance) => allocateByError(grids, curves, cost, target, tolerance);
  }

  private async cutGroup(stage: Stage, later: readonly Stage[]): Promise<void> {
    const group = stage.group!;
    const { criterion } = this.planOptions;
    const byPictures = criterion === 'obs' && stage.fixed.length === 0 && stage.readers.length > 0;
    const sampled = byPictures || this.repair !== 'none';
    const problems = sampled ? await this.problems(await this.activationsFor(stage, later), stage, later) : [];
    const gone = byPictures ? await this.chooseByError(group, problems) : this.chooseByWeights(group, criterion);
    const before = new Set(this.removed);
    for (const root of gone) this.removed.add(root);
    const errors: number[] = [];
    for (const problem of this.repair === 'none' ? [] : problems) {
      const error = await this.mend(problem);
      if (error !== undefined) errors.push(error);
    }
    for (const activations of [this.early, this.activations])
      await activations.cut((name) => this.keptOf(name, before));
    const unread = whyUnread(stage);
    this.reports.push({
      layer: namesOf(stage),
      criterion: byPictures ? 'obs' : fallback(criterion),
      readers: this.repair === 'none' ? [] : stage.readers.map(({ name }) => name),
      errorKept: errors.length > 0 ? errors.reduce((a, b) => a + b, 0) / errors.length : null,
      ...(unread !== undefined && { reason: unread }),
    });
  }

  private async refitTail(stage: Stage, later: readonly Stage[]): Promise<void> {
    for (const problem of await this.problems(await this.activationsFor(stage, later), stage, later)) {
      const error = await this.mend(problem);
      const { name } = problem.reader;
      this.reports.push({ layer: name, criterion: 'none', readers: [name], errorKept: error ?? null });
    }
  }

  /** Those of all pictures as soon as they can be carried on from a stage, from there on. */
  private async activationsFor(stage: Stage, later: readonly Stage[]): Promise<Activations> {
    const last = later.length === 0;
    if (!last && !this.activations.carries(this.original, this.moves(stage, later))) return this.early;
    await this.early.restart();
    return this.activations;
  }

  /** Samples of a stage's readers, with their moments. */
  private async problems(
    activations: Activations,
    stage: Stage,
    later: readonly Stage[],
    of: 'original' | 'student' = 'student',
  ): Promise<Problem[]> {
    const { graph } = this.pruner;
    if (stage.readers.length === 0) return [];
    const cut = of === 'student' ? cutChannels(graph, this.removed, this.pruner.infer) : undefined;
    const layers = stage.readers.map((reader) => readLayer(graph, reader, this.removed));
    const samples = await activations.sample(
      layers.map(({ reader, columns }) => ({ ...sampledOf(reader), columns: columns.length })),
      { teacher: this.original, student: cut?.model ?? this.original },
      this.moves(stage, later),
    );
    // All of them first: they may share a buffer.
    for (const bytes of cut?.tensors.map(({ name }) => tensorBytes(cut.model.constant(name)!)) ?? []) giveBack(bytes);
    const problems: Problem[] = [];
    for (const [i, sample] of samples.entries())
      problems.push(await openProblem(sample, layers[i]!, stage.group === undefined));
    return problems;
  }

  private moves(stage: Stage, later: readonly Stage[]): Moves {
    const { graph } = this.pruner;
    const readers = later.flatMap((next) => next.readers);
    // A layer that keeps its weights must see the cut, too.
    const ownFirst = Math.min(...[...stage.readers, ...stage.fixed].map(({ index }) => index));
    const batch = batchOf(graph);
    const quantised = graph.model.graph.node.some(({ opType }) => /Quantize|^QLinear/.test(opType));
    return {
      valuesOf: (name) => {
        const shape = graph.infos.get(name)?.shape;
        if (quantised || !shape || shape[0] !== batch || !graph.labelsOf(name)[1]) return undefined;
        return shape.reduce((a, b) => a * b, 1) / batch;
      },
      later: { teacher: readers.map(({ output }) => output), student: readers.map(({ input }) => input) },
      limits: {
        teacher: Math.min(...readers.map(({ index }) => index)),
        student: Math.min(ownFirst, ...later.map(({ start }) => start)),
      },
    };
  }

  private async mend(problem: Problem): Promise<number | undefined> {
    const { graph, model } = this.pruner;
    const { layer, reader } = problem;
    const kept = Int32Array.from(layer.columns.keys()).filter((i) => {
      const atom = reader.channels[Math.floor(layer.columns[i]! / reader.places)]!;
      return atom < 0 || !this.removed.has(graph.atoms.find(atom));
    });
    const rounds = this.repair === 'full' ? (this.options.rounds ?? 4) : 0;
    const fit = await refit(problem, kept, this.repair as Exclude<Repair, 'none'>, rounds);
    if (!fit.weights.every(Number.isFinite) || !fit.bias.every(Number.isFinite)) {
      throw new SsdPruneError('ERR_BAD_DATA', `${reader.name}: its activations on these pictures are not finite`);
    }
    writeLayer(model, this.original, layer, fit);
    return fit.error;
  }

  /** Classes of the members whose loss the readers can make up for best. */
  private async chooseByError(group: ChannelGroup, problems: readonly Problem[]): Promise<number[]> {
    const removals = group.classes.length - this.kept[group.id]!;
    const { order } = await this.curve(group, problems, removals);
    return Array.from(order, (member) => group.classes[member]!);
  }

  private curve(group: ChannelGroup, problems: readonly Problem[], removals: number): Promise<ErrorCurve> {
    const mayGo = Uint8Array.from(group.locks, (lock) => (lock ? 0 : 1));
    return removalOrder(problems, this.columnsOf(group), mayGo, removals);
  }

  private columnsOf(group: ChannelGroup): (problem: Problem, member: number) => readonly number[] {
    const { graph } = this.pruner;
    const byReader = new Map<Reader, Map<number, number[]>>();
    return ({ reader, layer }, member) => {
      let columns = byReader.get(reader);
      if (!columns) {
        columns = new Map();
        byReader.set(reader, columns);
        for (const [i, column] of layer.columns.entries()) {
          const atom = reader.channels[Math.floor(column / reader.places)]!;
          const root = atom < 0 ? -1 : graph.atoms.find(atom);
          const list = columns.get(root);
          if (list) list.push(i);
          else columns.set(root, [i]);
        }
      }
      return columns.get(group.classes[member]!) ?? [];
    };
  }

  private chooseByWeights(group: ChannelGroup, criterion: PruneCriterion): number[] {
    const { seed } = this.planOptions;
    const ranking = new ChannelRanking(this.pruner.groups, { criterion: fallback(criterion), seed, paddle1x: false });
    const stays = new Set(keptMembers(group, ranking.scores([group])[0]!, this.kept[group.id]!));
    return Array.from(group.classes).filter((_, member) => !stays.has(member));
  }

  /** Places along a tensor's channels that stay, counted among those that `before` left; undefined where all do. */
  private keptOf(name: string, before: ReadonlySet<number>): Int32Array | undefined {
    const { atoms } = this.pruner.graph;
    const label = this.pruner.graph.labelsOf(name)[1];
    if (!label) return undefined;
    const present = label.filter((atom) => atom < 0 || !before.has(atoms.find(atom)));
    const kept = Int32Array.from(present.keys()).filter(
      (i) => present[i]! < 0 || !this.removed.has(atoms.find(present[i]!)),
    );
    return kept.length < present.length ? kept : undefined;
  }
}

/** The criterion without pictures that stands in where `obs` can't choose. */
const fallback = (criterion: PruneCriterion): WeightCriterion => (criterion === 'obs' ? 'l1_norm' : criterion);

const namesOf = ({ group, readers }: Stage): string =>
  (group ? group.layers.map(({ producer }) => producer.name) : readers.map(({ name }) => name)).join(' + ');

/** A layer with all of its channels. */
const sampledOf = (reader: Reader): Sampled => ({
  reader,
  columns: reader.channels.length * reader.places,
  outputs: reader.filters.length,
});

/** The first stages, as many as take no more than `most` together; one at least. */
function leading(stages: readonly Stage[], most: number, bytesOf: (stage: Stage) => number): Stage[] {
  let bytes = 0;
  const end = stages.findIndex((stage, i) => {
    bytes += bytesOf(stage);
    return i > 0 && bytes > most;
  });
  return stages.slice(0, end < 0 ? stages.length : end);
}
