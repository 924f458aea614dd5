import { create } from '@bufbuild/protobuf';
import { SsdPruneError } from '../errors';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TensorProto_DataType as T,
  type TensorProto,
} from '../model/onnx_pb';
import { isOnnxDomain, type OnnxModel } from '../model/onnx-model';
import { dequantize, isQuantized, weightQuantization } from '../model/quantization';
import { makeTensor, tensorDims, toFloat32 } from '../model/tensor';

/** Operators that only move numbers, so that they do with floats what they did with integers. */
const carriers = new Set(
  (
    'Identity MaxPool Reshape Transpose Concat Slice Split Squeeze Unsqueeze Flatten Resize DepthToSpace SpaceToDepth ' +
    'Expand Relu'
  ).split(' '),
);

/** A float operator that does what a quantised one does, and which of its inputs hold numbers. */
interface Twin {
  readonly op: string;
  /** `triples`: of value, scale and zero point, behind the two of the result. */
  readonly inputs: readonly number[] | 'triples';
  readonly bias?: number;
  /** Input that holds the scale of the result where it may be left out: the result is no integer then. */
  readonly scale?: number;
}

const twins: Record<string, Twin> = {
  QLinearConv: { op: 'Conv', inputs: [0, 3], bias: 8 },
  QLinearMatMul: { op: 'MatMul', inputs: [0, 3] },
  ConvInteger: { op: 'Conv', inputs: [0, 1] },
  MatMulInteger: { op: 'MatMul', inputs: [0, 1] },
};

/** ONNX Runtime's own operators that its quantiser writes. */
const runtimeTwins: Record<string, Twin> = {
  QLinearAdd: { op: 'Add', inputs: [0, 3] },
  QLinearMul: { op: 'Mul', inputs: [0, 3] },
  QLinearSigmoid: { op: 'Sigmoid', inputs: [0] },
  QLinearLeakyRelu: { op: 'LeakyRelu', inputs: [0] },
  QLinearGlobalAveragePool: { op: 'GlobalAveragePool', inputs: [0] },
  QLinearAveragePool: { op: 'AveragePool', inputs: [0] },
  QLinearSoftmax: { op: 'Softmax', inputs: [0] },
  QGemm: { op: 'Gemm', inputs: [0, 3], bias: 6, scale: 7 },
  QLinearConcat: { op: 'Concat', inputs: 'triples' },
};

/**
 * Takes the quantisation out of a model, in place: activations are no longer rounded, integer weights and biases
 * become the numbers that they stand for (under their own names), integer operators their float twins. Rounding works
 * place by place and keeps zero, so it commutes with a cut; without it a proof is as sharp as for a float model.
 * @throws {SsdPruneError} ERR_VERIFY_VACUOUS naming the node that computes with quantised numbers in another way.
 */
export function dequantizeModel(model: OnnxModel): void {
  const pass = new Dequantizer(model);
  const nodes = model.graph.node.flatMap((node) => pass.convert(node));
  if (!pass.touched) return;
  model.graph.node = nodes;
  // What it says of types is no longer true.
  model.graph.valueInfo = [];
  for (const { name, type } of [...model.graph.input, ...model.graph.output]) {
    if (pass.floats.has(name) && type?.value.case === 'tensorType') type.value.value.elemType = T.FLOAT;
  }
  model.invalidate();
}

class Dequantizer {
  /** Tensors that held integers and hold the numbers they stand for now. */
  readonly floats = new Set<string>();
  touched = false;

  constructor(private readonly model: OnnxModel) {}

  /** What stands in a node's place. */
  convert(node: NodeProto): NodeProto[] {
    const reads = node.input.some((name) => this.floats.has(name));
    if (isOnnxDomain(node)) {
      switch (node.opType) {
        case 'QuantizeLinear':
          this.floats.add(node.output[0]!);
          return [this.identity(node)];
        case 'DequantizeLinear':
          return [reads || this.raise(node, 0) ? this.identity(node) : node];
        case 'DynamicQuantizeLinear':
          return this.dynamicQuantize(node);
        default:
      }
    }
    const twin = (isOnnxDomain(node) ? twins : runtimeTwins)[node.opType];
    if (twin && (isOnnxDomain(node) || node.domain === 'com.microsoft')) return this.replace(node, twin);
    if (!reads) return [node];
    // The sums of an integer product are cast before they are scaled.
    if (node.opType === 'Cast') return [node];
    const carried = node.opType === 'Concat' ? node.input : node.input.slice(0, 1);
    if (!isOnnxDomain(node) || !carriers.has(node.opType) || !carried.every((name) => this.floats.has(name)))
      throw this.unprovable(node);
    for (const name of node.output) this.floats.add(name);
    return [node];
  }

  private identity(node: NodeProto): NodeProto {
    this.touched = true;
    return makeNode('Identity', node.name, [node.input[0]!], [node.output[0]!]);
  }

