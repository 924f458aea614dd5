import { SsdPruneError } from '../errors';
import { TensorProto_DataType as T } from '../model/onnx_pb';
import type { OnnxModel } from '../model/onnx-model';
import { dataTypeName, setTensorBytes, tensorDims, toFloat32 } from '../model/tensor';
import type { TrainingPlan } from './plan';

/** Parameters lie in the engine one after the other, each beginning at a multiple of so many numbers. */
const alignment = 16;

/** Where each parameter of a plan begins in the engine's arrays, and the length of those. */
export function parameterOffsets(plan: TrainingPlan): { offsets: number[]; length: number } {
  let length = 0;
  const offsets = plan.parameters.map(({ size }) => {
    const offset = length;
    length += Math.ceil(size / alignment) * alignment;
    return offset;
  });
  return { offsets, length };
}

/**
 * The model's parameters as the engine wants them.
 * @throws {SsdPruneError} ERR_UNSUPPORTED_OP where they are not float32
 */
export function readParameters(model: OnnxModel, plan: TrainingPlan): Float32Array {
  const { offsets, length } = parameterOffsets(plan);
  const values = new Float32Array(length);
  plan.parameters.forEach(({ name }, i) => {
    const tensor = model.constant(name)!;
    if (tensor.dataType !== T.FLOAT)
      throw new SsdPruneError(
        'ERR_UNSUPPORTED_OP',
        `${model.file ?? 'The model'}: parameter "${name}" is ${dataTypeName(tensor.dataType)}; only FLOAT is trained`,
      );
    values.set(toFloat32(tensor), offsets[i]!);
  });
  return values;
}

/** Writes trained parameters into the model they were read from; nothing else of it changes. */
export function writeParameters(model: OnnxModel, plan: TrainingPlan, values: Float32Array): void {
  const { offsets } = parameterOffsets(plan);
  plan.parameters.forEach(({ name, size, role }, i) => {
    if (role === 'constant') return;
    const bytes = new Uint8Array(values.slice(offsets[i]!, offsets[i]! + size).buffer);
    const tensor = model.constant(name)!;
    setTensorBytes(tensor, tensorDims(tensor), bytes);
    model.replaceConstant(name, tensor);
  });
}
