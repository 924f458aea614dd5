import type { BeginEvent, CompressionEvent, CutEvent } from '../../compress/events';
import type { Metric } from '../../compress/metric';
import type { RunConfig } from '../../config/config';
import type { Evaluation } from '../../train/trainer-events';
import { type StepMean, StepMeans } from '../step-means';
import { type Contents, nothing, type Total } from './contents';
import { baseName, duration, percent, whole } from './format';
import { body, frame } from './frame';
import type { Html } from './html';
import { mergedLayers } from './layer-table';
import { modelSections } from './page';
import { runCurves } from './run-curves';
import { configFacts } from './run-settings';

/** A page of a run that is going on: what its events have told so far, and the losses that are measured. */
export class LivePage {
  readonly #points: StepMean[] = [];
  readonly #means = new StepMeans();
  readonly #metrics: Metric[] = [];
  readonly #evaluations: Evaluation[] = [];
  readonly #cuts: (CutEvent & { at: number })[] = [];
  readonly #warnings: string[] = [];
  #epochs: number | undefined;
  /** Epochs that are through. */
  #epoch = 0;
  #progress = 'not begun yet';

  /** @param config what the run was told to do, for the settings */
  constructor(private readonly config?: RunConfig) {}

  add(event: CompressionEvent): void {
    if ('epoch' in event && event.event !== 'cut') this.#epoch = event.epoch;
    if (event.event === 'begin') this.#begin(event);
    if (event.event === 'warning') this.#warnings.push(event.message);
    if (event.event === 'evaluation') this.#evaluations.push(event);
    if (event.event === 'metric') this.#metrics.push(event);
    if (event.event === 'cut') this.#cuts.push({ ...event, at: this.#epoch });
    if (event.event === 'step') {
      const { step, steps, secondsLeft } = event;
      this.#progress = `step ${whole(step)} of ${whole(steps)}, ${duration(secondsLeft)} of training left`;
      const point = this.#means.add(event);
      if (point) this.#points.push(point);
    }
  }

  #begin({ epochs, soFar }: BeginEvent): void {
    this.#epochs = epochs;
    if (!soFar) return;
    this.#epoch = soFar.epoch;
    this.#progress = `going on behind step ${whole(soFar.step)}`;
    this.#warnings.unshift(...soFar.warnings.filter((message) => !this.#warnings.includes(message)));
    this.#metrics.push(...soFar.metrics);
    this.#evaluations.push(...soFar.heldBack);
    this.#cuts.push(...soFar.cuts.map((cut) => ({ ...cut, event: 'cut' as const, at: cut.epoch })));
  }

  /** That no more will come, and why, where that was no success. */
  end(failure?: string): void {
    this.#progress = failure === undefined ? 'ended' : `ended: ${failure}`;
  }

  /** The whole page, with the script that keeps it going. */
  page(script: string): string {
    return frame({ ...this.#frame(), script });
  }

  /** What of it changes. */
  body(): Html {
    return body(this.#frame());
  }

  #frame() {
    const contents = this.#contents();
    const sensitivity = this.config && runCurves(this.config)?.curves;
    const sections = modelSections(contents, {
      history: { points: this.#points },
      ...(sensitivity && { sensitivity }),
    });
    return { ...contents, sections, footer: 'Made by ssd-prune while the run goes on.' };
  }

  #contents(): Contents {
    const epochs = this.#epochs === undefined ? '' : `epoch ${Number(this.#epoch.toFixed(2))} of ${this.#epochs}, `;
    const { config } = this;
    const [first, last] = [this.#cuts[0], this.#cuts.at(-1)];
    const [slow, fast] = [first?.report.latency?.before, last?.report.latency?.after];
    return {
      ...nothing,
      title: config ? `${baseName(config.model.file)} → ${baseName(config.output.model)}` : 'Compression run',
      subtitle: `${epochs}${this.#progress}`,
      facts: config ? configFacts(config) : [],
      recipe: config ? config.training : null,
      evaluation: config?.data.evaluation ?? null,
      warnings: this.#warnings,
      skipped: this.#cuts.flatMap(({ report }) => report.skipped),
      latency:
        slow && fast
          ? [{ name: 'Latency, median', before: slow.medianMilliseconds, after: fast.medianMilliseconds }]
          : [],
      totals: this.#totals(),
      layers: first ? mergedLayers({ cuts: this.#cuts, macs: first.report.macs, shapes: [] }) : [],
      evaluated: this.#metrics,
      heldBack: this.#evaluations,
      cuts: this.#cuts.map(({ at, report }) => ({ epoch: at, label: `cut −${percent(report.macs.cut, 0)}` })),
      before: config?.model.file ?? null,
      after: config?.output.model ?? null,
    };
  }

  #totals(): Total[] {
    const [first, last] = [this.#cuts[0]?.report, this.#cuts.at(-1)?.report];
    const [start, now] = [this.#metrics.find(({ stage }) => stage === 'start'), this.#metrics.at(-1)];
    return [
      ...(first && last
        ? [
            { name: 'MACs', before: first.macs.before, after: last.macs.after },
            { name: 'Parameters', before: first.parameters.before, after: last.parameters.after },
          ]
        : []),
      ...(start && now ? [{ name: 'mAP', before: start.map, after: now.map }] : []),
    ];
  }
}
