import type { AutoOptions, CutOptions } from '../config/config';
import { samplesDigest } from '../digests';
import { SsdPruneError } from '../errors';
import { uniform } from '../model/random';
import type { ChannelGroup } from '../prune/channel-groups';
import { defaultTolerance } from '../prune/options';
import { openPruner } from '../prune/prune-model';
import { nearestStep, type WidthGrid, widthGrid } from '../prune/width-grid';
import { pruneOptions } from './cut-request';
import type { CompressionContext, CutRequest, PlannedCut, Strategy } from './strategy';

/** Widths on trial: a position on the grid of each group. */
type Positions = readonly number[];

/**
 * Searches widths by simulated annealing: it begins with the uniform cut between the least and the greatest, changes one
 * group's width at a time, cuts and judges a copy of the network, and cuts the network to the best widths found. Nothing
 * is trained between trials. Each is kept as it is judged: a run that was killed meanwhile goes on with the next one.
 */
export class AutoStrategy implements Strategy {
  readonly #options: Omit<AutoOptions, keyof CutOptions | 'endEpoch'>;
  readonly #cut: Omit<CutRequest, 'targetRatio' | 'ratios' | 'allocation'>;

  constructor(
    readonly name: string,
    { startEpoch, endEpoch: _, minRatio, maxRatio, searchSteps, annealing, seed, ...cut }: AutoOptions,
  ) {
    this.#options = { startEpoch, minRatio, maxRatio, searchSteps, annealing, seed };
    this.#cut = cut;
  }

  plannedCuts(): PlannedCut[] {
    // The search begins with these widths, and ends with others.
    const request: CutRequest = { ...this.#cut, ...this.#uniform };
    return [{ epoch: this.#options.startEpoch, request, least: this.#options.minRatio }];
  }

  onCompressionBegin(context: CompressionContext): void {
    context.check(this.#cut);
  }

  async onEpochBegin(context: CompressionContext): Promise<void> {
    if (context.epoch !== this.#options.startEpoch) return;
    await context.cut({ ...this.#cut, ratios: await this.#search(context) });
  }

  /** The cut that the search begins with: from the middle of the bounds on, and not beyond the greater one. */
  get #uniform(): Pick<CutRequest, 'allocation' | 'targetRatio' | 'tolerance'> {
    const { minRatio, maxRatio } = this.#options;
    const half = (maxRatio - minRatio) / 2;
    const narrow = half < (this.#cut.tolerance ?? defaultTolerance);
    return { allocation: 'uniform', targetRatio: minRatio + half, ...(narrow && { tolerance: half }) };
  }

  async #search(context: CompressionContext): Promise<ReadonlyMap<string, number>> {
    const { searchSteps, annealing } = this.#options;
    const space = this.#space(context);
    const try_ = async (positions: Positions): Promise<number> => {
      const { model } = await context.attempt({ ...this.#cut, ratios: space.ratios(positions) });
      return context.judge(model);
    };
    const pictures = samplesDigest((await context.heldBack()).samples);
    const saved = (await context.kept()) as SearchState | undefined;
    let state: SearchState;
    if (saved?.pictures === pictures) state = saved;
    else {
      const first = { positions: space.first, map: await try_(space.first) };
      state = { pictures, step: 0, current: first, best: first };
      await context.keep(state);
    }
    let { current, best } = state;
    for (let step = state.step + 1; step <= searchSteps; step++) {
      const positions = this.#neighbour(space, current.positions, step);
      if (!positions) {
        const { minRatio, maxRatio } = this.#options;
        context.warn(
          `${this.name}: of ${annealing.maxIterNumber} changes of a width none cuts between ${minRatio} and ${maxRatio} of the work: the search ends with the best of ${step} widths; min_ratio and max_ratio further from each other give it more`,
        );
        break;
      }
      const map = await try_(positions);
      const temperature = annealing.initTemperature * annealing.reduceRate ** step;
      const taken = map > current.map || this.#draw('taken', step) <= Math.exp((map - current.map) / temperature);
      if (taken) current = { positions, map };
      if (map > best.map) best = current;
      await context.keep({ pictures, step, current, best } satisfies SearchState);
      context.note(
        `${this.name}: widths ${step} of ${searchSteps}, mAP ${map.toFixed(4)} held back, best ${best.map.toFixed(4)}`,
      );
    }
    return space.ratios(best.positions);
  }

  /** What is searched, on the network as it is. */
  #space(context: CompressionContext): Space {
    const { minRatio, maxRatio } = this.#options;
    const pruner = openPruner(context.model());
    const options = pruneOptions({ ...this.#cut, ...this.#uniform }, context.config);
    const { selection, options: complete, search } = pruner.plan({ ...options, criterion: 'l1_norm' });
    const grids = selection.groups.map((group) => widthGrid(group, complete));
    const cost = pruner.costOf(complete);
    const kept = (positions: Positions): number[] => {
      const counts = cost.whole();
      for (const [i, grid] of grids.entries()) counts[grid.group.id] = grid.steps[positions[i]!]!;
      return counts;
    };
    const fits = (positions: Positions): boolean => {
      const gone = cost.cut(kept(positions));
      return gone >= minRatio && gone <= maxRatio;
    };
    const first = grids.map((grid) => nearestStep(grid, 1 - search.kept[grid.group.id]! / grid.group.classes.length));
    if (!fits(first)) {
      throw new SsdPruneError(
        'ERR_TARGET_UNREACHABLE',
        `${this.name}: the uniform cut that the search begins with takes ${cost.cut(kept(first)).toFixed(4)} of the work, and not between ${minRatio} and ${maxRatio}: give them more room.`,
      );
    }
    return {
      grids,
      first,
      fits,
      ratios: (positions) => new Map(grids.flatMap(({ group, steps }, i) => ratiosOf(group, steps[positions[i]!]!))),
    };
  }

  /** The widths with another one of one group, such that the cut stays between its bounds; undefined where no draw does. */
  #neighbour({ grids, fits }: Space, positions: Positions, step: number): Positions | undefined {
    const { maxIterNumber } = this.#options.annealing;
    for (let i = 0; i < maxIterNumber; i++) {
      const changed = [...positions];
      const at = Math.floor(this.#draw(`group ${i}`, step) * grids.length);
      changed[at] = Math.floor(this.#draw(`width ${i}`, step) * grids[at]!.steps.length);
      if (changed[at] !== positions[at] && fits(changed)) return changed;
    }
    return undefined;
  }

  #draw(purpose: string, step: number): number {
    return uniform(this.#options.seed, `auto/${purpose}`)(step);
  }
}

/** Where a search is: all else of it follows from the seed and the step. */
interface SearchState {
  /** SHA-256 of the pictures held back. */
  readonly pictures: string;
  /** Changes of a width that were judged. */
  readonly step: number;
  readonly current: Trial;
  readonly best: Trial;
}

interface Trial {
  readonly positions: Positions;
  readonly map: number;
}

interface Space {
  readonly grids: readonly WidthGrid[];
  /** The uniform cut. */
  readonly first: Positions;
  fits(positions: Positions): boolean;
  ratios(positions: Positions): ReadonlyMap<string, number>;
}

/** The share that goes of each of a group's layers. */
const ratiosOf = ({ layers, classes }: ChannelGroup, kept: number): [string, number][] =>
  layers.map(({ producer }) => [producer.name, 1 - kept / classes.length]);
