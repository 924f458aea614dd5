import type { NodeProto } from '../model/onnx_pb';
import { isOnnxDomain, type OnnxModel } from '../model/onnx-model';
import { elementCount, makeTensor, tensorBytes, tensorDims, toFloat32 } from '../model/tensor';
import { isOwn, isWeighted, onlyConsumer, outputsOf, storedTensor, storedValue, weightOf } from './weighted-nodes';

/** Where a constant is added to what a layer makes. */
export interface OffsetPlace {
  readonly node: NodeProto;
  /** Which of the node's inputs. */
  readonly input: number;
  /** −1 where it is subtracted. */
  readonly sign: 1 | -1;
}

/** A bias that {@link prepareOffsets} gave to a layer that had none stored. */
interface AddedBias {
  readonly name: string;
  /** Its one number, as it is stored. */
  readonly value: number;
  /** The tensor that was computed to be the same; '' where there was none. */
  readonly before: string;
}

/** What {@link prepareOffsets} changed. */
export interface PreparedOffsets {
  readonly added: readonly AddedBias[];
  /** Tensors of which layers got copies of their own. */
  readonly copied: readonly string[];
}

/**
 * Gives every plain convolution and matrix product of the model, in place, a constant of its own that a refit may
 * shift: its bias, a new one of zeros, or of what an Expand makes of one number, or the mean of the BatchNormalization
 * that alone reads it. Nodes stay where they are and nothing changes what the model computes.
 */
export function prepareOffsets(model: OnnxModel): PreparedOffsets {
  const added: AddedBias[] = [];
  const copied: string[] = [];
  for (const node of model.graph.node) {
    const weight = isWeighted(node) ? weightOf(model, node) : undefined;
    if (!weight) continue;
    const place = offsetPlace(model, node);
    if (place) {
      const shared = place.node.input[place.input]!;
      if (isOwn(model, shared)) continue;
      place.node.input[place.input] = copyConstant(model, model.source(shared));
      copied.push(shared);
      continue;
    }
    const outputs = outputsOf(node, weight);
    const before = node.input[2] ?? '';
    const number = before === '' ? 0 : expandedNumber(model, before);
    if (node.opType === 'MatMul' || outputs === undefined || number === undefined) continue;
    const name = model.uniqueName(`${node.input[1]}_bias`);
    const bias = storedTensor(name, weight.dataType, [outputs], new Float32Array(outputs).fill(number));
    model.addInitializer(bias);
    node.input[2] = name;
    added.push({ name, value: toFloat32(bias)[0]!, before });
  }
  model.invalidate();
  return { added, copied };
}

/** Takes biases out again that no refit has changed, and nodes whose results are read no more, in place. */
export function dropUnusedOffsets(model: OnnxModel, { added, copied }: PreparedOffsets): void {
  const unused = new Map<string, string>();
  for (const { name, value, before } of added) {
    if (toFloat32(model.constant(name)!).every((other) => other === value)) unused.set(name, before);
  }
  for (const node of model.graph.node) {
    const before = unused.get(node.input[2] ?? '');
    if (before === '') node.input.length = 2;
    else if (before !== undefined) node.input[2] = before;
  }
  model.graph.initializer = model.graph.initializer.filter(({ name }) => !unused.has(name));
  model.graph.input = model.graph.input.filter(({ name }) => !unused.has(name));
  model.invalidate();
  for (const name of [...added.map(({ before }) => before), ...copied]) removeUnread(model, name);
}

/** The input that holds a vector of one number an output, stored as the weight is, which is added behind the weight. */
export function offsetPlace(model: OnnxModel, node: NodeProto): OffsetPlace | undefined {
  const weight = weightOf(model, node)!;
  const outputs = outputsOf(node, weight);
  const isVector = (name: string | undefined): boolean => {
    const tensor = storedValue(model, name);
    if (!tensor || tensor.dataType !== weight.dataType) return false;
    const dims = tensorDims(tensor);
    return elementCount(dims) === outputs && dims.at(-1) === outputs;
  };
  if (node.opType !== 'MatMul' && (node.input[2] ?? '') !== '') {
    return isVector(node.input[2]) ? { node, input: 2, sign: 1 } : undefined;
  }
  const behind = onlyConsumer(model, node.output[0]!);
  if (!behind || !isOnnxDomain(behind)) return undefined;
  if (node.opType === 'Conv' && behind.opType === 'BatchNormalization' && isVector(behind.input[3])) {
    return { node: behind, input: 3, sign: -1 };
  }
  if (node.opType === 'MatMul' && behind.opType === 'Add') {
    const input = behind.input.findIndex((name) => isVector(name));
    return input >= 0 ? { node: behind, input, sign: 1 } : undefined;
  }
  return undefined;
}

function copyConstant(model: OnnxModel, name: string): string {
  const source = model.constant(name)!;
  const copy = model.uniqueName(`${name}_own`);
  model.addInitializer(makeTensor(copy, source.dataType, tensorDims(source), new Uint8Array(tensorBytes(source))));
  return copy;
}

/**
 * The number that a computed vector holds everywhere: newer exporters write the bias of a layer that has none as an
 * Expand of 0, cast to what the layer reads, to the weight's shape.
 */
function expandedNumber(model: OnnxModel, name: string): number | undefined {
  const expand = model.producer(model.source(name));
  if (expand?.opType !== 'Expand' || !isOnnxDomain(expand)) return undefined;
  let from = model.source(expand.input[0]!);
  const cast = model.producer(from);
  if (cast && isOnnxDomain(cast) && /^Cast(Like)?$/.test(cast.opType)) from = model.source(cast.input[0]!);
  const number = model.constant(from);
  return number && elementCount(tensorDims(number)) === 1 ? toFloat32(number)[0] : undefined;
}

/** Takes the node that makes a tensor out, and what only it reads, where nobody reads what it makes. */
function removeUnread(model: OnnxModel, name: string): void {
  const node = model.producer(name);
  if (!node || node.output.some((made) => model.isGraphOutput(made) || model.consumers(made).length > 0)) return;
  model.graph.node = model.graph.node.filter((other) => other !== node);
  model.invalidate();
  for (const read of node.input) removeUnread(model, read);
}
