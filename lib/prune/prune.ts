import { SsdPruneError } from '../errors';
import type { OnnxModel } from '../model/onnx-model';
import { listParameters, type Parameter } from '../model/parameters';
import type { InferOptions } from '../model/shape-inference';
import { ChannelGraph } from './channel-graph';
import { type ChannelGroup, ChannelGroups, layerNames } from './channel-groups';
import { CostModel } from './cost';
import { type CutResult, cutChannels } from './cut';
import { checkTarget, completeOptions, type PruneOptions, type PrunePlanOptions } from './options';
import { ChannelRanking, keptMembers } from './ranking';
import {
  globalPath,
  paddleBisection,
  roundHalfEven,
  type SearchResult,
  searchAlong,
  uniformPath,
  type WidthSearch,
} from './ratio-search';
import { type Selection, selectLayers } from './selection';
import { nearestStep, type WidthGrid, widthGrid } from './width-grid';

/** What to keep, before anything is cut. */
export interface PrunePlan {
  readonly selection: Selection;
  readonly options: PrunePlanOptions;
  readonly search: SearchResult;
}

/**
 * One model opened for pruning: the channel groups are found once, then any number of targets can be planned.
 */
export class Pruner {
  /** All parameters in definition order. */
  readonly parameters: readonly Parameter[];
  readonly graph: ChannelGraph;
  readonly groups: ChannelGroups;
  readonly macs: CostModel;
  readonly paddle: CostModel;

  constructor(
    readonly model: OnnxModel,
    readonly infer: InferOptions = {},
    /** What can be selected, where the model holds more than the file did. */
    parameters: readonly Parameter[] = listParameters(model),
  ) {
    this.parameters = parameters;
    this.graph = new ChannelGraph(model, infer);
    this.groups = new ChannelGroups(this.graph);
    this.macs = new CostModel(this.groups, 'macs');
    this.paddle = new CostModel(this.groups, 'paddle1x');
  }

  /**
   * Chooses the width of every layer.
   * @throws {SsdPruneError} ERR_NO_MATCH, ERR_LOCKED_CHANNELS, ERR_TIED_CHANNELS, ERR_TARGET_UNREACHABLE,
   * ERR_LAYER_EMPTIED, ERR_USAGE.
   */
  plan(given: PruneOptions): PrunePlan {
    checkTarget(given);
    const { selection, options } = this.select(given);
    const search = this.search(selection.groups, this.costOf(options), options, given);
    return { selection, options, search };
  }

  /**
   * What is to be cut, without widths: needs no target.
   * @throws {SsdPruneError} what {@link plan} throws, but for targets
   */
  select(given: PruneOptions): Pick<PrunePlan, 'selection' | 'options'> {
    const options = completeOptions(given);
    const selection = selectLayers(this.groups, this.parameters, given);
    checkOrder(options.order, selection);
    return { selection, options };
  }

  /** What the target counts. */
  costOf({ count }: PrunePlanOptions): CostModel {
    return count === 'macs' ? this.macs : this.paddle;
  }

  /**
   * How the allocation spreads a cut over layers, for any cost.
   * @throws {SsdPruneError} ERR_USAGE for what goes by pictures, ERR_BAD_DATA for layers that the sensitivities lack
   */
  widthSearch(selected: readonly ChannelGroup[], options: PrunePlanOptions): WidthSearch {
    if (options.allocation === 'error') {
      throw new SsdPruneError('ERR_USAGE', 'The allocation error goes by pictures: give them (--calibrate DIR).');
    }
    const grids = selected.map((group) => widthGrid(group, options));
    if (options.allocation === 'sensitivity') {
      const { lossWidthSearch } = require('../sensitivity/loss-widths') as typeof import('../sensitivity/loss-widths');
      return lossWidthSearch(this.groups, grids, options.sensitivities!);
    }
    const path =
      options.allocation === 'global' ? globalPath(grids, this.ranking(options).scores(selected)) : uniformPath(grids);
    return (cost, target, tolerance) => searchAlong(path, grids, cost, target, tolerance);
  }

  /** The share of the work that is gone when every selected layer has its narrowest width. */
  largestCut(given: PruneOptions): number {
    const { selection, options } = this.select(given);
    const cost = this.costOf(options);
    const kept = cost.whole();
    for (const group of selection.groups) kept[group.id] = widthGrid(group, options).steps[0]!;
    return cost.cut(kept);
  }

  /** Chooses which channels stay and removes the others from a copy of the model. */
  cut({ selection, options, search }: PrunePlan): CutResult {
    return cutChannels(this.graph, this.chooseRemoved(selection.groups, options, search.kept), this.infer);
  }

  private search(
    selected: readonly ChannelGroup[],
    cost: CostModel,
    options: PrunePlanOptions,
    given: PruneOptions,
  ): SearchResult {
    if (options.paddle1x) return this.paddleSearch(selected, cost, options.tolerance, given);
    const grids = selected.map((group) => widthGrid(group, options));
    if (given.ratios) return this.byHand(grids, cost, given.ratios);
    return this.widthSearch(selected, options)(cost, given.targetRatio!, options.tolerance);
  }

