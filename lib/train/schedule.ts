import { invalidArgument } from '../errors';

/** How the learning rate goes over the steps of a run. Steps count from 0; everything is a pure function of the step. */
export interface Schedule {
  /** Learning rate that everything else multiplies. */
  rate: number;
  /**
   * What it does after the warm-up. Defaults to staying.
   * `piecewise`: from step `boundaries[i]` on it is `rate · factors[i]` (steps of the whole run, warm-up included).
   * `cosine`: half a cosine from `rate` after the warm-up to `rate · final` (default 0) at step `steps`, and stays.
   */
  decay?:
    | { kind: 'piecewise'; boundaries: readonly number[]; factors: readonly number[] }
    | { kind: 'cosine'; steps: number; final?: number };
  /** Rises linearly in so many steps, the first of which has `rate / warmUp`. Defaults to 0. */
  warmUp?: number;
  /**
   * So many steps train the heads alone; what is frozen until then has its warm-up afterwards. Defaults to 0.
   */
  headsFirst?: number;
}

/** Parameters that share a learning rate. */
export interface RateGroup {
  /** Multiplies the schedule's rate; 0 freezes the group. */
  multiplier: number;
  /** Trains from the first step even where heads go first. */
  head: boolean;
}

/** Paddle's recipe for MobileNetV1-SSD: after 40, 60, 80 and 100 epochs ×0.5, 0.25, 0.1, 0.01. */
export function paddleDecay(stepsPerEpoch: number): NonNullable<Schedule['decay']> {
  const boundaries = [40, 60, 80, 100].map((epoch) => epoch * stepsPerEpoch);
  return { kind: 'piecewise', boundaries, factors: [0.5, 0.25, 0.1, 0.01] };
}

/** @throws {SsdPruneError} ERR_USAGE naming the setting that makes no sense */
export function checkSchedule({ rate, decay, warmUp = 0, headsFirst = 0 }: Schedule): void {
  if (!(Number.isFinite(rate) && rate > 0)) throw invalidArgument('rate', 'a positive number', rate);
  for (const [name, steps] of Object.entries({ warmUp, headsFirst })) {
    if (!Number.isSafeInteger(steps) || steps < 0) throw invalidArgument(name, 'a number of steps', steps);
  }
  if (decay !== undefined && decay.kind !== 'cosine' && decay.kind !== 'piecewise') {
    throw invalidArgument('decay.kind', 'cosine or piecewise', (decay as { kind?: unknown }).kind);
  }
  if (decay?.kind === 'cosine') {
    const { steps, final = 0 } = decay;
    if (!Number.isSafeInteger(steps) || steps <= warmUp) {
      throw invalidArgument('decay.steps', `a number of steps above those of the warm-up (${warmUp})`, steps);
    }
    if (!(final >= 0 && final <= 1)) throw invalidArgument('decay.final', 'a share from 0 to 1', final);
  }
  if (decay?.kind === 'piecewise') {
    const { boundaries, factors } = decay;
    for (const [name, list] of Object.entries({ boundaries, factors })) {
      if (!Array.isArray(list)) throw invalidArgument(`decay.${name}`, 'a list of numbers', list);
    }
    const ascending = boundaries.every(
      (step, i) => Number.isSafeInteger(step) && step > 0 && (i === 0 || step > boundaries[i - 1]!),
    );
    if (!ascending) throw invalidArgument('decay.boundaries', 'ascending steps', boundaries.join(', '));
    if (factors.length !== boundaries.length || factors.some((factor) => !(factor > 0 && Number.isFinite(factor)))) {
      throw invalidArgument('decay.factors', `${boundaries.length} positive numbers`, factors.join(', '));
    }
  }
}

/** The learning rate of a step, before groups multiply it. */
export function learningRate(schedule: Schedule, step: number): number {
  const { rate, decay, warmUp = 0 } = schedule;
  return rate * rise(step, warmUp) * fall(decay, step, warmUp);
}

/** What each group's parameters learn with at a step, as float32 for the optimiser. */
export function groupRates(schedule: Schedule, step: number, groups: readonly RateGroup[]): Float32Array {
  const { rate, decay, warmUp = 0, headsFirst = 0 } = schedule;
  const fallen = rate * fall(decay, step, warmUp);
  return Float32Array.from(groups, ({ multiplier, head }) => {
    const since = head ? step : step - headsFirst;
    return since < 0 ? 0 : fallen * rise(since, warmUp) * multiplier;
  });
}

/**
 * How much of the averaged weights stays at a step: `decay`, but little at the begin, so that the average soon forgets
 * the weights it started from.
 */
export function averageDecay(decay: number, step: number): number {
  return Math.min(decay, (1 + step) / (10 + step));
}

const rise = (step: number, warmUp: number): number => (step < warmUp ? (step + 1) / warmUp : 1);

function fall(decay: Schedule['decay'], step: number, warmUp: number): number {
  if (!decay) return 1;
  if (decay.kind === 'piecewise') {
    const passed = decay.boundaries.filter((boundary) => step >= boundary).length;
    return passed === 0 ? 1 : decay.factors[passed - 1]!;
  }
  const { steps, final = 0 } = decay;
  const way = Math.min(1, Math.max(0, step - warmUp) / (steps - warmUp));
  return final + ((1 - final) * (1 + Math.cos(Math.PI * way))) / 2;
}
