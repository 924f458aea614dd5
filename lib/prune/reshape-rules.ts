import { getInt } from '../model/attributes';
import { product } from '../model/operator-arguments';
import type { Label } from './channel-atoms';
import type { Labels, NodeVisit } from './channel-graph';

/** Axes of two shapes that hold the same elements, axes of size 1 left out. */
interface Block {
  readonly ins: number[];
  readonly outs: number[];
}

/** The finest blocks of neighbouring axes with equal products; undefined where the shapes don't fit. */
export function reshapeBlocks(from: readonly number[], to: readonly number[]): Block[] | undefined {
  const real = (dims: readonly number[]) => dims.map((_, axis) => axis).filter((axis) => dims[axis] !== 1);
  const [left, right] = [real(from), real(to)];
  const blocks: Block[] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    const [ins, outs] = [[left[i++]!], [right[j++]!]];
    let [a, b] = [from[ins[0]!]!, to[outs[0]!]!];
    while (a !== b) {
      if (a < b) {
        const axis = left[i++];
        if (axis === undefined) return undefined;
        ins.push(axis);
        a *= from[axis]!;
      } else {
        const axis = right[j++];
        if (axis === undefined) return undefined;
        outs.push(axis);
        b *= to[axis]!;
      }
    }
    blocks.push({ ins, outs });
  }
  return i === left.length && j === right.length ? blocks : undefined;
}

/**
 * Reshape and Flatten: an axis that is kept, merged with places (each channel then owns a run of them) or split
 * (channels at the same place of the split go together) hands its channels on; anything else locks them.
 */
export function reshape(visit: NodeVisit): void {
  const [from, to] = [visit.shape(0), visit.outputShape()];
  const labels = visit.input(0);
  if (!labels.some(Boolean)) return;
  const blocks = from && to && reshapeBlocks(from, to);
  if (!from || !to || !blocks) {
    visit.lockAll('the shape that it makes is not known');
    return;
  }
  const out: Labels = new Array(to.length).fill(null);
  for (const { ins, outs } of blocks) {
    const owners = ins.filter((axis) => labels[axis]);
    if (owners.length === 0) continue;
    if (owners.length > 1 || (ins.length > 1 && outs.length > 1)) {
      for (const axis of owners) visit.lock(labels[axis], 'the reshape mixes channels with places');
      continue;
    }
    const axis = owners[0]!;
    if (outs.length === 1) {
      const outer = product(ins.filter((other) => other < axis).map((other) => from[other]!));
      const inner = product(ins.filter((other) => other > axis).map((other) => from[other]!));
      out[outs[0]!] = repeat(labels[axis]!, outer, inner);
    } else {
      const [target, label] = split(
        visit,
        labels[axis]!,
        outs.map((other) => to[other]!),
      );
      out[outs[target]!] = label;
    }
  }
  if (visit.node.opType === 'Reshape') editShape(visit, 1, out, from, getInt(visit.node, 'allowzero', 0) === 1);
  visit.output(out);
}

function repeat(label: Label, outer: number, inner: number): Label {
  if (outer === 1 && inner === 1) return label;
  const out = new Int32Array(outer * label.length * inner);
  for (let o = 0, at = 0; o < outer; o++) {
    for (const atom of label) {
      out.fill(atom, at, at + inner);
      at += inner;
    }
  }
  return out;
}

/**
 * Splits one axis into several. Where runs of places belong to one channel (a reshape back after Flatten) the axis
 * that counts channels gets them; else the longest axis does, and its channels are joined over the other axes.
 */
function split(visit: NodeVisit, label: Label, dims: readonly number[]): [number, Label] {
  const strides = dims.map((_, i) => product(dims.slice(i + 1)));
  const along = (target: number): { first: Int32Array; uniform: boolean } => {
    const first = new Int32Array(dims[target]!);
    for (let i = 0; i < first.length; i++) first[i] = label[i * strides[target]!]!;
    const uniform = label.every((atom, place) => atom === first[Math.floor(place / strides[target]!) % dims[target]!]);
    return { first, uniform };
  };
  for (let target = 0; target < dims.length; target++) {
    const { first, uniform } = along(target);
    if (uniform) return [target, first];
  }
  const target = dims.indexOf(Math.max(...dims));
  const { first } = along(target);
  const why = visit.why('it is split among channels that stay');
  label.forEach((atom, place) => {
    visit.atoms.join(atom, first[Math.floor(place / strides[target]!) % dims[target]!]!, why);
  });
  return [target, first];
}

/**
 * Notes that entries of a constant shape (input `input` of the node) must become the new widths. Entries that are
 * computed at run time are written as 0 (copied from the input) or −1 in the new constant; where that can't be done
 * the channels are locked.
 */
export function editShape(
  visit: NodeVisit,
  input: number,
  out: Labels,
  from: readonly number[],
  allowZero: boolean,
): void {
  const ints = visit.infos[input]?.ints;
  if (!ints) {
    for (const label of out) visit.lock(label, 'the shape that it makes is not constant');
    return;
  }
  const to = visit.outputShape()!;
  const entries = out.flatMap((label, index) => {
    const fixed = label && !ints.dynamic[index] && ints.data[index]! > 0;
    return fixed ? [{ index, label }] : [];
  });
  if (entries.length === 0) return;
  const values = [...ints.data];
  let open = values.indexOf(-1) >= 0;
  for (let index = 0; index < values.length; index++) {
    if (!ints.dynamic[index]) continue;
    const copies = visit.node.opType === 'Reshape' && !allowZero && index < from.length && from[index] === to[index];
    if (copies && product(from.slice(0, index)) === product(to.slice(0, index))) values[index] = 0;
    else if (visit.node.opType === 'Reshape' && !open) {
      values[index] = -1;
      open = true;
    } else {
      for (const { label } of entries) visit.lock(label, 'its shape is computed at run time beside a fixed width');
      return;
    }
  }
  visit.graph.edits.push({ kind: 'shape', node: visit.node, input, values, entries });
}
