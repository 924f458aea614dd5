import { create } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  type GraphProto,
  GraphProtoSchema,
  NodeProtoSchema,
  AttributeProto_AttributeType as Type,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb';
import { makeTensor } from './tensor';

/** Appends nodes and initializers to a graph under construction; every method returns the name of its output. */
export class GraphWriter {
  readonly graph: GraphProto;

  constructor(name: string) {
    this.graph = create(GraphProtoSchema, { name });
  }

  /** Adds a node called `name`; its output is `output`, by default `name.out`. Attributes are integers. */
  node(
    opType: string,
    name: string,
    input: string[],
    attributes: Record<string, number | number[]> = {},
    output = `${name}.out`,
  ): string {
    const attribute = Object.entries(attributes).map(([key, value]) => intAttribute(key, value));
    this.graph.node.push(create(NodeProtoSchema, { opType, name, input, output: [output], attribute }));
    return output;
  }

  /** Sets a float attribute of the node added last; a file keeps 32 bits of it. */
  float(name: string, value: number): void {
    this.graph.node
      .at(-1)!
      .attribute.push(create(AttributeProtoSchema, { name, type: Type.FLOAT, f: Math.fround(value) }));
  }

  weights(name: string, dims: number[], values: Float32Array): string {
    this.graph.initializer.push(makeTensor(name, DataType.FLOAT, dims, new Uint8Array(values.buffer)));
    return name;
  }

  ints(name: string, values: number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.graph.initializer.push(makeTensor(name, DataType.INT64, [values.length], bytes));
    return name;
  }

  input(name: string, dims: (number | string)[]): string {
    this.graph.input.push(floatInfo(name, dims));
    return name;
  }

  output(name: string, dims: (number | string)[]): void {
    this.graph.output.push(floatInfo(name, dims));
  }
}

function intAttribute(name: string, value: number | number[]): AttributeProto {
  return Array.isArray(value)
    ? create(AttributeProtoSchema, { name, type: Type.INTS, ints: value.map(BigInt) })
    : create(AttributeProtoSchema, { name, type: Type.INT, i: BigInt(value) });
}

/** A float tensor with fixed (number) and free (named) axes. */
function floatInfo(name: string, dims: (number | string)[]): ValueInfoProto {
  const dim = dims.map((d) => ({
    value:
      typeof d === 'number' ? { case: 'dimValue' as const, value: BigInt(d) } : { case: 'dimParam' as const, value: d },
  }));
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: 'tensorType', value: { elemType: DataType.FLOAT, shape: { dim } } } },
  });
}
