import type { OnnxModel } from '../model/onnx-model';
import { elementSize, setTensorBytes, tensorBytes, tensorDims } from '../model/tensor';
import type { CutResult } from './cut';

/** Readers whose constants may become zero without a division by it or a change of meaning. */
const maskable = new Set(
  (
    'Conv ConvTranspose Gemm MatMul BatchNormalization InstanceNormalization PRelu Add Sub Mul Identity Reshape ' +
    'Transpose Squeeze Unsqueeze Cast'
  ).split(' '),
);

/**
 * The original, a float copy of it (see {@link floatCopy}), with every slice that the cut removes overwritten by
 * zeros, in place: filters and the input slices of their readers alike.
 */
export function maskOriginal(model: OnnxModel, { tensors }: CutResult): OnnxModel {
  // A constant that other layers read in another form is left whole: its readers' input slices are masked anyway.
  const divided = new Set(tensors.map((tensor) => tensor.copyOf));
  for (const { name, shapeBefore, kept, copyOf } of tensors) {
    if (copyOf !== undefined || divided.has(name) || !canMask(model, name)) continue;
    const tensor = model.constant(name)!;
    const size = elementSize(tensor.dataType);
    // A copy: a Buffer's slice() would alias the original's weights.
    const bytes = new Uint8Array(tensorBytes(tensor));
    kept.forEach((places, axis) => {
      if (!places) return;
      const stays = new Set(places);
      const inner = shapeBefore.slice(axis + 1).reduce((a, b) => a * b, 1) * size;
      const rows = bytes.length / inner;
      for (let row = 0; row < rows; row++) {
        if (!stays.has(row % shapeBefore[axis]!)) bytes.fill(0, row * inner, (row + 1) * inner);
      }
    });
    setTensorBytes(tensor, tensorDims(tensor), bytes);
  }
  model.invalidate();
  return model;
}

const canMask = (model: OnnxModel, name: string): boolean =>
  model.consumers(name).every((node) => maskable.has(node.opType));
