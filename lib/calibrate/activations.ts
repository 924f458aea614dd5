import { giveBack } from '../buffers';
import type { OnnxModel } from '../model/onnx-model';
import { encodeModel } from '../model/write';
import type { TrackStage } from './lane-protocol';
import type { Batch, Lanes } from './lanes';
import type { CalibrationSource } from './pictures';
import { type ReaderSamples, rowsOf, type Sampled, type SampleMemory, type SampleOptions } from './samples';
import { cutSegment, liveTensors } from './segment';

export interface ActivationOptions extends SampleOptions {
  /** Pictures a run. Defaults to `1`: a lane has one thread, which more of them make no faster, only bigger. */
  batchSize: number;
  /** Bytes that activations carried from one stage to the next may take. Defaults to 288 MiB. */
  carriedBytes?: number;
}

/** Where a model stands: nodes before `position` have run, and the lanes keep what later ones need of them. */
interface Frontier {
  readonly key: string;
  position: number;
  /** Names of what is kept; undefined at the pictures. */
  carried: readonly string[] | undefined;
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
  private readonly teacher: Frontier;
  private readonly student: Frontier;
  private readonly carriedBytes: number;

  /** @param key tells its frontiers from those of others on the same lanes */
  constructor(
    key: string,
    private readonly source: CalibrationSource,
    private readonly lanes: Lanes,
    private readonly memory: SampleMemory,
    private readonly options: ActivationOptions,
  ) {
    this.teacher = { key: `${key}: teacher`, position: 0, carried: undefined };
    this.student = { key: `${key}: student`, position: 0, carried: undefined };
    this.carriedBytes = options.carriedBytes ?? 288 * 2 ** 20;
  }

  /** How many pictures these are of. */
  get count(): number {
    return this.source.count;
  }

  /** Gives back what is carried. */
  async restart(): Promise<void> {
    for (const frontier of [this.teacher, this.student]) {
      frontier.position = 0;
      frontier.carried = undefined;
      await this.lanes.drop(frontier.key);
    }
  }

  /** Whether activations of both models are kept already, or would be after a stage with these moves. */
  carries(model: OnnxModel, moves: Moves): boolean {
    const { later, limits } = moves;
    return (
      this.teacher.carried !== undefined ||
      (this.next(this.teacher, model, later.teacher, limits.teacher, moves) !== undefined &&
        this.next(this.student, model, later.student, limits.student, moves) !== undefined)
    );
  }

  /**
   * Samples of some layers. They stand in memory that the next call writes into. On the way the frontiers move as far
   * as `moves` allows. Where teacher and student are the same model it is run once.
   * @param times so many times as many samples as usual, as far as memory allows
   */
  async sample(
    sampled: readonly Sampled[],
    models: { teacher: OnnxModel; student: OnnxModel },
    moves: Moves,
    times = 1,
  ): Promise<ReaderSamples[]> {
    const { teacher, student, source } = this;
    const { later, limits } = moves;
    const [inputs, outputs] = [sampled.map(({ reader }) => reader.input), sampled.map(({ reader }) => reader.output)];
    const steps =
      models.student === models.teacher
        ? [
            this.step(
              teacher,
              models.teacher,
              [...inputs, ...outputs],
              [...later.teacher, ...later.student],
              limits.teacher,
              moves,
            ),
          ]
        : [
            this.step(teacher, models.teacher, outputs, later.teacher, limits.teacher, moves),
            this.step(student, models.student, inputs, later.student, limits.student, moves),
          ];
    const { batchSize, seed } = this.options;
    const layers = this.memory.layout(sampled, source.count, this.options, times);
    const batches: Batch[] = [];
    // What no layer samples needs no run, unless it is carried along.
    const needed = steps.some(({ next }) => next) ? source.count : Math.max(...layers.map(({ pictures }) => pictures));
    for (let first = 0; first < needed; first += batchSize) {
      batches.push({ index: batches.length, first, last: Math.min(first + batchSize, source.count) });
    }
    await this.lanes.stage(
      { tracks: steps.map(({ track }) => track), layers, seed },
      batches,
      steps.some(({ frontier }) => !frontier.carried) ? ({ first, last }) => source.feeds(first, last) : undefined,
    );
    for (const { frontier, track, next } of steps) {
      if (track.model) giveBack(track.model);
      if (!next) continue;
      frontier.position = next.position;
      frontier.carried = next.names;
    }
    return layers.map(({ memory, x, y, pictures, places, columns, outputs }, i) => ({
      reader: sampled[i]!.reader,
      x: rowsOf(memory, x, pictures * places, columns),
      y: rowsOf(memory, y, pictures * places, outputs),
    }));
  }

  /** Slices what the student's frontier holds as the student was cut: `keptOf` gives the channels that stay, by tensor. */
  async cut(keptOf: (name: string) => Int32Array | undefined): Promise<void> {
    const keep: Record<string, Int32Array> = {};
    for (const name of this.student.carried ?? []) {
      const kept = keptOf(name);
      if (kept) keep[name] = kept;
    }
    if (Object.keys(keep).length > 0) await this.lanes.cut(this.student.key, keep);
  }

  /** What a model has to run from its frontier on. */
  private step(
    frontier: Frontier,
    model: OnnxModel,
    taps: readonly string[],
    later: readonly string[],
    limit: number,
    moves: Moves,
  ): { frontier: Frontier; track: TrackStage; next: Carried | undefined } {
    const next = this.next(frontier, model, later, limit, moves);
    const wanted = [...new Set([...taps, ...(next?.names ?? [])])];
    const there = new Set(frontier.carried ?? model.graph.input.map(({ name }) => name));
    const made = wanted.filter((name) => !there.has(name));
    const segment = cutSegment(model, frontier.position, made);
    const track: TrackStage = {
      key: frontier.key,
      model: made.length > 0 ? encodeModel(segment.model) : undefined,
      inputs: segment.inputs,
      passing: wanted.filter((name) => there.has(name)),
      keep: next?.names,
    };
    return { frontier, track, next };
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
