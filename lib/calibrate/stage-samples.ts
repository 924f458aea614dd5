import { giveBack } from '../buffers';
import type { Device } from '../evaluate/providers';
import { tensorBytes } from '../model/tensor';
import { type ActivationOptions, Activations, type Moves } from './activations';
import { Lanes, type LanesOptions } from './lanes';
import type { CalibrationSource } from './pictures';
import { batchOf, type Reader } from './readers';
import { openProblem, type Problem } from './reconstruction';
import { type Sampled, SampleMemory } from './samples';
import type { Stage } from './stages';
import type { KeptPlaces, Student } from './student';

export interface SamplingOptions extends Partial<ActivationOptions>, LanesOptions {
  source: CalibrationSource;
}

/**
 * Pictures for error curves, which need less than repairs, and for the first layers: there activations of all pictures
 * can't be kept, so that each layer would run from the pictures again, and every picture has thousands of places.
 */
export const fewPictures = 64;
/** Deeper, where maps are smaller and more pictures can be kept, so many times as many are taken as before. */
const morePictures = 4;

/** Samples of one stage after the other, of the student as it stands and of the original, with threads that run both. */
export class StageSamples {
  private readonly memory = new SampleMemory();
  /** Over a few pictures, over more and over all of them. */
  private readonly draws: readonly Activations[];
  /** Which of them the last stage took. */
  private current = 0;

  private constructor(
    private readonly student: Student,
    private readonly lanes: Lanes,
    private readonly options: SamplingOptions,
  ) {
    const sources = [options.source];
    for (let most = fewPictures; most < options.source.count; most *= morePictures) {
      const first = firstOf(options, most);
      // Whole batches of a big one may be as many.
      if (!sources.some(({ count }) => count === first.count)) sources.splice(-1, 0, first);
    }
    this.draws = sources.map((source) => this.activations(`${source.count} pictures`, source));
  }

  /**
   * Does some work with samples; the threads end with it.
   * @throws {SsdPruneError} what {@link Lanes.open} and the work throw
   */
  static async use<T>(
    student: Student,
    options: SamplingOptions,
    work: (samples: StageSamples) => Promise<T>,
  ): Promise<T> {
    const lanes = await Lanes.open(student.pruner.model.file ?? 'the model', options);
    try {
      return await work(new StageSamples(student, lanes, options));
    } finally {
      await lanes.close();
    }
  }

  /** Where the models run. */
  get device(): Device {
    return this.lanes.device;
  }

  /** How many pictures the last stage's samples are of. */
  get pictures(): number {
    return this.draws[this.current]!.count;
  }

  /** Activations of a source of their own, for {@link of}. */
  activations(key: string, source: CalibrationSource, rows = this.options.rows): Activations {
    const options = { batchSize: 1, seed: 0, ...this.options, ...(rows !== undefined && { rows }) };
    return new Activations(key, source, this.lanes, this.memory, options);
  }

  /**
   * Samples of a stage's readers in the student, with their moments. `later` are the stages that follow.
   * @param times so many times as many as usual
   */
  async next(stage: Stage, later: readonly Stage[], times = 1): Promise<Problem[]> {
    return this.of('student', await this.activationsFor(stage, later), stage, later, times);
  }

  /** Samples of a stage's readers, with their moments. */
  async of(
    which: 'original' | 'student',
    activations: Activations,
    stage: Stage,
    later: readonly Stage[],
    times = 1,
  ): Promise<Problem[]> {
    const { student } = this;
    if (stage.readers.length === 0) return [];
    const cut = which === 'student' ? student.cut() : undefined;
    const layers = stage.readers.map((reader) => student.layer(reader));
    const samples = await activations.sample(
      layers.map(({ reader, columns }) => ({ ...sampledOf(reader), columns: columns.length })),
      { teacher: student.original, student: cut?.model ?? student.original },
      this.moves(stage, later),
      times,
    );
    // All of them first: they may share a buffer.
    for (const bytes of cut?.tensors.map(({ name }) => tensorBytes(cut.model.constant(name)!)) ?? []) giveBack(bytes);
    const problems: Problem[] = [];
    for (const [i, sample] of samples.entries()) problems.push(await openProblem(sample, layers[i]!));
    return problems;
  }

  /** Slices activations that are kept as the student was cut. */
  async cut(keptOf: KeptPlaces): Promise<void> {
    await this.draws[this.current]!.cut(keptOf);
  }

  /** How far activations may move while a stage is sampled, and what of them the stages behind it need. */
  moves(stage: Stage, later: readonly Stage[]): Moves {
    const { graph } = this.student.pruner;
    const readers = later.flatMap((next) => next.readers);
    // A layer that keeps its weights must see the cut, too.
    const ownFirst = Math.min(...[...stage.readers, ...stage.fixed].map(({ index }) => index));
    const batch = batchOf(graph);
    const quantised = graph.model.graph.node.some(({ opType }) => /Quantize|^QLinear/.test(opType));
    return {
      valuesOf: (name) => {
        const shape = graph.infos.get(name)?.shape;
        if (quantised || !shape || shape[0] !== batch || !graph.labelsOf(name)[1]) return undefined;
        return shape.reduce((a, b) => a * b, 1) / batch;
      },
      later: { teacher: readers.map(({ output }) => output), student: readers.map(({ input }) => input) },
      limits: {
        teacher: Math.min(...readers.map(({ index }) => index)),
        student: Math.min(ownFirst, ...later.map(({ start }) => start)),
      },
    };
  }

  /** Those of the most pictures that can be carried on from a stage; of all of them, where no stage follows. */
  private async activationsFor(stage: Stage, later: readonly Stage[]): Promise<Activations> {
    const { original } = this.student;
    const moves = this.moves(stage, later);
    const most =
      later.length === 0 ? this.draws.length - 1 : this.draws.findLastIndex((draw) => draw.carries(original, moves));
    if (most > this.current) {
      await this.draws[this.current]!.restart();
      this.current = most;
    }
    return this.draws[this.current]!;
  }
}

/** The first {@link fewPictures} of the pictures. */
export const fewOf = (options: SamplingOptions): CalibrationSource => firstOf(options, fewPictures);

/** The first of the pictures, in whole batches. */
function firstOf({ source, batchSize = 1 }: SamplingOptions, most: number): CalibrationSource {
  const count = Math.max(batchSize, most - (most % batchSize));
  return { count: Math.min(source.count, count), feeds: (first, last) => source.feeds(first, last) };
}

/** A layer with all of its channels. */
export const sampledOf = (reader: Reader): Sampled => ({
  reader,
  columns: reader.channels.length * reader.places,
  outputs: reader.filters.length,
});
