import { normalizeAxis, shapeRange, sliceRanges } from '../model/operator-arguments';
import type { Label } from './channel-atoms';
import type { NodeVisit } from './channel-graph';

/** Inputs that say how large something is: what a cut changes there is right, or corrected by the operator's rule. */
const shapeArguments: Record<string, readonly number[]> = {
  ConstantOfShape: [0],
  Expand: [1],
  Pad: [1],
  Range: [0, 1, 2],
  Reshape: [1],
  Resize: [2, 3],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  Tile: [1],
  Unsqueeze: [1],
  Upsample: [1],
};

/** Operators whose result has the input's elements in the input's order. */
const copies = new Set('Cast Ceil Floor Identity Neg Reshape Squeeze Unsqueeze'.split(' '));

/**
 * Follows the widths that a model reads from its own tensors (Shape, Size) on their way to Reshape and the like. Where
 * such a number gets among the data instead, as in a division by the number of channels, a cut would change the
 * result: those channels are locked.
 */
export class WidthValues {
  /** For each element of a tensor the labels whose width it is computed from. */
  private readonly origins = new Map<string, Label[][]>();

  follow(visit: NodeVisit): void {
    const { node } = visit;
    if (node.opType === 'Shape' || node.opType === 'Size') {
      const labels = visit.input(0).map((label) => (label ? [label] : []));
      const read = node.opType === 'Size' ? [labels.flat()] : labels.slice(...shapeRange(node, labels.length));
      this.note(node.output[0], read);
      return;
    }
    const reads = node.input.flatMap((name, input) => (this.origins.has(name) ? input : []));
    const asData = reads.filter((input) => !shapeArguments[node.opType]?.includes(input));
    if (asData.length === 0) return;
    const size = visit.graph.infos.get(node.output[0] ?? '')?.ints?.data.length;
    const isIndex = node.opType === 'Gather' && asData.includes(1);
    if (size !== undefined && !isIndex) {
      this.note(node.output[0], this.result(visit, size));
      return;
    }
    for (const input of asData) {
      for (const label of this.of(visit, input).flat()) visit.lock(label, 'the number of channels is used in the data');
    }
  }

  private note(name: string | undefined, elements: Label[][]): void {
    if (name && elements.some((labels) => labels.length > 0)) this.origins.set(name, elements);
  }

  private of(visit: NodeVisit, input: number): Label[][] {
    const known = this.origins.get(visit.node.input[input] ?? '');
    return known ?? new Array<Label[]>(visit.infos[input]?.ints?.data.length ?? 0).fill([]);
  }

  /** Origins of a node's result, which has `size` elements. */
  private result(visit: NodeVisit, size: number): Label[][] {
    const { node } = visit;
    const first = this.of(visit, 0);
    if (copies.has(node.opType) && first.length === size) return first;
    if (node.opType === 'Concat') return node.input.flatMap((_, input) => this.of(visit, input));
    const shape = visit.shape(0);
    if (node.opType === 'Gather' && shape?.length === 1) {
      return visit.infos[1]!.ints!.data.map((index) => first[normalizeAxis(index, first.length)]!);
    }
    const range = node.opType === 'Slice' && shape?.length === 1 ? sliceRanges(node, visit.infos)?.get(0) : undefined;
    if (range) return Array.from({ length: size }, (_, i) => first[range.start + i * range.step]!);
    const all = node.input.flatMap((_, input) => this.of(visit, input).flat());
    return new Array<Label[]>(size).fill([...new Set(all)]);
  }
}
