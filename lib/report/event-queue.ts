import type { CompressionEvent } from '../compress/events';
import type { SsdPruneError } from '../errors';

/** What is told of everything that a run says, and writes it somewhere. */
export interface RunLog {
  /** Returns at once; what is written of it is written in the order of events. */
  event(event: CompressionEvent): void;
  /**
   * Ends when all is written.
   * @throws {SsdPruneError} what went wrong in writing, now or earlier
   */
  close(): Promise<void>;
}

/** An event as it was told, and when. */
export interface TimedEvent {
  event: CompressionEvent;
  /** Seconds since 1970. */
  time: number;
}

export interface RunLogOptions {
  /** The run goes on from a checkpoint where there is one: what was logged of it stays. Defaults to `false`. */
  resume?: boolean;
  /** Replace a log that is there. Defaults to `false`. */
  force?: boolean;
  /** Told once, at once, where writing fails; the log ends there and the run needn't. {@link RunLog.close} throws it too. */
  onError?: (error: SsdPruneError) => void;
}

/** Takes events one after the other through asynchronous work; who tells of them is not held up. */
export class EventQueue {
  readonly #work: (events: readonly TimedEvent[]) => Promise<void>;
  readonly #onError: ((error: SsdPruneError) => void) | undefined;
  #waiting: TimedEvent[] = [];
  #running: Promise<void> | undefined;
  #failure: unknown;

  /** @param work is given events in order, several at a time where they came meanwhile; throws this package's errors */
  constructor(work: (events: readonly TimedEvent[]) => Promise<void>, onError?: (error: SsdPruneError) => void) {
    this.#work = work;
    this.#onError = onError;
  }

  push(event: CompressionEvent): void {
    if (this.#failure !== undefined) return;
    // As it is now: reports get their last figures later.
    const copy = event.event === 'step' ? event : structuredClone(event);
    this.#waiting.push({ event: copy, time: Date.now() / 1000 });
    this.#running ??= this.#run();
  }

  /** Waits for all there is. @throws what the work threw */
  async drain(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const events = this.#waiting;
        this.#waiting = [];
        await this.#work(events);
      }
    } catch (error) {
      this.#failure = error;
      this.#waiting = [];
      this.#onError?.(error as SsdPruneError);
    }
    this.#running = undefined;
  }
}
