import { availableParallelism } from 'node:os';
import { throwIfAborted } from '../abort';
import { SsdPruneError } from '../errors';
import { DetectorSession, type Feeds } from '../evaluate/session';
import type { OnnxModel } from '../model/onnx-model';
import { uniform } from '../model/random';
import { encodeModel } from '../model/write';
import { sliceTensors } from '../prune/kernels';
import { plainWindow, type Rows, sampleRows, type Window } from './kernels';
import type { CalibrationSource } from './pictures';
import type { Reader } from './readers';
import { cutSegment, liveTensors, type Segment } from './segment';

/** Samples of one layer: what it reads in the student, what it made in the teacher at the same places. */
export interface ReaderSamples {
  readonly reader: Reader;
  readonly x: Rows;
  readonly y: Rows;
}

export interface ActivationOptions {
  batchSize: number;
  /** Places of a layer's output a picture that become samples. */
  positions: number;
  seed: number;
  /** Bytes that activations carried from one stage to the next may take. */
  carriedBytes?: number;
  /** Bytes that the samples of one stage may take; more pictures then give fewer places each. */
  sampleBytes?: number;
  onProgress?: ((done: number, total: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Where a model stands: nodes before `position` have run, and what later ones need of them is kept a batch. */
class Frontier {
  position = 0;
  batches: Feeds[] | undefined;

  constructor(readonly who: string) {}

  reset(): void {
    this.position = 0;
    this.batches = undefined;
  }
}

/** How far the frontiers may move while a stage is sampled, see {@link Activations.sample}. */
export interface Moves {
  /** A tensor's values a picture, where it may be carried: an activation with a batch axis. */
  valuesOf(name: string): number | undefined;
  /** Tensors that later stages ask of each model. */
  later: { teacher: readonly string[]; student: readonly string[] };
  /** Positions that must not be passed. */
  limits: { teacher: number; student: number };
}

/**
 * Activations of two models over the same pictures: the *teacher*, the original, and the *student*, as cut and
 * repaired up to now. Neither is run as a whole again and again: both stand at a frontier, from which only the nodes
 * up to the stage's layers are run, as models of their own. What stands at the frontier is kept in memory where it fits
 * (`carriedBytes`); where it doesn't, which is in the first layers, they run from the pictures again. So memory doesn't
 * grow with the number of pictures.
 */
export class Activations {
  private readonly teacher = new Frontier('the original');
  private readonly student = new Frontier('the model as cut so far');
  private readonly carriedBytes: number;
  private readonly sampleBytes: number;

  constructor(
    private readonly source: CalibrationSource,
    private readonly options: ActivationOptions,
  ) {
    this.carriedBytes = options.carriedBytes ?? 288 * 2 ** 20;
    this.sampleBytes = options.sampleBytes ?? 160 * 2 ** 20;
  }

  /** Both models start at the pictures again. */
  restart(): void {
    this.teacher.reset();
    this.student.reset();
  }

  /**
   * Samples of some layers. On the way the frontiers move as far as `moves` allows. Where teacher and student are the
   * same model it is run once.
   */
  async sample(
    readers: readonly Reader[],
    models: { teacher: OnnxModel; student: OnnxModel },
    moves: Moves,
  ): Promise<ReaderSamples[]> {
    const { teacher, student } = this;
    const { later, limits } = moves;
    const [inputs, outputs] = [readers.map(({ input }) => input), readers.map(({ output }) => output)];
    const alone = models.student === models.teacher;
    const runs = await Promise.all(
      alone
        ? [
            this.open(
              teacher,
              models.teacher,
              [...inputs, ...outputs],
              [...later.teacher, ...later.student],
              limits.teacher,
              moves,
            ),
          ]
        : [
            this.open(teacher, models.teacher, outputs, later.teacher, limits.teacher, moves),
            this.open(student, models.student, inputs, later.student, limits.student, moves),
          ],
    );
    try {
      const samples = new SampleBuilder(readers, this.source.count, this.options, this.sampleBytes);
      const { batchSize, signal, onProgress } = this.options;
      let sampling: Promise<void> = Promise.resolve();
      for (let first = 0, batch = 0; first < this.source.count; first += batchSize, batch++) {
        throwIfAborted(signal);
        const last = Math.min(first + batchSize, this.source.count);
        const fresh = runs.some((run) => run.atStart) ? await this.source.feeds(first, last) : undefined;
        const [y, x = y] = await Promise.all(runs.map((run) => run.batch(batch, fresh)));
        await sampling;
        sampling = samples.add(first, last, x!, y!);
        sampling.catch(() => {});
        onProgress?.(last, this.source.count);
      }
      await sampling;
      for (const run of runs) run.finish();
      return samples.finish();
    } finally {
      await Promise.all(runs.map((run) => run.close()));
    }
  }

  /** Slices what the student's frontier holds as the student was cut: `keptOf` gives the channels that stay, by tensor. */
  cut(keptOf: (name: string) => Int32Array | undefined): void {
    for (const feeds of this.student.batches ?? []) {
      const names = Object.keys(feeds).filter((name) => keptOf(name));
      const slices = sliceTensors(
        names.map((name) => {
          const { dims, data } = feeds[name]!;
          const keep = dims.map((_, axis) => (axis === 1 ? keptOf(name)! : null));
          return { bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength), elementSize: 4, dims, keep };
        }),
      );
      names.forEach((name, i) => {
        const { buffer, byteOffset, byteLength } = slices[i]!;
        const dims = feeds[name]!.dims.map((dim, axis) => (axis === 1 ? keptOf(name)!.length : dim));
        feeds[name] = { dims, data: new Float32Array(buffer, byteOffset, byteLength / 4) };
      });
    }
  }

  private open(
    frontier: Frontier,
    model: OnnxModel,
    taps: readonly string[],
    later: readonly string[],
    limit: number,
    moves: Moves,
  ): Promise<Run> {
    return Run.open(frontier, model, taps, this.next(frontier, model, later, limit, moves));
  }

  /** The last position up to the limit at which what must be carried fits, and what that is; undefined to stay. */
  private next(
    { position }: Frontier,
    model: OnnxModel,
    later: readonly string[],
    limit: number,
    { valuesOf }: Moves,
  ): Carried | undefined {
    if (later.length === 0) return undefined;
    for (let at = limit; at > position; at--) {
      const names = liveTensors(model, at, later);
      const values = names.map(valuesOf);
      if (values.some((size) => size === undefined)) continue;
      const bytes = 4 * this.source.count * values.reduce<number>((sum, size) => sum + size!, 0);
      if (bytes <= this.carriedBytes / 2) return { position: at, names };
    }
    return undefined;
  }
}

interface Carried {
  position: number;
  names: string[];
}

/** One model on its way from its frontier through a stage. */
class Run {
  private readonly kept: Feeds[] = [];

  private constructor(
    private readonly frontier: Frontier,
    private readonly segment: Segment,
    /** undefined where everything wanted is there already. */
    private readonly session: DetectorSession | undefined,
    private readonly next: Carried | undefined,
    /** Tensors wanted that stand at the frontier already. */
    private readonly passing: readonly string[],
  ) {}

  static async open(
    frontier: Frontier,
    model: OnnxModel,
    taps: readonly string[],
    next: Carried | undefined,
  ): Promise<Run> {
    const wanted = [...new Set([...taps, ...(next?.names ?? [])])];
    const there = new Set(
      frontier.batches ? Object.keys(frontier.batches[0]!) : model.graph.input.map(({ name }) => name),
    );
    const passing = wanted.filter((name) => there.has(name));
    const segment = cutSegment(
      model,
      frontier.position,
      wanted.filter((name) => !there.has(name)),
    );
    // Two sessions at a time, each with half of the cores: better than each with all of them, one after the other.
    const threads = Math.max(1, Math.floor(availableParallelism() / 2));
    if (segment.outputs.length === 0) return new Run(frontier, segment, undefined, next, passing);
    const session = await DetectorSession.create(encodeModel(segment.model), {
      name: frontier.who,
      spinning: false,
      threads,
    });
    return new Run(frontier, segment, session, next, passing);
  }

  /** Whether it runs from the model's own inputs. */
  get atStart(): boolean {
    return this.frontier.batches === undefined;
  }

  /** Outputs of one batch; `fresh` are the model's own inputs, for runs that stand at the start. */
  async batch(index: number, fresh: Feeds | undefined): Promise<Feeds> {
    const carried = this.frontier.batches?.[index];
    const from = carried ?? fresh!;
    const feeds = Object.fromEntries(this.segment.inputs.map((name) => [name, from[name]!]));
    // What the frontier leaves behind can be handed over.
    const { session, passing } = this;
    const handOver = carried !== undefined && this.next !== undefined && passing.length === 0;
    const made = handOver ? (await session?.runHandingOver(feeds))?.outputs : await session?.run(feeds);
    if (handOver) this.frontier.batches![index] = {};
    const outputs = {
      ...(made as Feeds | undefined),
      ...Object.fromEntries(passing.map((name) => [name, from[name]!])),
    };
    if (this.next) this.kept.push(Object.fromEntries(this.next.names.map((name) => [name, outputs[name]!])));
    return outputs;
  }

  /** Moves the frontier. */
  finish(): void {
    if (!this.next) return;
    this.frontier.position = this.next.position;
    this.frontier.batches = this.kept;
  }

  async close(): Promise<void> {
    await this.session?.close();
  }
}

/** Collects rows of samples, batch by batch. */
class SampleBuilder {
  private readonly places: number[] = [];
  private readonly x: Rows[] = [];
  private readonly y: Rows[] = [];

  constructor(
    private readonly readers: readonly Reader[],
    private readonly pictures: number,
    private readonly options: ActivationOptions,
    private readonly bytes: number,
  ) {}

  async add(first: number, last: number, inputs: Feeds, outputs: Feeds): Promise<void> {
    for (const [r, reader] of this.readers.entries()) {
      const [x, y] = [inputs[reader.input]!, outputs[reader.output]!];
      const count = last - first;
      if (x.dims[0] !== count || y.dims[0] !== count) {
        throw new SsdPruneError(
          'ERR_UNSUPPORTED_OP',
          `${reader.name}: the first axis of what it reads is no batch axis`,
        );
      }
      const { window } = reader;
      const width = window ? (y.dims[3] ?? 1) : 1;
      const total = window
        ? y.dims.slice(2).reduce((a, b) => a * b, 1)
        : y.dims.slice(1, -1).reduce((a, b) => a * b, 1);
      if (first === 0) this.begin(r, reader, x.dims, y.dims, total);
      const places = this.places[r]!;
      const positions = new Int32Array(count * places);
      for (let i = 0; i < count; i++) positions.set(spread(this.options.seed, first + i, total, places), i * places);
      await take(x, window, width, positions, rowsAt(this.x[r]!, first * places, count * places));
      await take(y, window && plainWindow, width, positions, rowsAt(this.y[r]!, first * places, count * places));
    }
  }

  finish(): ReaderSamples[] {
    return this.readers.map((reader, r) => ({ reader, x: this.x[r]!, y: this.y[r]! }));
  }

  private begin(r: number, reader: Reader, x: readonly number[], y: readonly number[], total: number): void {
    const columns = (reader.window ? x[1]! : x.at(-1)!) * reader.places;
    const outputs = reader.window ? y[1]! : y.at(-1)!;
    const fitting = Math.floor(this.bytes / this.readers.length / (4 * (columns + outputs) * this.pictures));
    const places = Math.max(1, Math.min(total, this.options.positions, fitting));
    this.places[r] = places;
    this.x[r] = { data: new Float32Array(this.pictures * places * columns), columns };
    this.y[r] = { data: new Float32Array(this.pictures * places * outputs), columns: outputs };
  }
}

const rowsAt = ({ data, columns }: Rows, row: number, count: number): Float32Array =>
  data.subarray(row * columns, (row + count) * columns);

/** `count` of `total` places, ascending, one in each of equal parts: a pure function of seed and picture. */
export function spread(seed: number, picture: number, total: number, count: number): Int32Array {
  if (count >= total) return Int32Array.from({ length: total }, (_, i) => i);
  const random = uniform(seed, `places of picture ${picture}`);
  return Int32Array.from({ length: count }, (_, i) => Math.floor(((i + random(i)) * total) / count));
}

async function take(
  activation: { dims: number[]; data: Float32Array },
  window: Window | undefined,
  width: number,
  positions: Int32Array,
  rows: Float32Array,
): Promise<void> {
  if (window) return sampleRows(activation, window, width, positions, rows);
  const { dims, data } = activation;
  const columns = dims.at(-1)!;
  const [places, own] = [data.length / columns / dims[0]!, positions.length / dims[0]!];
  positions.forEach((position, i) => {
    const from = (Math.floor(i / own) * places + position) * columns;
    rows.set(data.subarray(from, from + columns), i * columns);
  });
}
