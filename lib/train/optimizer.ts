import { invalidArgument } from '../errors';
import { compilePattern } from '../prune/select';
import type { RateGroup } from './schedule';

/** How weights follow their gradients. */
export type OptimizerSettings = {
  /** Keep an exponential average of the weights that keeps this share at each step, such as 0.999. */
  average?: number;
  /** Greatest norm of all gradients together; they are scaled down to it. Defaults to no limit. */
  maxNorm?: number;
} & (
  | { rule: 'sgd'; momentum?: number; nesterov?: boolean }
  | { rule: 'rmsprop'; rho?: number; epsilon?: number; momentum?: number }
  | { rule: 'adamw'; beta1?: number; beta2?: number; epsilon?: number }
  /** Filters of one tap, as matrices, move by orthogonalised directions of length `rate` as AdamW's; all else by AdamW. */
  | { rule: 'muon'; momentum?: number; beta1?: number; beta2?: number; epsilon?: number }
);

/** Numbers of native/train/optimizer.h. */
export interface NativeOptimizerSettings {
  /** 0 SGD, 1 Nesterov, 2 RMSProp, 3 AdamW, 4 Muon. */
  rule: number;
  momentum: number;
  decay: number;
  epsilon: number;
  /** Of Muon's matrices. */
  matrixMomentum: number;
  average: boolean;
}

/** Paddle's recipe for MobileNetV1-SSD; epsilon stands inside the root. */
export const paddleOptimizer: OptimizerSettings = { rule: 'rmsprop', rho: 0.95, epsilon: 1e-6, momentum: 0 };

/**
 * Settings in the addon's terms.
 * @throws {SsdPruneError} ERR_USAGE naming the setting that makes no sense
 */
export function nativeOptimizer(settings: OptimizerSettings): NativeOptimizerSettings {
  const { average, maxNorm } = settings;
  if (average !== undefined) share('average', average);
  if (maxNorm !== undefined && !(typeof maxNorm === 'number' && maxNorm > 0))
    throw invalidArgument('maxNorm', 'a positive number', maxNorm);
  const rest = { matrixMomentum: 0, average: average !== undefined };
  if (settings.rule === 'sgd') {
    const { momentum = 0.9, nesterov = false } = settings;
    share('momentum', momentum);
    return { rule: nesterov ? 1 : 0, momentum, decay: 0, epsilon: 0, ...rest };
  }
  if (settings.rule === 'rmsprop') {
    const { rho = 0.95, epsilon = 1e-6, momentum = 0 } = settings;
    share('rho', rho);
    share('momentum', momentum);
    return { rule: 2, momentum, decay: rho, epsilon: positive('epsilon', epsilon), ...rest };
  }
  if (settings.rule === 'adamw' || settings.rule === 'muon') {
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = settings;
    share('beta1', beta1);
    share('beta2', beta2);
    const adamw = { rule: 3, momentum: beta1, decay: beta2, epsilon: positive('epsilon', epsilon), ...rest };
    if (settings.rule === 'adamw') return adamw;
    const { momentum = 0.95 } = settings;
    share('momentum', momentum);
    return { ...adamw, rule: 4, matrixMomentum: momentum };
  }
  throw invalidArgument('rule', 'one of sgd, rmsprop, adamw, muon', (settings as { rule: unknown }).rule);
}

/** A parameter as the training plan lists it. */
export interface TrainedParameter {
  readonly name: string;
  readonly role: 'weight' | 'bias' | 'scale' | 'shift' | 'statistic' | 'constant';
  /** Belongs to a detector's head: nothing but the outputs reads what it makes. */
  readonly head: boolean;
}

/** How much of the learning rate and how much decay each kind of parameter gets. */
export interface GroupSettings {
  /** L2 decay (AdamW: decoupled) of filters. Defaults to 5e-4. */
  weightDecay?: number;
  /** Decay of biases and of BatchNormalization's scale and shift. Defaults to 0. */
  otherDecay?: number;
  /** Multiplies the rate of filters outside the heads. Defaults to 1. */
  backboneRate?: number;
  /**
   * Multipliers by name: the first pattern that matches the whole name, in the syntax of `--pruned-params`, wins over
   * `backboneRate`; 0 freezes.
   */
  rates?: readonly { pattern: string; multiplier: number }[];
}

/** Paddle's: decay on everything that is trained, backbone and extra filters at a tenth of the rate. */
export const paddleGroups: GroupSettings = { weightDecay: 5e-5, otherDecay: 5e-5, backboneRate: 0.1 };

/** What a parameter is trained with. */
export interface ParameterGroup extends RateGroup {
  weightDecay: number;
}

/**
 * The group of each parameter; running statistics and constants are frozen.
 * @throws {SsdPruneError} ERR_USAGE for a number that makes no sense, ERR_BAD_PATTERN
 */
export function groupParameters(
  parameters: readonly TrainedParameter[],
  { weightDecay = 5e-4, otherDecay = 0, backboneRate = 1, rates = [] }: GroupSettings = {},
): ParameterGroup[] {
  for (const [name, value] of Object.entries({ weightDecay, otherDecay, backboneRate })) notNegative(name, value);
  const named = rates.map(({ pattern, multiplier }) => {
    notNegative(`the rate of ${pattern}`, multiplier);
    return { full: new Set(compilePattern(pattern).full(parameters.map(({ name }) => name))), multiplier };
  });
  return parameters.map(({ name, role, head }) => {
    if (role === 'statistic' || role === 'constant') return { multiplier: 0, head, weightDecay: 0 };
    const own = named.find(({ full }) => full.has(name));
    const multiplier = own?.multiplier ?? (role === 'weight' && !head ? backboneRate : 1);
    return { multiplier, head, weightDecay: role === 'weight' ? weightDecay : otherDecay };
  });
}

function share(name: string, value: number): void {
  if (!(Number.isFinite(value) && value >= 0 && value < 1))
    throw invalidArgument(name, 'a number from 0 to below 1', value);
}

function positive(name: string, value: number): number {
  if (!(Number.isFinite(value) && value > 0)) throw invalidArgument(name, 'a positive number', value);
  return value;
}

function notNegative(name: string, value: number): void {
  if (!(Number.isFinite(value) && value >= 0)) throw invalidArgument(name, 'a number from 0 up', value);
}
