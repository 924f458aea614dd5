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
  /**
   * Bytes that the samples of one stage may take; more pictures then give fewer places each, and where not even one
   * each fits the first pictures alone are sampled. Defaults to 112 MiB.
   */
  sampleBytes?: number;
}

/**
 * Samples a column where `rows` are fewer: least squares then fit by chance at most a twenty-fourth of the error. The
 * limits are how many places there are, and memory.
 */
const rowsByColumn = 24;

const defaultRows = 16_384;

/** Places a picture that a layer's samples take where memory sets no limit. */
const wantedPlaces = (
  { reader, columns }: Sampled,
  pictures: number,
  { positions, rows = defaultRows }: SampleOptions,
): number => {
  const wanted = positions ?? Math.ceil(Math.max(rows, rowsByColumn * columns) / pictures);
  return Math.max(1, Math.min(reader.total, wanted));
};

/** Bytes that the samples of some layers take where memory sets no limit. */
export const sampleBytes = (sampled: readonly Sampled[], pictures: number, options: SampleOptions): number =>
  sampled.reduce(
    (sum, one) => sum + 4 * (one.columns + one.outputs) * pictures * wantedPlaces(one, pictures, options),
    0,
  );

/** Bytes that samples of one stage may take, by default. */
export const defaultSampleBytes = 112 * 2 ** 20;

/** Memory for samples of one stage after the other: pages that were touched once cost no fault again. */
export class SampleMemory {
  private block = new SharedArrayBuffer(0);

  /** Makes room for the samples of a stage. Those of the stage before are overwritten. */
  layout(sampled: readonly Sampled[], pictures: number, given: SampleOptions, times = 1): LayerSamples[] {
    const bytes = given.sampleBytes ?? defaultSampleBytes;
    const options = { ...given, rows: times * (given.rows ?? defaultRows) };
    // Where all fit as they are, none is held to an equal share.
    const roomy = sampleBytes(sampled, pictures, options) <= bytes;
    let end = 0;
    const take = (values: number): number => {
      const begin = end;
      end += Math.ceil((4 * values) / cacheLine) * cacheLine;
      return begin;
    };
    const layers = sampled.map((one) => {
      const { reader, columns, outputs } = one;
      const { name, input, output, window, total } = reader;
      const share = bytes / sampled.length;
      const fitting = Math.floor(share / (4 * (columns + outputs) * pictures));
      const wanted = wantedPlaces(one, pictures, options);
      const places = roomy ? wanted : Math.max(1, Math.min(wanted, fitting));
      const alone = Math.max(1, Math.floor((share - 2 * cacheLine) / (4 * (columns + outputs))));
      const own = roomy || fitting > 0 ? pictures : Math.min(pictures, alone);
      const [x, y] = [columns, outputs].map((values) => take(own * places * values));
      return { name, input, output, window, total, pictures: own, places, columns, outputs, x: x!, y: y! };
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
export function takeSamples(
  layer: LayerSamples,
  seed: number,
  first: number,
  last: number,
  inputs: Feeds,
  outputs: Feeds,
): void {
  const { name, window, total, places } = layer;
  const [x, y] = [inputs[layer.input]!, outputs[layer.output]!];
  const [count, sampled] = [last - first, Math.min(last, layer.pictures) - first];
  if (x.dims[0] !== count || y.dims[0] !== count) {
    throw new SsdPruneError('ERR_UNSUPPORTED_OP', `${name}: the first axis of what it reads is no batch axis`);
  }
  if (y.data.length !== count * total * layer.outputs) {
    throw new SsdPruneError('ERR_UNSUPPORTED_OP', `${name}: its output (${y.dims}) has not the size that was inferred`);
  }
  if (sampled <= 0) return;
  const positions = new Int32Array(sampled * places);
  for (let i = 0; i < sampled; i++) positions.set(spread(seed, first + i, total, places), i * places);
  const rowsAt = (begin: number, columns: number): Float32Array =>
    new Float32Array(layer.memory, begin + 4 * first * places * columns, sampled * places * columns);
  const leading = ({ dims, data }: Feeds[string]): Feeds[string] => ({
    dims: [sampled, ...dims.slice(1)],
    data: data.subarray(0, (data.length / count) * sampled),
  });
  const width = window ? (y.dims[3] ?? 1) : 1;
  take(leading(x), window, width, positions, rowsAt(layer.x, layer.columns));
  take(leading(y), window && plainWindow, width, positions, rowsAt(layer.y, layer.outputs));
}

/** `count` of `total` places, ascending, one in each of equal parts: a pure function of seed and picture. */
export function spread(seed: number, picture: number, total: number, count: number): Int32Array {
  if (count >= total) return Int32Array.from({ length: total }, (_, i) => i);
  const random = uniform(seed, `places of picture ${picture}`);
  return Int32Array.from({ length: count }, (_, i) => Math.floor(((i + random(i)) * total) / count));
}

function take(
  activation: { dims: number[]; data: Float32Array },
  window: Window | undefined,
  width: number,
  positions: Int32Array,
  rows: Float32Array,
): void {
  if (window) {
    sampleRows(activation, window, width, positions, rows);
    return;
  }
  const { dims, data } = activation;
  const columns = dims.at(-1)!;
  const [places, own] = [data.length / columns / dims[0]!, positions.length / dims[0]!];
  positions.forEach((position, i) => {
    const from = (Math.floor(i / own) * places + position) * columns;
    rows.set(data.subarray(from, from + columns), i * columns);
  });
}
