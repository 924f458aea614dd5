import type { DetectorSettings } from '../model/detector';
import { addon, nativeError } from '../native/addon';
import type { NativeTrainer, NativeTrainerJob } from '../native/trainer';
import { nativeLoss } from './loss';
import type { DetectorNetwork } from './network';
import { nativeOptimizer, type ParameterGroup } from './optimizer';
import type { PlacedParameter } from './optimizer-arrays';
import type { StatisticRange } from './recalibration';
import type { Recipe } from './recipe';
import type { PlannedTraining } from './training-plan';

/** What is trained of the flat array of weights, parameter by parameter, and what follows the data. */
export interface TrainedParts {
  placed: readonly PlacedParameter[];
  groups: readonly ParameterGroup[];
  statistics: readonly StatisticRange[];
}

/** The addon's trainer of a network, with its weights and those of its teacher. */
export function makeNativeTrainer(
  network: DetectorNetwork,
  teacher: Pick<PlannedTraining, 'taught' | 'pairs'> | undefined,
  { loss, optimizer, batchSize, microBatch, precision }: Recipe,
  detector: DetectorSettings,
  { placed, groups, statistics }: TrainedParts,
): NativeTrainer {
  const { plan, heads, weights } = network;
  const { taught, pairs } = teacher ?? {};
  const graph = { ...plan.graph, features: pairs?.student ?? [] };
  const native = made({
    ...{ graph, ...heads, priors: detector.priors },
    ...{ microBatch, microSteps: batchSize / microBatch, precision },
    loss: {
      ...nativeLoss(loss, detector),
      ...{ sigmoidScores: network.sigmoidScores, teacherSigmoidScores: taught?.sigmoidScores ?? false },
    },
    optimizer: nativeOptimizer(optimizer),
    groups: placed.map(({ begin, end, dims }, i) => {
      const columns = network.parameters[i]!.role === 'weight' ? matrixColumns(dims) : 0;
      return { begin, end, weightDecay: groups[i]!.weightDecay, columns };
    }),
    statistics: [...statistics],
    teacher: taught ? { graph: { ...taught.plan.graph, features: pairs?.teacher ?? [] }, ...taught.heads } : null,
  });
  native.set('weights', weights);
  if (taught) native.set('teacher', taught.weights);
  return native;
}

function made(job: NativeTrainerJob): NativeTrainer {
  const { Trainer } = addon();
  try {
    return withCodes(new Trainer(job));
  } catch (error) {
    throw nativeError(error);
  }
}

/** The trainer, with what its calls and their promises fail with as errors of this package. */
function withCodes(native: NativeTrainer): NativeTrainer {
  const coded = (work: () => unknown): unknown => {
    try {
      const result = work();
      if (!(result instanceof Promise)) return result;
      return result.catch((error: unknown) => {
        throw nativeError(error);
      });
    } catch (error) {
      throw nativeError(error);
    }
  };
  return new Proxy(native, {
    get(target, key) {
      const value = coded(() => Reflect.get(target, key, target));
      return typeof value === 'function' ? (...args: unknown[]) => coded(() => value.apply(target, args)) : value;
    },
  });
}

/** Sides from which on a filter of one tap counts as a matrix: directions of a few rows have nothing to be told apart. */
const leastSide = 8;

/** Columns of a filter (outputs, inputs, height, width) that Muon moves as a matrix; 0: it is none. */
function matrixColumns([outputs = 0, inputs = 0, height, width]: readonly number[]): number {
  return height === 1 && width === 1 && Math.min(outputs, inputs) >= leastSide ? inputs : 0;
}
