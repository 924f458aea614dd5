import type { UniformOptions } from '../config/config';
import type { CompressionContext, CutRequest, PlannedCut, Strategy } from './strategy';

/**
 * One cut at the begin of an epoch, by the same share of every selected layer unless an allocation says otherwise, until
 * the target's share of the work is gone; after it the network is only trained. Several of them cut step by step, each
 * relative to what the one before left.
 */
export class UniformStrategy implements Strategy {
  readonly #startEpoch: number;
  readonly #cut: CutRequest;

  constructor(
    readonly name: string,
    { startEpoch, endEpoch: _, ...cut }: UniformOptions,
  ) {
    this.#startEpoch = startEpoch;
    this.#cut = cut;
  }

  plannedCuts(): PlannedCut[] {
    return [{ epoch: this.#startEpoch, request: this.#cut }];
  }

  onCompressionBegin(context: CompressionContext): void {
    const { targetRatio: _, ...selection } = this.#cut;
    context.check(selection);
  }

  async onEpochBegin(context: CompressionContext): Promise<void> {
    if (context.epoch === this.#startEpoch) await context.cut(this.#cut);
  }
}
