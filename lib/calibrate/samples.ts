import { allocateBytes } from '../buffers';
import { SsdPruneError } from '../errors';
import type { Feeds } from '../evaluate/session';
import { uniform } from '../model/random';
import { plainWindow, type Rows, sampleRows, type Window } from './kernels';
import type { Reader } from './readers';

/** Samples of one layer: what it reads in the student, what it made in the teacher at the same places. */
export interface ReaderSamples {
  readonly reader: Reader;
  readonly x: Rows;
  readonly y: Rows;
}

export interface SampleOptions {
  /** Places of a layer's output a picture that become samples. */
  positions: number;
  seed: number;
  /** Bytes that the samples of one stage may take; more pictures then give fewer places each. Defaults to 160 MiB. */
  sampleBytes?: number;
}

/** Collects rows of samples, batch by batch. */
export class SampleBuilder {
  private readonly places: number[] = [];
  private readonly x: Rows[] = [];
  private readonly y: Rows[] = [];

  constructor(
    private readonly readers: readonly Reader[],
    private readonly pictures: number,
    private readonly options: SampleOptions,
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
    const bytes = this.options.sampleBytes ?? 160 * 2 ** 20;
    const fitting = Math.floor(bytes / this.readers.length / (4 * (columns + outputs) * this.pictures));
    const places = Math.max(1, Math.min(total, this.options.positions, fitting));
    this.places[r] = places;
    this.x[r] = emptyRows(this.pictures * places, columns);
    this.y[r] = emptyRows(this.pictures * places, outputs);
  }
}

/** Rows whose values are still to be written. */
function emptyRows(rows: number, columns: number): Rows {
  const { buffer, byteOffset } = allocateBytes(4 * rows * columns);
  return { data: new Float32Array(buffer, byteOffset, rows * columns), columns };
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
