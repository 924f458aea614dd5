import type { GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto } from './onnx_pb';

/** The graphs that a node holds in its attributes: branches of If, bodies of Loop and Scan. */
export function subgraphs(node: NodeProto): GraphProto[] {
  const found: GraphProto[] = [];
  for (const { g, graphs } of node.attribute) {
    if (g) found.push(g);
    for (const graph of graphs) found.push(graph);
  }
  return found;
}

type TensorVisitor = (tensor: TensorProto, where: () => string) => void;

/**
 * Every tensor of a model, of its graph, functions and training graphs, subgraphs included; each with a function that
 * says in words where it lies.
 */
export function modelTensors(model: ModelProto): [tensor: TensorProto, where: () => string][] {
  const found: [tensor: TensorProto, where: () => string][] = [];
  const visit: TensorVisitor = (tensor, where) => found.push([tensor, where]);
  if (model.graph) visitGraph(model.graph, visit, () => '');
  for (const f of model.functions) visitNodes(f.node, visit, () => ` of function ${JSON.stringify(f.name)}`);
  for (const { initialization, algorithm } of model.trainingInfo)
    for (const graph of [initialization, algorithm]) if (graph) visitGraph(graph, visit, () => ' in training_info');
  return found;
}

function visitGraph(graph: GraphProto, visit: TensorVisitor, within: () => string): void {
  for (const t of graph.initializer) visit(t, () => `initializer${within()}`);
  for (const sparse of graph.sparseInitializer) visitSparse(sparse, visit, () => `sparse initializer${within()}`);
  visitNodes(graph.node, visit, within);
}

function visitSparse({ values, indices }: SparseTensorProto, visit: TensorVisitor, where: () => string): void {
  if (values) visit(values, () => `values of ${where()}`);
  if (indices) visit(indices, () => `indices of ${where()}`);
}

function visitNodes(nodes: NodeProto[], visit: TensorVisitor, within: () => string): void {
  for (const [index, node] of nodes.entries())
    for (const a of node.attribute) {
      const where = () => `attribute "${a.name}" of ${nodeName(node, index)}${within()}`;
      if (a.t) visit(a.t, where);
      for (const t of a.tensors) visit(t, where);
      if (a.sparseTensor) visitSparse(a.sparseTensor, visit, where);
      for (const sparse of a.sparseTensors) visitSparse(sparse, visit, where);
      if (a.g) visitGraph(a.g, visit, () => ` in ${where()}`);
      for (const graph of a.graphs) visitGraph(graph, visit, () => ` in ${where()}`);
    }
}

/** `Conv node "conv1" (#12)`, for messages. */
export function nodeName(node: NodeProto, index: number): string {
  return `${node.opType || 'unnamed operator'} node ${JSON.stringify(node.name)} (#${index})`;
}

/**
 * Names that a node reads: its inputs, and what its subgraphs take from outside. Optional inputs left out (empty names)
 * are not listed; a name that is read twice is listed twice.
 */
export function namesRead(node: NodeProto): string[] {
  const names = node.input.filter((name) => name !== '');
  for (const graph of subgraphs(node)) for (const name of capturedNames(graph)) names.push(name);
  return names;
}

/** Names that a subgraph reads but does not define: tensors of the graphs around it. */
export function capturedNames(graph: GraphProto): string[] {
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
