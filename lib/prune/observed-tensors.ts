import { create } from '@bufbuild/protobuf';
import { type NodeProto, ValueInfoProtoSchema } from '../model/onnx_pb';
import { isOnnxDomain, type OnnxModel } from '../model/onnx-model';
import { namesRead } from '../model/walk';
import type { ChannelGraph } from './channel-graph';

/** Operators that jump, so that a difference in the last bit may change everything behind them. */
const jumps = new Set(
  (
    'ArgMax ArgMin Ceil Compress Equal Floor Greater GreaterOrEqual If Less LessOrEqual Loop Multinomial NonMaxSuppression ' +
    'NonZero OneHot QuantizeLinear RandomNormal RandomUniform Round Scan Sign TopK Unique Where'
  ).split(' '),
);

/**
 * Tensors by which two versions of a model are compared: the outputs of the weighted layers behind which no other
 * lies (the heads, before Softmax, decoding and suppression), and the graph outputs that depend on them smoothly.
 * @param model a float copy of the graph's model.
 */
export function comparedTensors(graph: ChannelGraph, model: OnnxModel): string[] {
  const weighted = new Set(graph.macTerms.flatMap(({ name, node }) => (name === undefined ? [] : node.output)));
  const compared = new Set<string>();
  for (const output of model.graph.output) {
    let smooth = true;
    const seen = new Set<string>();
    const queue = [output.name];
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      const node: NodeProto | undefined = seen.has(name) ? undefined : model.producer(name);
      seen.add(name);
      if (!node || model.constant(name)) continue;
      if (jumps.has(node.opType) || !isOnnxDomain(node)) smooth = false;
      if (weighted.has(name)) compared.add(name);
      else if (node.opType !== 'Shape') queue.push(...namesRead(node));
    }
    if (smooth && !model.constant(output.name) && seen.size > 0) compared.add(output.name);
  }
  // A head that can lose channels itself is read by something that changes with it: nothing to compare there.
  return [...compared].filter((name) =>
    graph
      .labelsOf(name)
      .every((label) => !label || Array.from(label).every((atom) => atom < 0 || graph.atoms.lockOf(atom))),
  );
}

/** Makes tensors of the main graph outputs of the model, beside those it has. */
export function exposeTensors(model: OnnxModel, names: readonly string[]): void {
  for (const name of names) {
    if (!model.isGraphOutput(name)) model.graph.output.push(create(ValueInfoProtoSchema, { name }));
  }
  model.invalidate();
}
