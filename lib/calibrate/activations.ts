import { availableParallelism } from 'node:os';
import { throwIfAborted } from '../abort';
import { DetectorSession, type Feeds } from '../evaluate/session';
import type { OnnxModel } from '../model/onnx-model';
import { encodeModel } from '../model/write';
import { sliceTensors } from '../prune/kernels';
import type { CalibrationSource } from './pictures';
import type { Reader } from './readers';
import { type ReaderSamples, SampleBuilder, type SampleOptions } from './samples';
import { cutSegment, liveTensors, type Segment } from './segment';

export interface ActivationOptions extends SampleOptions {
  /** Pictures a run: few, since what a session holds grows with them and its speed hardly does. */
  batchSize: number;
  /** Bytes that activations carried from one stage to the next may take. Defaults to 288 MiB. */
  carriedBytes?: number;
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

  constructor(
    private readonly source: CalibrationSource,
    private readonly options: ActivationOptions,
  ) {
    this.carriedBytes = options.carriedBytes ?? 288 * 2 ** 20;
  }

  /** Both models start at the pictures again. */
  restart(): void {
    this.teacher.reset();
    this.student.reset();
  }

  /** Whether activations of both models are kept already, or would be after a stage with these moves. */
  carries(model: OnnxModel, moves: Moves): boolean {
    const { later, limits } = moves;
    return (
      this.teacher.batches !== undefined ||
      (this.next(this.teacher, model, later.teacher, limits.teacher, moves) !== undefined &&
        this.next(this.student, model, later.student, limits.student, moves) !== undefined)
    );
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
      const samples = new SampleBuilder(readers, this.source.count, this.options);
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
