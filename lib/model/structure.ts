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
  checkGraph(graph, undefined, '');
}

function bad(message: string): SsdPruneError {
  return new SsdPruneError('ERR_BAD_MODEL', message);
}

/** Names of a graph and who makes them (a node by its index); an inner graph sees those of the graphs around it. */
interface Scope {
  makers: Map<string, string | number>;
  outer: Scope | undefined;
}

function isVisible(name: string, scope: Scope | undefined): boolean {
  for (let s = scope; s; s = s.outer) if (s.makers.has(name)) return true;
  return false;
}

/** Names are unique within a graph, everything read is made, and nodes come after what they read. */
function checkGraph(graph: GraphProto, outer: Scope | undefined, within: string): void {
  const { node: nodes } = graph;
  const makers = new Map<string, string | number>();
  const scope = { makers, outer };
  const say = (maker: string | number) => (typeof maker === 'number' ? nodeName(nodes[maker]!, maker) : maker);
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
  let ordered = true;
  for (const [i, node] of nodes.entries()) {
    if (node.opType === '') throw bad(`${nodeName(node, i)}${within} has no operator`);
    ordered &&= namesRead(node).every((name) => isVisible(name, scope));
    for (const name of node.output) if (name !== '') define(name, i);
  }
  if (!ordered) {
    for (const [i, node] of nodes.entries())
      for (const name of node.input)
        if (name !== '' && !isVisible(name, scope))
          throw bad(`${nodeName(node, i)}${within} reads "${name}", which nothing makes`);
  }
  for (const [i, node] of nodes.entries())
    for (const inner of subgraphs(node)) checkGraph(inner, scope, ` in ${nodeName(node, i)}${within}`);
  for (const { name } of graph.output)
    if (!isVisible(name, scope)) throw bad(`output "${name}"${within} is made by nothing`);
  if (!ordered) sortNodes(graph, makers, within);
}

/** Puts every node behind what it reads; among those that may come next, the first stays first. */
function sortNodes(graph: GraphProto, makers: Scope['makers'], within: string): void {
  const { node: nodes } = graph;
  const sources = nodes.map((node) => {
    const found = namesRead(node).map((name) => makers.get(name));
    return [...new Set(found.filter((maker) => typeof maker === 'number'))];
  });

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
