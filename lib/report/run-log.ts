import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { BeginEvent } from '../compress/events';
import { SsdPruneError } from '../errors';
import { checkOutput, readError } from '../files';
import { EventQueue, type RunLog, type RunLogOptions, type TimedEvent } from './event-queue';
import { LogFile } from './log-file';
import { type OpenMean, StepMeans } from './step-means';

/** What of a line is looked at when a run goes on. */
interface Line {
  event: string;
  step?: number;
  epoch?: number;
  message?: string;
  place?: string;
  /** In a checkpoint's line: of the steps that no line holds yet. */
  open?: OpenMean;
}

/**
 * A run's events as JSON lines, each with the `time` it came. Steps are thinned to a bounded number a run, see
 * {@link StepMeans}; a note or warning of the same words stands there once; everything else is whole. A run that goes on from a checkpoint first loses what was logged behind it,
 * so that however often it was killed, its log holds what that of an unbroken run does.
 */
export class JsonLog implements RunLog {
  readonly #place: string;
  /** Opened when the run has begun: one that never does leaves no empty log. */
  #file: LogFile | undefined;
  readonly #queue: EventQueue;
  readonly #means = new StepMeans();
  /** What was said before the run has begun: nobody knows yet which log it belongs to. */
  #early: TimedEvent[] | undefined = [];
  /** Lines of a run that goes on from a checkpoint that no line tells of: they are cut off behind its first step. */
  #undecided: { lines: PlacedLine[]; held: TimedEvent[] } | undefined;
  /** Said before the run was stopped, and said again when it goes on. */
  readonly #said = new Set<string>();
  /** Notes behind an epoch's begin that were cut off: on work that was kept, and is told of only once. */
  readonly #kept = new Map<number, string[]>();
  readonly #resume: boolean;

  private constructor(place: string, options: RunLogOptions) {
    this.#place = place;
    this.#queue = new EventQueue((events) => this.#write(events), options.onError);
    this.#resume = options.resume ?? false;
  }

  /**
   * @throws {SsdPruneError} ERR_OUTPUT_EXISTS where the file is there and it is said neither to resume nor to replace it;
   * ERR_IO
   */
  static async open(file: string, options: RunLogOptions = {}): Promise<JsonLog> {
    const { resume = false, force = false } = options;
    // A run that was killed before its first checkpoint has a log to begin anew; no other file is its log.
    return new JsonLog(await checkOutput(file, { force: force || (resume && (await isLog(file))) }), options);
  }

  /**
   * A log of the run's own, in a folder of its own, which is there once the run begins.
   * @throws {SsdPruneError} ERR_OUTPUT_EXISTS where something else has its name
   */
  static async own(file: string, options: RunLogOptions = {}): Promise<JsonLog> {
    const there = await stat(file).catch(() => undefined);
    if (!there || (there.isFile() && (await isLog(file)))) return new JsonLog(file, options);
    throw new SsdPruneError('ERR_OUTPUT_EXISTS', `${file} is no run's log, whose place it has: move it elsewhere`);
  }

  event(event: TimedEvent['event']): void {
    this.#queue.push(event);
  }

  async close(): Promise<void> {
    try {
      await this.#queue.drain();
      if (this.#undecided) {
        // No step was told: the run was at its end.
        const { lines, held } = this.#undecided;
        await this.#keep(lines);
        await this.#file?.append(this.#lines(held));
      }
      await this.#file?.sync();
    } finally {
      await this.#file?.close();
    }
  }

  async #write(events: readonly TimedEvent[]): Promise<void> {
    let [text, saved] = ['', false];
    for (const timed of events) {
      if (timed.event.event === 'begin') {
        text += await this.#begin(timed, timed.event);
      } else if (this.#early) {
        this.#early.push(timed);
      } else if (this.#undecided && !('step' in timed.event)) {
        this.#undecided.held.push(timed);
      } else {
        text += (await this.#decide(timed)) + this.#line(timed);
        saved ||= timed.event.event === 'checkpoint';
      }
    }
    await this.#file?.append(text);
    if (saved) await this.#file?.sync();
  }

