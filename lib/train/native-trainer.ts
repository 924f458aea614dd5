import type { DetectorSettings } from '../model/detector';
import { addon, type NativeTrainer } from '../native';
import { nativeLoss } from './loss';
import type { DetectorNetwork } from './network';
import { nativeOptimizer, type ParameterGroup } from './optimizer';
import type { PlacedParameter } from './optimizer-arrays';
import type { StatisticRange } from './recalibration';
import type { Recipe } from './recipe';

/** What is trained of the flat array of weights, parameter by parameter, and what follows the data. */
export interface TrainedParts {
  placed: readonly PlacedParameter[];
  groups: readonly ParameterGroup[];
  statistics: readonly StatisticRange[];
}

/** The addon's trainer of a network, with its weights and those of its teacher. */
export function makeNativeTrainer(
  { plan, heads, weights }: DetectorNetwork,
  teacher: DetectorNetwork | undefined,
  { loss, optimizer, batchSize, microBatch }: Recipe,
  detector: DetectorSettings,
  { placed, groups, statistics }: TrainedParts,
): NativeTrainer {
  const native = new (addon().Trainer)({
    ...{ graph: plan.graph, ...heads, priors: detector.priors },
    ...{ microBatch, microSteps: batchSize / microBatch },
    loss: nativeLoss(loss, detector),
    optimizer: nativeOptimizer(optimizer),
    groups: placed.map(({ begin, end }, i) => ({ begin, end, weightDecay: groups[i]!.weightDecay })),
    statistics: [...statistics],
    teacher: teacher ? { graph: teacher.plan.graph, ...teacher.heads } : null,
  });
  native.set('weights', weights);
  if (teacher) native.set('teacher', teacher.weights);
  return native;
}
