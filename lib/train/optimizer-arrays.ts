import { tensorDims } from '../model/tensor';
import type { NativeTrainer } from '../native/trainer';
import type { DetectorNetwork } from './network';
import type { OptimizerState, ParameterState } from './optimizer-state';

/** Where a parameter lies in the flat arrays. */
export interface PlacedParameter {
  readonly name: string;
  readonly dims: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Parameters of a network in arrays where each begins at its offset. */
export function placeParameters({ model, plan }: DetectorNetwork, offsets: readonly number[]): PlacedParameter[] {
  return plan.parameters.map(({ name, size }, i) => {
    const begin = offsets[i]!;
    return { name, dims: tensorDims(model.constant(name)!), begin, end: begin + size };
  });
}

/** What a native optimiser remembers, by parameter. The arrays are copies. */
export function readOptimizer(
  native: NativeTrainer,
  rule: string,
  placed: readonly PlacedParameter[],
  length: number,
  averages: boolean,
): OptimizerState {
  const copy = (array: 'average' | number): Float32Array => {
    const values = new Float32Array(length);
    native.get(array, values);
    return values;
  };
  const planes = Array.from({ length: native.planes }, (_, i) => copy(i));
  const average = averages ? copy('average') : undefined;
  const steps = native.steps();
  const parameters = placed.map(({ name, dims, begin, end }, i): ParameterState => {
    const own = planes.map((plane) => plane.subarray(begin, end));
    return { name, dims, steps: steps[i]!, planes: own, ...(average && { average: average.subarray(begin, end) }) };
  });
  return { rule, parameters };
}

/**
 * A state in the order of a network's parameters. What it knows nothing of begins anew, and what the network doesn't have
 * is forgotten.
 */
export function placeState({ rule, parameters }: OptimizerState, placed: readonly PlacedParameter[]): OptimizerState {
  const known = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  return {
    rule,
    parameters: placed.map(({ name, dims }) => known.get(name) ?? { name, dims, steps: 0, planes: [] }),
  };
}

/** Puts a state of the same parameters back. */
export function writeOptimizer(
  native: NativeTrainer,
  state: OptimizerState,
  placed: readonly PlacedParameter[],
  length: number,
): void {
  const put = (array: 'average' | number, of: (parameter: ParameterState) => Float32Array | undefined): void => {
    const values = new Float32Array(length);
    for (const [i, parameter] of state.parameters.entries()) {
      const own = of(parameter);
      if (own) values.set(own, placed[i]!.begin);
    }
    native.set(array, values);
  };
  for (let i = 0; i < native.planes; i++) put(i, ({ planes }) => planes[i]);
  if (state.parameters.some(({ average }) => average)) put('average', ({ average }) => average);
  native.setSteps(state.parameters.map(({ steps }) => steps));
}
