import type { RunConfig } from '../config/config';
import { errorInKeys } from '../config/option-keys';
import { invalidArgument, SsdPruneError } from '../errors';
import type { OnnxModel } from '../model/onnx-model';
import { percent } from '../percent';
import { openPruner, type PruneModelOptions, pruneModel } from '../prune/prune-model';
import type { PruneReport } from '../prune/report';
import { checkPrecision } from '../train/precision';
import { checkRequest, outOfReach } from './cut-request';
import { checkPlan } from './given';
import { withName } from './run-errors';
import { checkStrategies, makeStrategies } from './strategies';
import type { CutRequest, PlannedCut, Strategy } from './strategy';

/**
 * Makes all cuts that strategies have planned one after the other, on the network as it is before any training and
 * without pictures, so that one that is out of reach is found before days of training and not behind them. A uniform
 * allocation goes by widths alone: those cuts come out as in the run, and one that can't be made is refused. What goes
 * by pictures or weights is stood in for by the uniform one: of the cuts behind it only those are refused that no widths
 * could reach, others are warned of.
 * @param warn told of cuts that may be out of reach
 * @throws {SsdPruneError} ERR_TARGET_UNREACHABLE with the strategy, its place, and what could be reached; what
 * {@link pruneModel} throws
 */
export async function rehearse(
  model: OnnxModel,
  strategies: readonly Strategy[],
  config: RunConfig,
  warn: (message: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const upcoming = strategies.flatMap((strategy): Upcoming[] => {
    const first = firstPlan(strategy, config);
    return first ? [first] : [];
  });
  let stage: Stage = { network: model, base: model, since: [], left: 1 };
  for (;;) {
    // Of one epoch's the first strategy acts first.
    const one = upcoming.reduce<Upcoming | undefined>((a, b) => (a && a.next.epoch <= b.next.epoch ? a : b), undefined);
    if (!one || one.next.epoch >= config.compressor.epochs) return;
    const options = { ...standIn(one.next.request, config), verify: false, ...(signal && { signal }) };
    if (options.latency) {
      // What clocks will say nobody knows, nor what that leaves to the strategy itself.
      upcoming.splice(upcoming.indexOf(one), 1);
      stage = { ...stage, since: [...stage.since, options] };
      continue;
    }
    const about = label(one, config);
    const { made, doubt } = await named(about, () => rehearseCut(stage, one.next, options));
    if (doubt !== undefined) warn(`${about} may be out of reach: ${doubt}`);
    if (!made) return;
    stage = behind(stage, one.next, options, made.cut.model);
    const { done, value } = one.cuts.next(made.report);
    if (done) upcoming.splice(upcoming.indexOf(one), 1);
    else {
      checkPlan(value, one.strategy.name);
      one.next = value;
    }
  }
}

/**
 * {@link rehearse} for a configuration whose run has not begun: opens its model, and no data.
 * @throws {SsdPruneError} what {@link checkPrecision}, {@link rehearse}, {@link readModel} and {@link makeStrategies} throw
 */
export async function rehearseConfig(config: RunConfig, warn: (message: string) => void): Promise<void> {
  const { readModel } = require('../model/read') as typeof import('../model/read');
  checkPrecision(config.training.precision ?? 'fp32');
  const model = await readModel(config.compressor.initModel ?? config.model.file);
  const strategies = makeStrategies(config.compressor.strategies);
  try {
    // What files of an earlier run may become hangs on --force and --resume, which checks know nothing of.
    await checkStrategies(strategies, config, { force: true });
    for (const warning of firstRemarks(strategies, model, config)) warn(warning);
    await rehearse(model, strategies, config, warn);
  } catch (error) {
    throw errorInKeys(error);
  }
}

/**
 * What is odd about the first cut of each strategy; later ones are of networks that are not there yet.
 * @throws {SsdPruneError} what {@link checkRequest} throws, with the strategy's name
 */
export function firstRemarks(strategies: readonly Strategy[], model: OnnxModel, config: RunConfig): string[] {
  return strategies.flatMap((strategy) => {
    const first = firstPlan(strategy, config);
    if (!first) return [];
    const { targetRatio: _, allocation: __, ...request } = first.next.request;
    try {
      return checkRequest(model, request, config);
    } catch (error) {
      throw withName(strategy, error);
    }
  });
}

/** A strategy's next cut, and those behind it. */
interface Upcoming {
  readonly strategy: Strategy;
  readonly cuts: Iterator<PlannedCut, unknown, PruneReport>;
  next: PlannedCut;
}

/** @throws {SsdPruneError} ERR_USAGE where a strategy plans what is no cut */
function firstPlan(strategy: Strategy, config: RunConfig): Upcoming | undefined {
  if (!strategy.plannedCuts) return undefined;
  const planned = strategy.plannedCuts(config);
  if (typeof planned?.[Symbol.iterator] !== 'function') {
    throw invalidArgument(`what plannedCuts of ${strategy.name} gives`, 'a list or generator of cuts', planned);
  }
  const cuts = planned[Symbol.iterator]();
  const { done, value } = cuts.next();
  if (done) return undefined;
  checkPlan(value, strategy.name);
  return { strategy, cuts, next: value };
}

/** What a rehearsal has come to. */
interface Stage {
  readonly network: OnnxModel;
  /** The last network whose widths are those of the run, */
  readonly base: OnnxModel;
  /** cuts of it since, whose widths are not known, */
  readonly since: readonly PruneModelOptions[];
  /** and the share of its work that they leave at most. */
  readonly left: number;
}

type Made = Awaited<ReturnType<typeof pruneModel>>;

/**
 * @returns the cut, unless it can't be known whether it can be made; `doubt`: why it perhaps can't
 * @throws {SsdPruneError} where it surely can't
 */
async function rehearseCut(
  stage: Stage,
  { request }: PlannedCut,
  options: PruneModelOptions,
): Promise<{ made?: Made; doubt?: string }> {
  const { network, base, since, left } = stage;
  const { targetRatio } = options;
  if (targetRatio !== undefined) {
    // The narrowest widths of the same layers are the same, whatever was cut of them before.
    const sure = since.every((before) => selection(before) === selection(options));
    const most = sure ? 1 - (1 - reach(base, options)) / left : reach(network, options);
    if (outOfReach(most, options)) {
      const doubt = `${percent(targetRatio)} of the work that is left by then are to go, and the selected layers can lose ${percent(Math.max(0, most))} at most.`;
      if (!sure) return { doubt };
      throw new SsdPruneError(
        'ERR_TARGET_UNREACHABLE',
        `${doubt} Ask for less there or in the cuts before, or select more layers.`,
      );
    }
  }
  try {
    return { made: await pruneModel(network, options) };
  } catch (error) {
    // Other allocations may find widths where the uniform one finds none.
    const known = isUniform(request) && since.length === 0;
    if (known || (error as SsdPruneError).code !== 'ERR_TARGET_UNREACHABLE') throw error;
    return {};
  }
}

function behind(stage: Stage, { request, least }: PlannedCut, options: PruneModelOptions, network: OnnxModel): Stage {
  if (isUniform(request) && least === undefined && stage.since.length === 0) {
    return { network, base: network, since: [], left: 1 };
  }
  const left = stage.left * (1 - (least ?? request.targetRatio ?? 0));
  return { ...stage, network, since: [...stage.since, options], left };
}

const isUniform = ({ allocation = 'uniform' }: CutRequest): boolean => allocation === 'uniform';

/** A request without what goes by pictures or by weights that training will change. */
function standIn(request: CutRequest, { paddle1x }: RunConfig): PruneModelOptions {
  const { repair: _, allocation: __, sensitivities: ___, criterion = 'l1_norm', ...rest } = request;
  return { ...rest, criterion: criterion === 'obs' ? 'l1_norm' : criterion, ...(paddle1x && { paddle1x }) };
}

/** What says which layers may get how narrow. */
const selection = ({ prunedParams, align, minChannels, count, skipLocked, includeTied, latency }: PruneModelOptions) =>
  JSON.stringify([prunedParams, align, minChannels, count, skipLocked, includeTied, latency]);

const reach = (model: OnnxModel, options: PruneModelOptions): number => openPruner(model).largestCut(options);

function label({ strategy: { name }, next: { epoch } }: Upcoming, { compressor }: RunConfig): string {
  const where = compressor.strategies.find((entry) => entry.name === name)?.where;
  return `${name}: its cut at the beginning of epoch ${epoch}${where === undefined ? '' : ` (${where})`}`;
}

async function named<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SsdPruneError) || error.code === 'ERR_ABORTED') throw error;
    throw new SsdPruneError(error.code, `${what} can't be made: ${error.message}`, { cause: error });
  }
}
