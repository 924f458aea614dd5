import path from 'node:path';
import type { LatencyOptions } from '../config/config';
import { latencyFolder } from './checkpoint-names';
import type { CompressionContext, CutRequest, PlannedCut, Strategy } from './strategy';

/**
 * One cut to a latency that is measured on this machine, by a table of layers and widths (see lib/latency), which is kept
 * with the checkpoints. Clocks chose its widths: the checkpoint right behind it keeps them, and a resumed run measures
 * nothing again; one that was killed before that checkpoint measures no table again.
 */
export class LatencyStrategy implements Strategy {
  readonly #startEpoch: number;
  readonly #cut: CutRequest;

  constructor(
    readonly name: string,
    { startEpoch, endEpoch: _, target, threads, ...cut }: LatencyOptions,
  ) {
    this.#startEpoch = startEpoch;
    this.#cut = { ...cut, latency: { target, threads } };
  }

  plannedCuts(): PlannedCut[] {
    return [{ epoch: this.#startEpoch, request: this.#cut }];
  }

  onCompressionBegin(context: CompressionContext): void {
    context.check(this.#cut);
  }

  async onEpochBegin(context: CompressionContext): Promise<void> {
    if (context.epoch !== this.#startEpoch) return;
    const tables = path.join(context.config.compressor.checkpoints.folder, latencyFolder);
    const onNote = (message: string): void => context.note(message);
    await context.cut({ ...this.#cut, latency: { ...this.#cut.latency!, tables, onNote } });
  }
}
