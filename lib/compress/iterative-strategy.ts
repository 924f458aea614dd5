import type { CutOptions, IterativeOptions, RunConfig } from '../config/config';
import type { PruneReport } from '../prune/report';
import type { CompressionContext, CutRequest, PlannedCut, Strategy } from './strategy';

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

  *plannedCuts(config: RunConfig): Generator<PlannedCut, void, PruneReport> {
    const { startEpoch, steps, every } = this.#options;
    let work: Work | undefined;
    for (let step = 1; step <= steps; step++) {
      const request = this.#request(step, work);
      if (request) work = this.#left(work, yield { epoch: startEpoch + (step - 1) * every, request }, config);
    }
  }

  onCompressionBegin(context: CompressionContext): void {
    context.check(this.#cut);
  }

  async onEpochBegin(context: CompressionContext): Promise<void> {
    const { startEpoch, steps, every } = this.#options;
    const step = (context.epoch - startEpoch) / every + 1;
    if (!Number.isInteger(step) || step < 1 || step > steps) return;
    const request = this.#request(step, this.#work);
    if (request) this.#work = this.#left(this.#work, await context.cut(request), context.config);
    else context.note(`${this.name}: the cuts so far have taken what is to be gone now, nothing is cut`);
  }

  /** The cut of a step from 1; undefined where those before have taken as much. */
  #request(step: number, work: Work | undefined): CutRequest | undefined {
    const { steps, targetRatio, curve } = this.#options;
    const goal = 1 - cutAfter(step / steps, targetRatio, curve);
    const left = work ? work.left / work.whole : 1;
    return goal >= left ? undefined : { ...this.#cut, targetRatio: 1 - goal / left };
  }

  #left(before: Work | undefined, report: PruneReport, { paddle1x }: RunConfig): Work {
    const work = this.#cut.count === 'paddle1x' || paddle1x ? report.paddleFlops : report.macs;
    return { whole: before?.whole ?? work.before, left: work.after };
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
