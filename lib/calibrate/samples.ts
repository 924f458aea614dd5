import { SsdPruneError } from '../errors';
import type { Feeds } from '../evaluate/session-protocol';
import { uniform } from '../model/random';
import { plainWindow, type Rows, sampleRows, type Window } from './kernels';
import type { LayerSamples } from './lane-protocol';
import type { Reader } from './readers';

/** A layer that is sampled, and how many values a row of its samples has. */
export interface Sampled {
  readonly reader: Reader;
  /** Inputs that the student still has, the layer's window counted in. */
  readonly columns: number;
  readonly outputs: number;
}

/** Samples of one layer: what it reads in the student, what it made in the teacher at the same places. */
export interface ReaderSamples {
  readonly reader: Reader;
  readonly x: Rows;
  readonly y: Rows;
}

export interface SampleOptions {
  /** Places of a layer's output a picture that become samples. By default as many as make `rows`. */
  positions?: number;
  /** Samples of a layer, and at least {@link rowsByColumn} for each of its columns. Defaults to 16,384. */
  rows?: number;
  seed: number;
  /** Bytes that the samples of one stage may take; more pictures then give fewer places each. Defaults to 112 MiB. */
  sampleBytes?: number;
}

/**
 * Samples a column where `rows` are fewer: least squares then fit by chance at most a twenty-fourth of the error. The
 * limits are how many places there are, and memory.
 */
const rowsByColumn = 24;

/** Memory for samples of one stage after the other: pages that were touched once cost no fault again. */
export class SampleMemory {
  private block = new SharedArrayBuffer(0);

  /** Makes room for the samples of a stage. Those of the stage before are overwritten. */
  layout(sampled: readonly Sampled[], pictures: number, options: SampleOptions): LayerSamples[] {
    const { positions, rows = 16_384, sampleBytes: bytes = 112 * 2 ** 20 } = options;
    let end = 0;
    const take = (values: number): number => {
      const begin = end;
      end += Math.ceil((4 * values) / cacheLine) * cacheLine;
      return begin;
    };
    const layers = sampled.map(({ reader, columns, outputs }) => {
      const { name, input, output, window, total } = reader;
      const fitting = Math.floor(bytes / sampled.length / (4 * (columns + outputs) * pictures));
      const wanted = positions ?? Math.ceil(Math.max(rows, rowsByColumn * columns) / pictures);
      const places = Math.max(1, Math.min(total, wanted, fitting));
      const [x, y] = [columns, outputs].map((values) => take(pictures * places * values));
      return { name, input, output, window, total, places, columns, outputs, x: x!, y: y! };
    });
    if (end > this.block.byteLength) this.block = new SharedArrayBuffer(Math.max(end, bytes));
    return layers.map((layer) => ({ ...layer, memory: this.block }));
  }
}

const cacheLine = 64;

/** Rows that were written into shared memory. */
export const rowsOf = (memory: SharedArrayBuffer, begin: number, rows: number, columns: number): Rows => ({
  data: new Float32Array(memory, begin, rows * columns),
  columns,
});

/**
 * Writes the samples of pictures `first` … `last` − 1 of one layer.
 * @throws {SsdPruneError} ERR_UNSUPPORTED_OP where activations don't have the sizes that were inferred
 */
export async function takeSamples(
  layer: LayerSamples,
  seed: number,
  first: number,
  last: number,
  inputs: Feeds,
  outputs: Feeds,
): Promise<void> {
  const { name, window, total, places } = layer;
  const [x, y] = [inputs[layer.input]!, outputs[layer.output]!];
  const count = last - first;
  if (x.dims[0] !== count || y.dims[0] !== count) {
    throw new SsdPruneError('ERR_UNSUPPORTED_OP', `${name}: the first axis of what it reads is no batch axis`);
  }
  if (y.data.length !== count * total * layer.outputs) {
    throw new SsdPruneError('ERR_UNSUPPORTED_OP', `${name}: its output (${y.dims}) has not the size that was inferred`);
  }
  const positions = new Int32Array(count * places);
  for (let i = 0; i < count; i++) positions.set(spread(seed, first + i, total, places), i * places);
  const rowsAt = (begin: number, columns: number): Float32Array =>
    new Float32Array(layer.memory, begin + 4 * first * places * columns, count * places * columns);
  const width = window ? (y.dims[3] ?? 1) : 1;
  await take(x, window, width, positions, rowsAt(layer.x, layer.columns));
  await take(y, window && plainWindow, width, positions, rowsAt(layer.y, layer.outputs));
}

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