  /** Scale 1 and zero point 0 say that nothing was quantised. */
  private dynamicQuantize(node: NodeProto): NodeProto[] {
    const [, scale, zero] = node.output;
    this.floats.add(node.output[0]!);
    const nodes = [this.identity(node)];
    if (scale) nodes.push(makeConstant(scale, floatTensor(scale, [], Float32Array.of(1))));
    if (zero) nodes.push(makeConstant(zero, makeTensor(zero, T.UINT8, [], Uint8Array.of(0))));
    return nodes;
  }

  /** A quantised operator as its float twin. */
  private replace(node: NodeProto, { op, inputs, bias, scale }: Twin): NodeProto[] {
    const before: NodeProto[] = [];
    const places = inputs === 'triples' ? node.input.flatMap((_, i) => (i % 3 === 2 ? i : [])) : inputs;
    const read = places.map((input) => this.operand(node, input, before));
    const biasName = bias === undefined ? '' : (node.input[bias] ?? '');
    if (biasName !== '') read.push(this.bias(node, biasName));
    this.touched = true;
    if (scale === undefined || node.input[scale]) this.floats.add(node.output[0]!);
    if (node.attribute.some(({ name, i }) => name === 'channels_last' && i !== 0n)) throw this.unprovable(node);
    // Attributes that only ONNX Runtime's operator has.
    const attributes = node.attribute.filter(({ name }) => name !== 'channels_last' && name !== 'opset');
    return [...before, makeNode(op, node.name, read, [node.output[0]!], attributes)];
  }

  /** An operand as floats; one that can't be stored as such (the picture itself) is dequantised `before`. */
  private operand(node: NodeProto, input: number, before: NodeProto[]): string {
    const name = node.input[input]!;
    if (this.floats.has(name) || this.raise(node, input)) return name;
    if (!node.opType.startsWith('Q')) throw this.unprovable(node);
    const float = this.model.uniqueName(`${name}_float_${node.output[0]}`);
    const scaling = node.input.slice(input + 1, input + 3);
    // Axis 0 is where filters lie; a scalar scale has no axis.
    const axis = create(AttributeProtoSchema, { name: 'axis', type: AttributeProto_AttributeType.INT, i: 0n });
    before.push(makeNode('DequantizeLinear', '', [name, ...scaling], [float], [axis]));
    return float;
  }

  /** The int32 bias of a QLinearConv counts in steps of the picture's scale times the filter's. */
  private bias(node: NodeProto, name: string): string {
    const [x, w] = [this.model.constant(node.input[1]!), weightQuantization(this.model, node)];
    const stored = this.model.constant(name);
    if (!x || !w || !stored) throw this.unprovable(node);
    const step = toFloat32(x)[0]!;
    const scale = Float32Array.from(w.scale, (value) => value * step);
    const values = dequantize(stored, { scale, zero: [], axis: 0 });
    if (this.model.consumers(name).length > 1) {
      const copy = this.model.uniqueName(`${name}_float_${node.output[0]}`);
      this.model.addInitializer(floatTensor(copy, tensorDims(stored), values));
      return copy;
    }
    this.model.replaceConstant(name, floatTensor(name, tensorDims(stored), values));
    this.floats.add(name);
    return name;
  }

  /** Replaces the integers of a constant by what they stand for, if all that read it agree on that. */
  private raise(node: NodeProto, input: number): boolean {
    const { model } = this;
    const name = node.input[input]!;
    const source = model.source(name);
    const tensor = model.constant(source);
    const own = weightQuantization(model, node);
    if (!tensor || !own || !isQuantized(tensor) || model.isGraphOutput(source)) return false;
    const readers = model.consumers(source);
    const same = (other: NodeProto): boolean =>
      other.opType === node.opType &&
      other.input[input] === name &&
      other.input[input + 1] === node.input[input + 1] &&
      other.input[input + 2] === node.input[input + 2] &&
      weightQuantization(model, other)?.axis === own.axis;
    if (source === name ? !readers.every(same) : readers.length > 1 || !model.consumers(name).every(same)) return false;
    model.replaceConstant(source, floatTensor(source, tensorDims(tensor), dequantize(tensor, own)));
    this.floats.add(source).add(name);
    return true;
  }

  private unprovable(node: NodeProto): SsdPruneError {
    return new SsdPruneError(
      'ERR_VERIFY_VACUOUS',
      `The cut can't be proved: ${this.model.where(node)} computes with quantised numbers in a way that no float32 operator does. Nothing was written. Use --no-verify to cut without a proof.`,
    );
  }
}

const floatTensor = (name: string, dims: number[], values: Float32Array): TensorProto =>
  makeTensor(name, T.FLOAT, dims, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));

const makeNode = (
  opType: string,
  name: string,
  input: string[],
  output: string[],
  attribute: AttributeProto[] = [],
): NodeProto => create(NodeProtoSchema, { opType, name, input, output, attribute });

const makeConstant = (name: string, t: TensorProto): NodeProto =>
  makeNode(
    'Constant',
    '',
    [],
    [name],
    [create(AttributeProtoSchema, { name: 'value', type: AttributeProto_AttributeType.TENSOR, t })],
  );
