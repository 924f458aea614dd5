import { create } from '@bufbuild/protobuf';
import { SsdPruneError } from '../errors';
import { constantValue, setConstantValue } from './constant-node';
import {
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  type NodeProto,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataType,
  TensorShapeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb';
import { tensorDims } from './tensor';
import { definedNames, namesRead, nodeName, subgraphs } from './walk';

interface Index {
  initializers: Map<string, number>;
  constants: Map<string, TensorProto | undefined>;
  producers: Map<string, NodeProto>;
  consumers: Map<string, NodeProto[]>;
  positions: Map<NodeProto, number>;
  inputs: Set<string>;
  outputs: Set<string>;
}

/** IR version from which initializers need not be listed among the graph's inputs. */
const irWithoutInputs = 4n;

/**
 * An ONNX model with look-ups by tensor name. The protobuf message stays the truth: whoever adds, removes or renames
 * nodes or tensors in it calls {@link invalidate} afterwards; changing weights, shapes or attributes needs no call.
 */
export class OnnxModel {
  readonly proto: ModelProto;
  /** Where it was read from, for messages. */
  readonly file: string | undefined;
  /** Files that its external data were read from. */
  readonly dataFiles: string[] = [];
  #index: Index | undefined;
  #names: Set<string> | undefined;

  constructor(proto: ModelProto, file?: string) {
    this.proto = proto;
    this.file = file;
  }

  get graph(): GraphProto {
    this.proto.graph ??= create(GraphProtoSchema);
    return this.proto.graph;
  }

  /** Version of an operator set that the model imports; `''` and `'ai.onnx'` are the same. 0 where it imports none. */
  opset(domain = ''): number {
    const same = (name: string) => (name === 'ai.onnx' ? '' : name);
    return Number(this.proto.opsetImport.find((o) => same(o.domain) === same(domain))?.version ?? 0n);
  }

  /**
   * The value of a tensor that no input can change: an initializer or the output of a Constant node (`value`,
   * `value_float(s)` and `value_int(s)`). Undefined for everything else, sparse and string constants included. An
   * initializer that is listed among the graph's inputs too counts as constant: that is how IR 3 writes every weight.
   */
  constant(name: string): TensorProto | undefined {
    const { constants, initializers, producers } = this.#indexed();
    const at = initializers.get(name);
    if (at !== undefined) return this.graph.initializer[at];
    if (constants.has(name)) return constants.get(name);
    const node = producers.get(name);
    const value = node && isConstant(node) ? constantValue(node) : undefined;
    constants.set(name, value);
    return value;
  }

  /**
   * Puts another tensor in the place of a constant, in whichever form it is stored. Where an IR 3 model lists the
   * initializer among its inputs, the shape there follows.
   * @throws {SsdPruneError} ERR_INTERNAL where no constant has that name
   */
  replaceConstant(name: string, tensor: TensorProto): void {
    const { constants, initializers, producers } = this.#indexed();
    const at = initializers.get(name);
    if (at !== undefined) {
      tensor.name = name;
      this.graph.initializer[at] = tensor;
      for (const input of this.graph.input) if (input.name === name) setShape(input, tensorDims(tensor));
      return;
    }
    const node = producers.get(name);
    if (!node || !isConstant(node)) throw new SsdPruneError('ERR_INTERNAL', `No constant is called "${name}"`);
    setConstantValue(node, tensor);
    constants.set(name, tensor);
  }

  /**
   * Appends an initializer (and, before IR 4, the input that must go with it).
   * @throws {SsdPruneError} ERR_INTERNAL where the name is taken
   */
  addInitializer(tensor: TensorProto): void {
    if (this.#allNames().has(tensor.name))
      throw new SsdPruneError('ERR_INTERNAL', `The name "${tensor.name}" is taken already`);
    this.graph.initializer.push(tensor);
    if (this.proto.irVersion < irWithoutInputs) this.graph.input.push(valueInfo(tensor));
    this.invalidate();
  }

  /** `stem`, or `stem_1`, `stem_2`, …: the first that no tensor or node of the model, subgraphs included, has. */
  uniqueName(stem: string): string {
    const names = this.#allNames();
    let name = stem;
    for (let i = 1; names.has(name); i++) name = `${stem}_${i}`;
    return name;
  }

  /** The node that computes a tensor; undefined for inputs, initializers and unknown names. */
  producer(tensor: string): NodeProto | undefined {
    return this.#indexed().producers.get(tensor);
  }

  /** Nodes that read a tensor, each once, in graph order; those whose subgraphs alone read it are among them. */
  consumers(tensor: string): NodeProto[] {
    return this.#indexed().consumers.get(tensor) ?? [];
  }

  /** The tensor whose value `name` carries unchanged: follows Identity nodes back. `name` itself where there is none. */
  source(name: string): string {
    const { producers } = this.#indexed();
    for (;;) {
      const node = producers.get(name);
      if (node?.opType !== 'Identity' || !isOnnxDomain(node) || !node.input[0]) return name;
      name = node.input[0];
    }
  }

  /** Whether the caller feeds it: listed among the inputs, and no initializer gives its value. */
  isGraphInput(name: string): boolean {
    const { inputs, initializers } = this.#indexed();
    return inputs.has(name) && !initializers.has(name);
  }

  isGraphOutput(name: string): boolean {
    return this.#indexed().outputs.has(name);
  }

  metadata(key: string): string | undefined {
    return this.proto.metadataProps.find((entry) => entry.key === key)?.value;
  }

  /** A new entry comes before the first one with a greater key: files don't tell what was written first. */
  setMetadata(key: string, value: string): void {
    const entries = this.proto.metadataProps;
    const entry = entries.find((e) => e.key === key);
    if (entry) {
      entry.value = value;
      return;
    }
    const after = entries.findIndex((e) => e.key > key);
    const place = after < 0 ? entries.length : after;
    entries.splice(place, 0, create(StringStringEntryProtoSchema, { key, value }));
  }

  /** A model of its own that shares the weights' bytes: nobody writes into those, see `setTensorBytes`. */
  clone(): OnnxModel {
    return new OnnxModel(copyStructure(this.proto), this.file);
  }

  /** `Conv node "conv1" (#12)`, for messages. */
  where(node: NodeProto): string {
    const position = this.#indexed().positions.get(node);
    return position === undefined ? `${node.opType} node ${JSON.stringify(node.name)}` : nodeName(node, position);
  }

  /** Forgets the look-up tables; they are built anew at the next question. */
  invalidate(): void {
    this.#index = undefined;
    this.#names = undefined;
  }

  #indexed(): Index {
    this.#index ??= buildIndex(this.graph);
    return this.#index;
  }

  #allNames(): Set<string> {
    this.#names ??= collectNames(this.graph, new Set());
    return this.#names;
  }
}

