import { SsdPruneError } from '../errors';
import type { OnnxModel } from '../model/onnx-model';
import { dataTypeName, tensorDims, toFloat32 } from '../model/tensor';
import type { ChannelGraph } from '../prune/channel-graph';
import type { Reader } from './readers';
import { storedTensor } from './weighted-nodes';

/** A reader's weights as the student has them. */
export interface Layer {
  readonly reader: Reader;
  /** Columns of the stored weight that the student still reads, ascending. */
  readonly columns: Int32Array;
  /** (columns that are left, all outputs). */
  readonly weights: Float64Array;
  /** By output: whether it is still there. */
  readonly stays: readonly boolean[];
}

/** The weights of a layer in the full-size model, as far as `removed` classes of channels leave them. */
export function readLayer(graph: ChannelGraph, reader: Reader, removed: ReadonlySet<number>): Layer {
  const present = (atom: number): boolean => atom < 0 || !removed.has(graph.atoms.find(atom));
  const { places, channels, filters, byOutput } = reader;
  const columns: number[] = [];
  channels.forEach((atom, channel) => {
    if (present(atom)) for (let k = 0; k < places; k++) columns.push(channel * places + k);
  });
  const stored = toFloat32(graph.model.constant(reader.name)!);
  const [all, outputs] = [channels.length * places, filters.length];
  const weights = new Float64Array(columns.length * outputs);
  columns.forEach((column, i) => {
    for (let o = 0; o < outputs; o++)
      weights[i * outputs + o] = stored[byOutput ? o * all + column : column * outputs + o]!;
  });
  return { reader, columns: Int32Array.from(columns), weights, stays: Array.from(filters, present) };
}

/**
 * Writes refitted weights into the full-size model, rounded to the nearest half where it stores halves; the slices of
 * channels that go stay as they are.
 * @param kept indexes into `layer.columns`, one a row of `weights`
 * @param bias what the layer adds behind its weights
 * @param original the model before any refit, whose means the new ones are counted from
 * @throws {SsdPruneError} ERR_BAD_DATA where weights are too large for what the model stores
 */
export function writeLayer(
  model: OnnxModel,
  original: OnnxModel,
  { reader, columns }: Layer,
  { kept, weights, bias }: { kept: Int32Array; weights: Float64Array; bias: Float64Array },
): void {
  const { name, places, channels, filters, byOutput, offset } = reader;
  const [all, outputs] = [channels.length * places, filters.length];
  const stored = Float32Array.from(toFloat32(model.constant(name)!));
  kept.forEach((at, i) => {
    const column = columns[at]!;
    for (let o = 0; o < outputs; o++)
      stored[byOutput ? o * all + column : column * outputs + o] = weights[i * outputs + o]!;
  });
  write(model, name, stored);
  if (!offset) return;
  // What a node behind adds or subtracts comes on top of the layer's own output.
  const before = toFloat32(original.constant(offset.name)!);
  write(
    model,
    offset.name,
    Float32Array.from(bias, (value, o) => (offset.behind ? before[o]! + offset.sign * value : value)),
  );
}

function write(model: OnnxModel, name: string, values: Float32Array): void {
  const before = model.constant(name)!;
  const tensor = storedTensor(before.name, before.dataType, tensorDims(before), values);
  if (!toFloat32(tensor).every(Number.isFinite)) {
    throw new SsdPruneError(
      'ERR_BAD_DATA',
      `${name}: what was refitted is too large for ${dataTypeName(before.dataType)}`,
    );
  }
  model.replaceConstant(name, tensor);
}