  private paddleSearch(
    selected: readonly ChannelGroup[],
    cost: CostModel,
    tolerance: number,
    { targetRatio, ratios }: PruneOptions,
  ): SearchResult {
    const keptAt = (ratio: (group: ChannelGroup) => number): number[] => {
      const kept = cost.whole();
      for (const group of selected) kept[group.id]! -= roundHalfEven(group.classes.length * ratio(group));
      return kept;
    };
    let found: SearchResult;
    if (ratios) {
      const kept = keptAt((group) => ratioOf(group, ratios));
      found = { kept, cut: cost.cut(kept), ratio: 0, trials: [] };
    } else found = paddleBisection((ratio) => keptAt(() => ratio), cost, targetRatio!, tolerance);
    for (const group of selected) {
      const locked = group.locks.filter(Boolean).length;
      if (found.kept[group.id]! === 0) throw emptied(group);
      if (found.kept[group.id]! < locked) {
        throw new SsdPruneError(
          'ERR_LOCKED_CHANNELS',
          `${layerNames(group)}: ${locked} channels can't be cut (${group.locks.find(Boolean)!.reason}), so ${found.kept[group.id]} can't be all that stay.`,
        );
      }
    }
    return found;
  }

  private byHand(grids: readonly WidthGrid[], cost: CostModel, ratios: ReadonlyMap<string, number>): SearchResult {
    const kept = cost.whole();
    for (const grid of grids) {
      const ratio = ratioOf(grid.group, ratios);
      if (ratio >= 1) throw emptied(grid.group);
      kept[grid.group.id] = grid.steps[nearestStep(grid, ratio)]!;
    }
    return { kept, cut: cost.cut(kept), ratio: 0, trials: [] };
  }

  private ranking({ criterion, seed, paddle1x }: PrunePlanOptions): ChannelRanking {
    if (criterion === 'obs') {
      throw new SsdPruneError('ERR_USAGE', 'The criterion obs chooses by pictures: give them (--calibrate DIR).');
    }
    return new ChannelRanking(this.groups, { criterion, seed, paddle1x });
  }

  /** Classes that go: the lowest members of each group. */
  private chooseRemoved(
    selected: readonly ChannelGroup[],
    options: PrunePlanOptions,
    kept: readonly number[],
  ): Set<number> {
    const ranking = this.ranking(options);
    const removed = new Set<number>();
    const remove = (group: ChannelGroup, scores: Float64Array): void => {
      const stays = new Set(keptMembers(group, scores, kept[group.id]!));
      group.classes.forEach((root, member) => {
        if (!stays.has(member)) removed.add(root);
      });
    };
    const cut = selected.filter((group) => kept[group.id]! < group.classes.length);
    if (options.ranking === 'frozen') {
      const scores = ranking.scores(cut);
      cut.forEach((group, i) => {
        remove(group, scores[i]!);
      });
    } else {
      for (const group of inOrder(cut, options.order)) remove(group, ranking.scores([group], removed)[0]!);
    }
    return removed;
  }
}

const emptied = (group: ChannelGroup): SsdPruneError =>
  new SsdPruneError(
    'ERR_LAYER_EMPTIED',
    `${layerNames(group)} would lose all of its ${group.classes.length} channels. Lower the ratio or the target, or leave the layer out.`,
  );

/** The ratio that a group's layers were given by hand. */
function ratioOf(group: ChannelGroup, ratios: ReadonlyMap<string, number>): number {
  const given = group.layers.flatMap(({ producer }) => ratios.get(producer.name) ?? []);
  if (given.some((ratio) => ratio !== given[0])) {
    throw new SsdPruneError('ERR_USAGE', `${layerNames(group)} share their channels and need the same ratio.`);
  }
  return given[0] ?? 0;
}

/** @throws {SsdPruneError} ERR_NO_MATCH for a name that is not selected, ERR_USAGE for one given twice */
function checkOrder(order: readonly string[] = [], { layers }: Selection): void {
  order.forEach((name, i) => {
    if (!layers.includes(name)) {
      throw new SsdPruneError('ERR_NO_MATCH', `--order names ${JSON.stringify(name)}, which is no layer to cut.`);
    }
    if (order.indexOf(name) !== i) throw new SsdPruneError('ERR_USAGE', `--order names ${JSON.stringify(name)} twice.`);
  });
}

/** Groups by the place of their first layer in the given order; layers that it leaves out come last. */
function inOrder(groups: readonly ChannelGroup[], order: readonly string[] | undefined): ChannelGroup[] {
  if (!order) return [...groups];
  const place = (group: ChannelGroup): number => {
    const places = group.layers.map(({ producer }) => order.indexOf(producer.name)).filter((at) => at >= 0);
    return places.length > 0 ? Math.min(...places) : order.length;
  };
  return [...groups].sort((a, b) => place(a) - place(b));
}
