import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from './onnx_pb';

/** The graphs that a node holds in its attributes: branches of If, bodies of Loop and Scan. */
export function subgraphs(node: NodeProto): GraphProto[] {
  return node.attribute.flatMap((a) => (a.g ? [a.g, ...a.graphs] : a.graphs));
}

/** Every tensor of a graph, its nodes' attributes and their subgraphs, with words for where it lies. */
export function* graphTensors(graph: GraphProto, within = ''): Generator<[tensor: TensorProto, where: string]> {
  for (const t of graph.initializer) yield [t, `initializer${within}`];
  for (const sparse of graph.sparseInitializer) {
    if (sparse.values) yield [sparse.values, `values of a sparse initializer${within}`];
    if (sparse.indices) yield [sparse.indices, `indices of a sparse initializer${within}`];
  }
  yield* nodeTensors(graph.node, within);
}

function* nodeTensors(nodes: NodeProto[], within: string): Generator<[tensor: TensorProto, where: string]> {
  for (const [index, node] of nodes.entries()) {
    const place = `${node.opType} node ${JSON.stringify(node.name)} (#${index})${within}`;
    for (const attribute of node.attribute) yield* attributeTensors(attribute, place);
  }
}

function* attributeTensors(a: AttributeProto, place: string): Generator<[tensor: TensorProto, where: string]> {
  const where = `attribute "${a.name}" of ${place}`;
  if (a.t) yield [a.t, where];
  for (const t of a.tensors) yield [t, where];
  for (const sparse of a.sparseTensor ? [a.sparseTensor, ...a.sparseTensors] : a.sparseTensors) {
    if (sparse.values) yield [sparse.values, where];
    if (sparse.indices) yield [sparse.indices, where];
  }
  for (const graph of a.g ? [a.g, ...a.graphs] : a.graphs) yield* graphTensors(graph, ` in ${where}`);
}

/** Every tensor of a model: its graph, functions and training graphs. */
export function* modelTensors(model: ModelProto): Generator<[tensor: TensorProto, where: string]> {
  if (model.graph) yield* graphTensors(model.graph);
  for (const f of model.functions) yield* nodeTensors(f.node, ` of function "${f.name}"`);
  for (const info of model.trainingInfo) {
    if (info.initialization) yield* graphTensors(info.initialization, ' in training_info');
    if (info.algorithm) yield* graphTensors(info.algorithm, ' in training_info');
  }
}

/**
 * Names that a node reads: its inputs, and what its subgraphs take from outside. Optional inputs left out (empty names)
 * are not listed; a name that is read twice is listed twice.
 */
export function namesRead(node: NodeProto): string[] {
  const names = node.input.filter((name) => name !== '');
  for (const graph of subgraphs(node)) names.push(...capturedNames(graph));
  return names;
}

/** Names that a subgraph reads but does not define: tensors of the graphs around it. */
function capturedNames(graph: GraphProto): string[] {
  const own = new Set(definedNames(graph));
  const read = graph.node.flatMap(namesRead);
  for (const output of graph.output) read.push(output.name);
  return read.filter((name) => !own.has(name));
}

/** Names that a graph itself defines: inputs, initializers and node outputs. */
export function* definedNames(graph: GraphProto): Generator<string> {
  for (const { name } of graph.input) yield name;
  for (const { name } of graph.initializer) yield name;
  for (const sparse of graph.sparseInitializer) if (sparse.values) yield sparse.values.name;
  for (const node of graph.node) for (const name of node.output) if (name !== '') yield name;
}
