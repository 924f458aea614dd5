import { getInt } from '../model/attributes';
import type { NodeProto } from '../model/onnx_pb';
import { normalizeAxis, product, transposePermutation } from '../model/operator-arguments';
import type { PlanContext } from './plan';
import type { HeadActivation, PlanValue, RowsValue } from './plan-values';

/** Operators that only rename axes of rows. */
const renaming = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze']);

/** A node at the heads: from maps to rows of boxes. Undefined where it is no such node. */
export function lowerHead(plan: PlanContext, node: NodeProto): PlanValue | undefined {
  const input = plan.input(
    node,
    node.input.findIndex((name) => !plan.model.constant(plan.model.source(name))),
  );
  const op = node.opType;
  if (op === 'Transpose') return transpose(plan, node, input);
  if (renaming.has(op)) return rename(plan, node, input);
  if (input.kind === 'map') return undefined;
  if (op === 'Concat') return concat(plan, node);
  if (op === 'Softmax' || op === 'Sigmoid') return activate(plan, node, input);
  return undefined;
}

function transpose(plan: PlanContext, node: NodeProto, input: PlanValue): RowsValue {
  const rank = input.kind === 'map' ? 4 : input.axes.length + 1;
  const order = transposePermutation(node, rank).join();
  if (input.kind === 'rows' || order !== '0,2,3,1')
    throw plan.unsupported(node, `axes in the order ${order}; at a head only 0,2,3,1, channels last, is supported`);
  const [channels, height, width] = plan.map(node, 0).shape;
  return { kind: 'rows', parts: [input.value], axes: [height, width, channels], activation: 'none' };
}

function rename(plan: PlanContext, node: NodeProto, input: PlanValue): RowsValue {
  const shape = plan.shape(node);
  const single = input.kind === 'map' && input.shape[1] === 1 && input.shape[2] === 1;
  if (input.kind === 'map' && !single)
    throw plan.unsupported(node, 'it mixes channels with places: no Transpose to channels last is before it');
  const rows: RowsValue =
    input.kind === 'rows'
      ? input
      : { kind: 'rows', parts: [plan.map(node, 0).value], axes: [1, 1, input.shape[0]], activation: 'none' };
  const axes = shape.slice(1);
  if (shape[0] !== 1 || product(axes) !== product(rows.axes))
    throw plan.unsupported(
      node,
      `its output has shape [${shape}] for one picture, whose numbers are ${product(rows.axes)}`,
    );
  return { ...rows, axes };
}

function concat(plan: PlanContext, node: NodeProto): RowsValue {
  const inputs = node.input.map((_, i) => plan.input(node, i));
  const parts: number[] = [];
  let rows = 0;
  let first: RowsValue | undefined;
  const axis = normalizeAxis(getInt(node, 'axis', 1), plan.shape(node).length);
  for (const input of inputs) {
    if (input.kind !== 'rows' || input.activation !== (first ?? input).activation)
      throw plan.unsupported(node, 'its inputs are not all rows of boxes of the same kind');
    first ??= input;
    if (axis !== 1 || product(input.axes.slice(1)) !== product(first.axes.slice(1)))
      throw plan.unsupported(node, `it joins along axis ${axis}; rows of boxes of one width join along axis 1`);
    parts.push(...input.parts);
    rows += input.axes[0]!;
  }
  return { kind: 'rows', parts, axes: [rows, ...first!.axes.slice(1)], activation: first!.activation };
}

function activate(plan: PlanContext, node: NodeProto, input: RowsValue): RowsValue {
  if (input.activation !== 'none') throw plan.unsupported(node, `a second activation after ${input.activation}`);
  const activation: HeadActivation = node.opType === 'Softmax' ? 'softmax' : 'sigmoid';
  const rank = input.axes.length + 1;
  // Before opset 13 Softmax runs over all axes from `axis` on, by default 1.
  const axis = normalizeAxis(getInt(node, 'axis', plan.model.opset() >= 13 ? -1 : 1), rank);
  if (activation === 'softmax' && axis !== rank - 1)
    throw plan.unsupported(node, `it runs along axis ${axis}; classes must be the last axis`);
  return { ...input, activation };
}