/** Whether the node's operator is ONNX's own, not a custom one of the same name. */
export function isOnnxDomain(node: NodeProto): boolean {
  return node.domain === '' || node.domain === 'ai.onnx';
}

function isConstant(node: NodeProto): boolean {
  return node.opType === 'Constant' && isOnnxDomain(node);
}

function buildIndex(graph: GraphProto): Index {
  const index: Index = {
    initializers: new Map(graph.initializer.map((t, i) => [t.name, i])),
    constants: new Map(),
    producers: new Map(),
    consumers: new Map(),
    positions: new Map(),
    inputs: new Set(graph.input.map((i) => i.name)),
    outputs: new Set(graph.output.map((o) => o.name)),
  };
  for (const [position, node] of graph.node.entries()) {
    index.positions.set(node, position);
    for (const name of node.output) if (name !== '') index.producers.set(name, node);
    for (const name of new Set(namesRead(node))) {
      const nodes = index.consumers.get(name);
      if (nodes) nodes.push(node);
      else index.consumers.set(name, [node]);
    }
  }
  return index;
}

function collectNames(graph: GraphProto, names: Set<string>): Set<string> {
  for (const name of definedNames(graph)) names.add(name);
  for (const { name } of [...graph.output, ...graph.valueInfo]) names.add(name);
  for (const node of graph.node) {
    names.add(node.name);
    for (const inner of subgraphs(node)) collectNames(inner, names);
  }
  return names;
}

function setShape(info: ValueInfoProto, dims: number[]): void {
  if (info.type?.value.case !== 'tensorType') return;
  info.type.value.value.shape = create(TensorShapeProtoSchema, {
    dim: dims.map((d) => ({ value: { case: 'dimValue' as const, value: BigInt(d) } })),
  });
}

function valueInfo(tensor: TensorProto): ValueInfoProto {
  const info = create(ValueInfoProtoSchema, {
    name: tensor.name,
    type: { value: { case: 'tensorType', value: { elemType: tensor.dataType || TensorProto_DataType.FLOAT } } },
  });
  setShape(info, tensorDims(tensor));
  return info;
}

/** Copies messages and lists; bytes are shared. Prototypes carry protobuf's defaults, so they are kept. */
function copyStructure<V>(value: V): V {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return (typeof value[0] === 'object' ? value.map(copyStructure) : value.slice()) as V;
  const copy = Object.create(Object.getPrototypeOf(value));
  for (const key of Object.keys(value)) copy[key] = copyStructure((value as Record<string, unknown>)[key]);
  return copy;
}
