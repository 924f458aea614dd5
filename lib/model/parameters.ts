import { type NodeProto, TensorProto_DataType as T } from './onnx_pb';
import type { OnnxModel } from './onnx-model';
import { tensorDims } from './tensor';

/** A trained tensor of the model. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Name of the element type as ONNX has it: `FLOAT`, `FLOAT16`, `INT8`. */
  readonly type: string;
}

const trained = new Set<number>([T.FLOAT, T.FLOAT16, T.BFLOAT16, T.DOUBLE, T.INT8, T.UINT8, T.INT32]);

/** Inputs that hold parameters, by operator; arithmetic counts where one operand is a constant vector. */
const parameterInputs: Record<string, readonly number[]> = {
  Conv: [1, 2],
  ConvInteger: [1],
  QLinearConv: [3, 8],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2, 3, 4],
  InstanceNormalization: [1, 2],
  GroupNormalization: [1, 2],
  LayerNormalization: [1, 2],
  PRelu: [1],
};
const arithmetic = new Set(['Add', 'Sub', 'Mul', 'Div']);

/** Operators through which an exporter may pass a parameter before it is used. */
const passThrough = new Set(
  'Identity Cast DequantizeLinear QuantizeLinear Reshape Squeeze Transpose Unsqueeze'.split(' '),
);

/**
 * The constant behind a node's input, through copies, casts, (de)quantisation and changes of layout: the parameter
 * that the node uses. Undefined where the input is computed from something else.
 */
export function constantBehind(model: OnnxModel, node: NodeProto, input: number): string | undefined {
  let name = node.input[input] ?? '';
  while (!model.constant(name)) {
    const from = model.producer(name);
    if (!from || !passThrough.has(from.opType)) return undefined;
    name = from.input[0] ?? '';
  }
  return name;
}

/**
 * All parameters in definition order: the order in which the graph's nodes first read them. Constants that are no
 * parameters (shapes, clip bounds, prior boxes) are left out.
 */
export function listParameters(model: OnnxModel): Parameter[] {
  const found = new Map<string, Parameter>();
  const add = (node: NodeProto, input: number, vectorOnly: boolean): void => {
    const name = constantBehind(model, node, input);
    const tensor = name === undefined ? undefined : model.constant(name);
    if (name === undefined || !tensor || found.has(name) || !trained.has(tensor.dataType)) return;
    const shape = tensorDims(tensor);
    if (vectorOnly && (shape.filter((dim) => dim > 1).length !== 1 || tensor.dataType === T.INT32)) return;
    found.set(name, { name, shape, type: T[tensor.dataType]! });
  };
  for (const node of model.graph.node) {
    const inputs = parameterInputs[node.opType];
    if (inputs) for (const input of inputs) add(node, input, false);
    else if (arithmetic.has(node.opType)) for (const input of node.input.keys()) add(node, input, true);
  }
  return [...found.values()];
}

/** Elements of all parameters, the moving mean and variance of BatchNormalization included. */
export function countElements(parameters: readonly Pick<Parameter, 'shape'>[]): number {
  return parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}
