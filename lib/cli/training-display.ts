import type { EvaluationEvent, LossReport, StepEvent, TrainEvent } from '../train/trainer-events';
import type { Progress, Ui } from './ui';

/** What training says while it goes. */
export class TrainingDisplay {
  #bar: Progress | undefined;
  #losses = { sum: 0, count: 0 };

  constructor(private readonly ui: Ui) {}

  checked(done: number, total: number): void {
    // Of a set of pictures: there may be several.
    if (done === 1) this.stop();
    this.#bar ??= this.ui.progress('checking pictures', total);
    this.#bar.update(done);
  }

  ready(step: number, steps: number, problems: readonly string[]): void {
    this.stop();
    for (const problem of problems.slice(0, 5)) this.ui.warn(`${problem}; left out`);
    if (problems.length > 5) this.ui.warn(`and ${problems.length - 5} more are left out`);
    this.#bar = this.ui.progress('steps', steps);
    this.#bar.update(step);
  }

  event(event: TrainEvent): void {
    if (event.event === 'evaluation') this.#evaluated(event);
    else if (event.event === 'step') this.#stepped(event);
    else this.ui.event(event, () => `running statistics measured anew on ${event.batches} batches`);
  }

  #stepped(event: StepEvent): void {
    const { step, epoch, loss, rate, gradientNorm, imagesPerSecond, secondsLeft } = event;
    this.#losses.sum += loss.total;
    this.#losses.count++;
    const detail = ` · ${lossText(loss)} · rate ${rate.toPrecision(2)} · ${imagesPerSecond.toFixed(1)} images/s`;
    this.#bar ??= this.ui.progress('steps', event.steps);
    this.#bar.update(step, { epoch, loss, rate, gradientNorm, imagesPerSecond, secondsLeft }, detail);
  }

  #evaluated(event: EvaluationEvent): void {
    const { sum, count } = this.#losses;
    this.#losses = { sum: 0, count: 0 };
    const loss = count > 0 ? `, loss ${(sum / count).toFixed(3)}` : '';
    const when = event.step === 0 ? 'start' : `epoch ${Number(event.epoch.toFixed(2))}`;
    this.ui.event(
      event,
      () => `${when}${loss}: mAP ${event.map.toFixed(4)} held back${event.best ? ', best so far' : ''}`,
    );
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}

/** The loss with those of its parts that add to it. */
function lossText({ total, classes, boxes, teacherClasses, teacherBoxes, teacherFeatures }: LossReport): string {
  const teacher = teacherClasses + teacherBoxes + teacherFeatures;
  const parts = Object.entries({ classes, boxes, teacher }).filter(([, part]) => part > 0);
  return `loss ${total.toFixed(3)} (${parts.map(([name, part]) => `${name} ${part.toFixed(3)}`).join(', ')})`;
}