  /** A new run empties the log; one that goes on finds the line of its checkpoint. */
  async #begin(timed: TimedEvent, { resumed }: BeginEvent): Promise<string> {
    const early = this.#early ?? [];
    this.#early = undefined;
    this.#file = await LogFile.open(this.#place);
    if (resumed === null) {
      // Killed before its first checkpoint; with one, it is the log of a run whose checkpoints are gone.
      const lines = this.#resume ? placedLines(await readText(this.#place)) : [];
      if (!lines.some(({ line }) => line.event === 'checkpoint')) this.#keepNotes(lines);
      await this.#file?.truncate(0);
      return this.#lines([timed, ...early]);
    }
    const lines = placedLines(await readText(this.#place));
    const name = path.basename(resumed);
    const at = lines.findLastIndex(
      ({ line }) => line.event === 'checkpoint' && path.basename(line.place ?? '') === name,
    );
    const found = lines[at];
    if (!found) {
      this.#undecided = { lines, held: early };
      return '';
    }
    this.#keepNotes(lines.slice(at + 1));
    await this.#keep(lines.slice(0, at + 1));
    if (found.line.open) this.#means.open = found.line.open;
    return this.#lines(early);
  }

  /** Killed between a checkpoint and its line: the first step that is told says where the run goes on. */
  async #decide({ event }: TimedEvent): Promise<string> {
    if (!this.#undecided || !('step' in event)) return '';
    const { lines, held } = this.#undecided;
    this.#undecided = undefined;
    const done = event.event === 'step' ? event.step - 1 : event.step;
    const behind = lines.findIndex(({ line }) => (line.step ?? 0) > done);
    if (behind >= 0) this.#keepNotes(lines.slice(behind));
    await this.#keep(behind < 0 ? lines : lines.slice(0, behind));
    return this.#lines(held);
  }

  async #keep(lines: readonly PlacedLine[]): Promise<void> {
    await this.#file?.truncate(lines.at(-1)?.end ?? 0);
    for (const { line } of lines) this.#said.add(saying(line));
  }

  #keepNotes(lines: readonly PlacedLine[]): void {
    let epoch: number | undefined;
    for (const { line } of lines) {
      if (line.event === 'epoch') epoch = line.epoch;
      else if (line.event !== 'note') epoch = undefined;
      else if (epoch !== undefined)
        this.#kept.set(epoch, [...(this.#kept.get(epoch) ?? []), `${JSON.stringify(line)}\n`]);
    }
  }

  #keptNotes(epoch: number): string {
    const notes = this.#kept.get(epoch) ?? [];
    for (const note of notes) this.#said.add(saying(JSON.parse(note)));
    return notes.join('');
  }

  #lines(events: readonly TimedEvent[]): string {
    return events.map((timed) => this.#line(timed)).join('');
  }

  /** The line of an event; none where it is one of many steps, or was said before. */
  #line({ event, time }: TimedEvent): string {
    if (event.event === 'step') {
      const mean = this.#means.add(event);
      return mean ? text({ event: 'step', time, ...mean }) : '';
    }
    if (event.event === 'checkpoint') return text({ ...event, time, open: this.#means.open });
    if (event.event === 'epoch' || event.event === 'warning' || event.event === 'note') {
      const what = saying(event);
      if (this.#said.has(what)) return '';
      this.#said.add(what);
    }
    return text({ time, ...event }) + (event.event === 'epoch' ? this.#keptNotes(event.epoch) : '');
  }
}

/** Whether a file may be a run's log, or the begin of one. */
async function isLog(file: string): Promise<boolean> {
  const begin = '{"time":';
  const text = await readFile(file, 'latin1').catch(() => '');
  return begin.startsWith(text.slice(0, begin.length));
}

const text = (line: object): string => `${JSON.stringify(line)}\n`;
const saying = ({ event, epoch, message }: Line): string => `${event} ${epoch ?? ''} ${message ?? ''}`;

/** A line, and the byte behind it. */
interface PlacedLine {
  line: Line;
  end: number;
}

/** The whole lines of a log up to the first that is none: a killed process may have left half a line. */
function placedLines(log: Buffer): PlacedLine[] {
  const lines: PlacedLine[] = [];
  for (let begin = 0, end = log.indexOf(10); end >= 0; begin = end + 1, end = log.indexOf(10, begin)) {
    try {
      lines.push({ line: JSON.parse(log.toString('utf8', begin, end)), end: end + 1 });
    } catch {
      break;
    }
  }
  return lines;
}

const readText = (file: string): Promise<Buffer> =>
  readFile(file).catch((error: unknown) => {
    throw readError(`log ${file}`, error);
  });
