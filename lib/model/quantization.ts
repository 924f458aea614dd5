import { getInt } from './attributes';
import { type NodeProto, TensorProto_DataType as T, type TensorProto } from './onnx_pb';
import type { OnnxModel } from './onnx-model';
import { normalizeAxis } from './operator-arguments';
import { tensorDims, toFloat32 } from './tensor';

/** By which an operator understands integers: (value − zero) × scale. */
export interface Quantization {
  /** One value, or one a place along `axis`; empty means 1. */
  readonly scale: ArrayLike<number>;
  /** One value, or one a place along `axis`; empty means 0. */
  readonly zero: ArrayLike<number>;
  readonly axis: number;
}

/** Inputs of an operator that reads a quantised weight. */
interface WeightInputs {
  readonly weight: number;
  readonly scale?: number;
  readonly zero: number;
  /** Axis of vectors of scales and zero points where the operator has no attribute for it. */
  readonly axis?: number;
}

const weightInputs: Record<string, WeightInputs> = {
  DequantizeLinear: { weight: 0, scale: 1, zero: 2 },
  QLinearConv: { weight: 3, scale: 4, zero: 5, axis: 0 },
  QLinearMatMul: { weight: 3, scale: 4, zero: 5, axis: 1 },
  ConvInteger: { weight: 1, zero: 3, axis: 0 },
  MatMulInteger: { weight: 1, zero: 3, axis: 1 },
  QGemm: { weight: 3, scale: 4, zero: 5, axis: 1 },
};

/** How a node reads its quantised weight; undefined for operators that read none, or where scales aren't constant. */
export function weightQuantization(model: OnnxModel, node: NodeProto): Quantization | undefined {
  const inputs = weightInputs[node.opType];
  if (!inputs || getInt(node, 'block_size', 0) !== 0) return undefined;
  const values = (input: number | undefined): ArrayLike<number> | undefined => {
    const name = input === undefined ? '' : (node.input[input] ?? '');
    if (name === '') return [];
    const tensor = model.constant(model.source(name));
    return tensor && toFloat32(tensor);
  };
  const [scale, zero] = [values(inputs.scale), values(inputs.zero)];
  const weight = model.constant(model.source(node.input[inputs.weight] ?? ''));
  if (!scale || !zero || !weight) return undefined;
  // The columns of QGemm's second factor are its rows where that is transposed.
  if (node.opType === 'QGemm' && getInt(node, 'transB', 0) === 1) return { scale, zero, axis: 0 };
  const axis = inputs.axis ?? normalizeAxis(getInt(node, 'axis', 1), tensorDims(weight).length);
  return { scale, zero, axis };
}

/** How the nodes that read a constant understand it: the first that reads it as quantised numbers says. */
export function quantizationOf(model: OnnxModel, name: string): Quantization | undefined {
  for (const node of model.consumers(name)) {
    const inputs = weightInputs[node.opType];
    if (inputs && node.input[inputs.weight] === name) return weightQuantization(model, node);
    if (node.opType !== 'Identity') continue;
    const further = quantizationOf(model, node.output[0] ?? '');
    if (further) return further;
  }
  return undefined;
}

const integers = new Set<number>([T.INT8, T.UINT8, T.INT16, T.UINT16, T.INT32]);

/** Whether a stored tensor's type is one that stands for quantised numbers. */
export const isQuantized = (tensor: TensorProto): boolean => integers.has(tensor.dataType);

/** The numbers that a quantised tensor stands for. */
export function dequantize(tensor: TensorProto, { scale, zero, axis }: Quantization): Float32Array {
  const values = Float32Array.from(toFloat32(tensor));
  const dims = tensorDims(tensor);
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  for (let i = 0; i < values.length; i++) {
    const place = Math.floor(i / inner) % (dims[axis] ?? 1);
    values[i] = (values[i]! - (zero[place] ?? zero[0] ?? 0)) * (scale[place] ?? scale[0] ?? 1);
  }
  return values;
}
