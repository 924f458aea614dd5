import type { CutOptions, IterativeOptions } from '../config/config';
import type { CompressionContext, CutRequest, Strategy } from './strategy';

/** The work of the network before the first cut and behind the last one. */
interface Work {
  whole: number;
  left: number;
}

/**
 * A little every few epochs, up to the target: the network learns between cuts what the next one builds on. What a cut
 * takes more or less than it should, aligned widths being few, the next one makes up for.
 */
export class IterativeStrategy implements Strategy {
  readonly #options: Omit<IterativeOptions, keyof CutOptions | 'endEpoch'>;
  readonly #cut: Omit<CutRequest, 'targetRatio'>;
  #work: Work | undefined;

  constructor(
    readonly name: string,
    { targetRatio, startEpoch, steps, every, curve, endEpoch: _, ...cut }: IterativeOptions,
  ) {
    this.#options = { targetRatio, startEpoch, steps, every, curve };
    this.#cut = cut;
  }

  onCompressionBegin(context: CompressionContext): void {
    context.check({ ...this.#cut, targetRatio: this.#options.targetRatio });
  }

  async onEpochBegin(context: CompressionContext): Promise<void> {
    const { startEpoch, steps, every, targetRatio, curve } = this.#options;
    const step = (context.epoch - startEpoch) / every + 1;
    if (!Number.isInteger(step) || step < 1 || step > steps) return;
    const goal = 1 - cutAfter(step / steps, targetRatio, curve);
    const left = this.#work ? this.#work.left / this.#work.whole : 1;
    if (goal >= left) {
      context.note(`${this.name}: the cuts so far have taken what is to be gone now, nothing is cut`);
      return;
    }
    const report = await context.cut({ ...this.#cut, targetRatio: 1 - goal / left });
    const work = this.#cut.count === 'paddle1x' || context.config.paddle1x ? report.paddleFlops : report.macs;
    this.#work = { whole: this.#work?.whole ?? work.before, left: work.after };
  }

  save(): unknown {
    return this.#work ?? null;
  }

  restore(saved: unknown): void {
    this.#work = (saved as Work | null) ?? undefined;
  }
}

/** Share of the work that is to be gone after a share of the cuts. */
export function cutAfter(share: number, target: number, curve: IterativeOptions['curve']): number {
  if (curve === 'cosine') return (target * (1 - Math.cos(Math.PI * share))) / 2;
  return 1 - (1 - target) ** share;
}
