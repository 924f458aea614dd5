import type { OnnxModel } from '../model/onnx-model';
import { elementSize, setTensorBytes, tensorBytes, tensorDims } from '../model/tensor';
import type { ChannelGraph } from './channel-graph';
import type { CutResult } from './cut';
import { quantization } from './ranking';

/** Readers whose constants may become zero without a division by it or a change of meaning. */
const maskable = new Set(
  (
    'Conv ConvInteger QLinearConv ConvTranspose Gemm MatMul BatchNormalization InstanceNormalization PRelu Add Sub Mul ' +
    'Identity Reshape Transpose Squeeze Unsqueeze Cast DequantizeLinear'
  ).split(' '),
);
/** Inputs that hold scales and zero points. */
const quantizationInputs: Record<string, readonly number[]> = {
  DequantizeLinear: [1, 2],
  QuantizeLinear: [1, 2],
  QLinearConv: [1, 2, 4, 5, 6, 7],
  ConvInteger: [2, 3],
};

/**
 * The original with every slice that the cut removes overwritten by zeros, filters and the input slices of their
 * readers alike (an integer weight gets its zero point).
 */
export function maskedOriginal(graph: ChannelGraph, cut: CutResult): OnnxModel {
  const masked = graph.model.clone();
  // A constant that other layers read in another form is left whole: its readers' input slices are masked anyway.
  const divided = new Set(cut.tensors.map((tensor) => tensor.copyOf));
  for (const { name, shapeBefore, kept, copyOf } of cut.tensors) {
    if (copyOf !== undefined || divided.has(name) || !canMask(graph.model, name)) continue;
    const tensor = masked.constant(name)!;
    const size = elementSize(tensor.dataType);
    // A copy: a Buffer's slice() would alias the original's weights.
    const bytes = new Uint8Array(tensorBytes(tensor));
    const zero = zeroPoints(graph, name);
    kept.forEach((places, axis) => {
      if (!places) return;
      const stays = new Set(places);
      const inner = shapeBefore.slice(axis + 1).reduce((a, b) => a * b, 1) * size;
      const rows = bytes.length / inner;
      for (let row = 0; row < rows; row++) {
        if (stays.has(row % shapeBefore[axis]!)) continue;
        for (let at = row * inner; at < (row + 1) * inner; at++) bytes[at] = zero ? zero(at) : 0;
      }
    });
    setTensorBytes(tensor, tensorDims(tensor), bytes);
  }
  masked.invalidate();
  return masked;
}

function canMask(model: OnnxModel, name: string): boolean {
  return model.consumers(name).every((node) => {
    const skip = quantizationInputs[node.opType] ?? [];
    return maskable.has(node.opType) && !node.input.some((input, i) => input === name && skip.includes(i));
  });
}

/** For a quantised weight of one byte an element: the byte that stands for zero at a place. */
function zeroPoints(graph: ChannelGraph, name: string): ((at: number) => number) | undefined {
  const owner = graph.producers.get(name) ?? graph.followers.get(name);
  const tensor = graph.model.constant(name)!;
  if (!owner || elementSize(tensor.dataType) !== 1) return undefined;
  const { zero, axis } = quantization(graph.model, { name, node: owner.node });
  const dims = tensorDims(tensor);
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  if (zero.length === 0) return undefined;
  return (at) => (zero.length > 1 ? zero[Math.floor(at / inner) % dims[axis]!]! : zero[0]!) & 255;
}
