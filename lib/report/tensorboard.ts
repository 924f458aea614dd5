import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { SsdPruneError } from '../errors';
import { makeFolder } from '../files';
import { EventQueue, type RunLog, type RunLogOptions, type TimedEvent } from './event-queue';
import { LogFile } from './log-file';
import { lossParts, StepMeans } from './step-means';
import { EventSchema, SessionLog_SessionStatus } from './tensorboard_pb';
import { frameRecord } from './tf-record';

type What = MessageInitShape<typeof EventSchema>['what'];

/** Each scalar by its tag. */
type Scalars = Readonly<Record<string, number>>;

/**
 * A run's curves as TensorBoard's event files: parts of the loss, learning rate, gradients and speed (thinned as in
 * {@link StepMeans}), mAP on the evaluation split and on the pictures held back, MACs and parameters that cuts left. A
 * run that goes on writes another file, which begins with the word that later steps of those before don't count.
 */
export class TensorBoardLog implements RunLog {
  readonly #folder: string;
  readonly #queue: EventQueue;
  readonly #means = new StepMeans();
  #file: LogFile | undefined;
  /** Of the last event that had one. */
  #step = 0;
  /** Events of a run that goes on, until one tells of a step. */
  #held: TimedEvent[] | undefined;

  private constructor(folder: string, options: RunLogOptions) {
    this.#folder = folder;
    this.#queue = new EventQueue((events) => this.#write(events), options.onError);
  }

  /**
   * @param folder made where it isn't there
   * @throws {SsdPruneError} ERR_OUTPUT_EXISTS where event files are there and it is said neither to resume nor to replace
   * what they show; ERR_IO
   */
  static async open(folder: string, options: RunLogOptions = {}): Promise<TensorBoardLog> {
    const { resume = false, force = false } = options;
    await makeFolder(folder);
    const there = (await readdir(folder)).find((name) => name.includes('tfevents'));
    if (there !== undefined && !resume && !force) {
      throw new SsdPruneError(
        'ERR_OUTPUT_EXISTS',
        `${folder} holds TensorBoard's curves of a run (${there}): name another folder, or say --force`,
      );
    }
    return new TensorBoardLog(folder, options);
  }

  event(event: TimedEvent['event']): void {
    this.#queue.push(event);
  }

  async close(): Promise<void> {
    try {
      await this.#queue.drain();
      await this.#file?.sync();
    } finally {
      await this.#file?.close();
    }
  }

  async #write(events: readonly TimedEvent[]): Promise<void> {
    const records: Buffer[] = [];
    for (const timed of events) {
      const { event, time } = timed;
      if (event.event === 'begin') {
        await this.#begin(time);
        if (event.resumed === null) records.push(restart(time, 0));
        else this.#held = [];
      } else if (this.#held && !('step' in event)) {
        this.#held.push(timed);
      } else {
        if (this.#held && 'step' in event) {
          this.#step = event.event === 'step' ? event.step - 1 : event.step;
          records.push(restart(time, this.#step + 1), ...this.#held.flatMap((held) => this.#records(held)));
          this.#held = undefined;
        }
        records.push(...this.#records(timed));
      }
    }
    await this.#file?.append(Buffer.concat(records));
    if (events.some(({ event }) => event.event === 'checkpoint')) await this.#file?.sync();
  }

  /** A file of its own for each call of a run: TensorBoard reads them by name, which begins with the time. */
  async #begin(time: number): Promise<void> {
    for (let i = 0; this.#file === undefined; i++) {
      const name = `events.out.tfevents.${Math.floor(time)}.ssd-prune.${String(i).padStart(4, '0')}`;
      this.#file = await LogFile.open(path.join(this.#folder, name), { fresh: true });
    }
    await this.#file.append(record(time, 0, { case: 'fileVersion', value: 'brain.Event:2' }));
  }

  #records({ event, time }: TimedEvent): Buffer[] {
    if ('step' in event) this.#step = event.step;
    if (event.event === 'step') {
      const mean = this.#means.add(event);
      if (!mean) return [];
      const { loss, rate, gradientNorm, imagesPerSecond } = mean;
      const losses = Object.fromEntries(lossParts.map((part) => [`loss/${part}`, loss[part]]));
      return [scalars(time, this.#step, { ...losses, rate, gradientNorm, imagesPerSecond })];
    }
    if (event.event === 'evaluation') return [scalars(time, this.#step, { 'mAP/held back': event.map })];
    if (event.event === 'metric') {
      const { map, meanOver20 } = event;
      const over20 = meanOver20 === null ? {} : { 'mAP/evaluation, classes with 20 objects': meanOver20 };
      return [scalars(time, this.#step, { 'mAP/evaluation': map, ...over20 })];
    }
    if (event.event !== 'cut') return [];
    const { macs, parameters } = event.report;
    return [scalars(time, this.#step, { 'model/MACs': macs.after, 'model/parameters': parameters.after })];
  }
}

function scalars(time: number, step: number, values: Scalars): Buffer {
  const value = Object.entries(values).map(([tag, simpleValue]) => ({ tag, simpleValue }));
  return record(time, step, { case: 'summary', value: { value } });
}

/** What was written of this step and later ones doesn't count any more. */
const restart = (time: number, step: number): Buffer =>
  record(time, step, { case: 'sessionLog', value: { status: SessionLog_SessionStatus.START } });

const record = (wallTime: number, step: number, what: What): Buffer =>
  frameRecord(toBinary(EventSchema, create(EventSchema, { wallTime, step: BigInt(step), what: what! })));
