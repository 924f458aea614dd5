import { SsdPruneError } from '../errors';
import type { GraphProto, ModelProto } from './onnx_pb';
import { checkTensor } from './tensor';
import { modelTensors, namesRead, nodeName, subgraphs } from './walk';

/** Oldest operator set whose operators this package knows. */
const oldestOpset = 7n;

/**
 * Checks what every later step takes for granted: a graph whose tensors have one producer each, exist before they are
 * read, form no cycle, and hold as much data as their shapes say. Nodes out of order are put in order (stably).
 * @throws {SsdPruneError} ERR_BAD_MODEL naming the node or tensor
 */
export function checkStructure(model: ModelProto): void {
  const { graph } = model;
  if (!graph) throw bad('it has no graph: not an ONNX model, or cut off');
  const opset = model.opsetImport.find((o) => o.domain === '' || o.domain === 'ai.onnx');
  if (!opset && model.opsetImport.length === 0) throw bad('it imports no operator set: not an ONNX model, or cut off');
  if (opset && opset.version < oldestOpset)
    throw bad(`it uses opset ${opset.version}; opset ${oldestOpset} or newer is needed (see onnx.version_converter)`);
  if (graph.node.length === 0) throw bad('its graph has no nodes');
  if (graph.output.length === 0) throw bad('its graph has no outputs');
  for (const [tensor, where] of modelTensors(model)) {
    try {
      checkTensor(tensor);
    } catch (error) {
      throw bad(`${where()}: ${(error as Error).message}`);
    }
  }
  checkGraph(graph, new Set(), '');
  sortNodes(graph, '');
}

function bad(message: string): SsdPruneError {
  return new SsdPruneError('ERR_BAD_MODEL', message);
}

/** Names are unique within a graph and don't hide outer ones that are computed; everything read is defined. */
function checkGraph(graph: GraphProto, outer: ReadonlySet<string>, within: string): void {
  const makers = new Map<string, string | number>();
  const say = (maker: string | number) => (typeof maker === 'number' ? nodeName(graph.node[maker]!, maker) : maker);
  const define = (name: string, maker: string | number) => {
    const earlier = makers.get(name);
    if (earlier !== undefined)
      throw bad(`tensor "${name}" is made twice${within}: by ${say(earlier)} and by ${say(maker)}`);
    makers.set(name, maker);
  };
  for (const { name } of graph.initializer) define(name, 'an initializer');
  for (const sparse of graph.sparseInitializer) define(sparse.values?.name ?? '', 'a sparse initializer');
  const inputs = new Set<string>();
  for (const { name } of graph.input) {
    if (inputs.has(name)) throw bad(`input "${name}" is listed twice${within}`);
    inputs.add(name);
    // Before IR 4 every initializer is an input too.
    if (!makers.has(name)) define(name, 'an input');
  }
  for (const [i, node] of graph.node.entries()) for (const name of node.output) if (name !== '') define(name, i);
  const visible = new Set([...outer, ...makers.keys()]);
  for (const [i, node] of graph.node.entries()) {
    if (node.opType === '') throw bad(`${nodeName(node, i)}${within} has no operator`);
    for (const name of node.input)
      if (name !== '' && !visible.has(name))
        throw bad(`${nodeName(node, i)}${within} reads "${name}", which nothing makes`);
    for (const inner of subgraphs(node)) checkGraph(inner, visible, ` in ${nodeName(node, i)}${within}`);
  }
  for (const { name } of graph.output)
    if (!visible.has(name)) throw bad(`output "${name}"${within} is made by nothing`);
}

/** Kahn's algorithm; taking the lowest index first leaves an ordered graph as it is. */
function sortNodes(graph: GraphProto, within: string): void {
  const { node: nodes } = graph;
  for (const [i, node] of nodes.entries())
    for (const inner of subgraphs(node)) sortNodes(inner, ` in ${nodeName(node, i)}${within}`);
  const makers = new Map<string, number>();
  for (const [i, node] of nodes.entries()) for (const name of node.output) if (name !== '') makers.set(name, i);
  const sources = nodes.map((node) => [...new Set(namesRead(node).flatMap((name) => makers.get(name) ?? []))]);
  if (sources.every((made, i) => made.every((maker) => maker < i))) return;

  // Depth first from each node in turn, with an own stack: graphs may be long chains.
  const order: number[] = [];
  const state = new Uint8Array(nodes.length);
  const open = 1;
  const done = 2;
  for (let root = 0; root < nodes.length; root++) {
    const stack = [root];
    while (stack.length > 0) {
      const at = stack[stack.length - 1]!;
      if (state[at] === done) {
        stack.pop();
        continue;
      }
      state[at] = open;
      const waiting = sources[at]!.filter((maker) => state[maker] !== done);
      if (waiting.length === 0) {
        state[at] = done;
        order.push(at);
        stack.pop();
        continue;
      }
      const again = waiting.find((maker) => state[maker] === open);
      if (again !== undefined) throw bad(`the nodes form a cycle${within} through ${nodeName(nodes[again]!, again)}`);
      stack.push(...waiting.reverse());
    }
  }
  graph.node = order.map((i) => nodes[i]!);
}
