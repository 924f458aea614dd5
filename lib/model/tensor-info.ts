import type { IntTensor } from './int-folding';

/** What is known of a tensor before the model runs. */
export interface TensorInfo {
  /** Dimensions for a batch of one; undefined where an operator's output can't be known (NonZero, custom operators). */
  readonly shape?: readonly number[] | undefined;
  /** Values of small integer tensors (shapes, axes, indexes), where they can be folded. */
  readonly ints?: IntTensor | undefined;
}

export type TensorInfos = ReadonlyMap<string, TensorInfo>;
