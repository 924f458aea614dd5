import { getInt, getInts } from '../model/attributes';
import { product } from '../model/operator-arguments';
import type { MacTerm } from './channel-graph';
import type { ChannelGroups, LabelSize } from './channel-groups';

/** How the work of a model is counted: true multiply-accumulates, or Paddle 1.x's FLOPs with its quirks. */
export type CountMode = 'macs' | 'paddle1x';

/** Members kept in each group, by group id. */
export type KeptCounts = ArrayLike<number>;

/** What widths cost together. */
export interface WidthCost {
  /** Everything kept. */
  whole(): number[];
  total(kept: KeptCounts): number;
  /** Parts that, with a constant, add up to the total. */
  factors(): readonly CostFactor[];
}

/** A part of the cost that hangs on the widths of few groups, given by id, ascending. */
export interface CostFactor {
  readonly groups: readonly number[];
  cost(kept: KeptCounts): number;
}

interface Term {
  readonly name: string | undefined;
  readonly factor: number;
  readonly axes: readonly LabelSize[];
  /** A depthwise node, whose `group` a cut lowers with its channels. */
  readonly depthwise: boolean;
}

/** Places of an axis that are left. */
export const sizeAt = ({ fixed, perMember }: LabelSize, kept: KeptCounts): number =>
  perMember.reduce((sum, { group, places }) => sum + places * kept[group]!, fixed);

const groupsOf = (axes: readonly LabelSize[]): number[] =>
  [...new Set(axes.flatMap(({ perMember }) => perMember.map(({ group }) => group)))].sort((a, b) => a - b);

function workOf({ factor, axes }: Term, kept: KeptCounts): number {
  let work = factor;
  for (const axis of axes) work *= sizeAt(axis, kept);
  return work;
}

/** Work of the model as a function of how many members each group keeps. */
export class CostModel implements WidthCost {
  private readonly terms: readonly Term[];
  private readonly rest: number;

  constructor(
    readonly groups: ChannelGroups,
    readonly mode: CountMode,
  ) {
    const { macTerms } = groups.graph;
    const paddle = mode === 'paddle1x';
    const depthwise = new Set(groups.graph.edits.flatMap((edit) => (edit.kind === 'group' ? edit.node : [])));
    this.terms = macTerms.map((term) => ({
      depthwise: depthwise.has(term.node),
      name: term.name,
      factor: paddle ? paddleFactor(term) : term.factor,
      axes: term.axes.map(({ label, size }) => (label ? groups.sizeOf(label) : { fixed: size, perMember: [] })),
    }));
    this.rest = paddle ? this.paddleRest() : 0;
  }

  /** Everything kept. */
  whole(): number[] {
    return this.groups.groups.map((group) => group.classes.length);
  }

  total(kept: KeptCounts): number {
    let sum = this.rest;
    for (const term of this.terms) sum += workOf(term, kept);
    return sum;
  }

  factors(): CostFactor[] {
    return this.terms.flatMap((term) => {
      const open = term.axes.filter(({ perMember }) => perMember.length > 0);
      const groups = groupsOf(open);
      if (groups.length <= 2 || open.length > 2) return { groups, cost: (kept) => workOf(term, kept) };
      // A sum of many groups, such as a long Concat: its product with the other axis is a sum over pairs.
      const parts = open.map(({ fixed, perMember }) => [
        { fixed, perMember: [] },
        ...perMember.map((one) => ({ fixed: 0, perMember: [one] })),
      ]);
      const [first = [], second = [{ fixed: 1, perMember: [] }]] = parts;
      const rest = term.axes.filter(({ perMember }) => perMember.length === 0);
      return first.flatMap((one) =>
        second.map((other) => {
          const part = { ...term, axes: [one, other, ...rest] };
          return { groups: groupsOf([one, other]), cost: (kept: KeptCounts) => workOf(part, kept) };
        }),
      );
    });
  }

  /**
   * Work as counted on the finished model. Differs from what the search sees in Paddle's count only: there a depthwise
   * convolution is divided by its groups twice, and once these are updated it costs as much as before the cut.
   */
  totalAfterCut(kept: KeptCounts): number {
    if (this.mode === 'macs') return this.total(kept);
    const whole = this.whole();
    return this.terms.reduce(
      (sum, { factor, axes, depthwise }) =>
        sum + axes.reduce((work, axis) => work * sizeAt(axis, depthwise ? whole : kept), factor),
      this.rest,
    );
  }

  /** Share of the work that is gone. */
  cut(kept: KeptCounts): number {
    return 1 - this.total(kept) / this.total(this.whole());
  }

  /** Work of the node that a weight belongs to (of all its nodes, where it is shared). */
  ofLayer(name: string, kept: KeptCounts): number {
    return this.terms.filter((term) => term.name === name).reduce((sum, term) => sum + workOf(term, kept), 0);
  }

  /**
   * What Paddle 1.8.5 counts beside convolutions: pooling as k² a place, Relu, Sigmoid and BatchNormalization as one
   * an element, all with the shapes before the cut (its search does not refresh them).
   */
  private paddleRest(): number {
    const { model, infos } = this.groups.graph;
    let sum = 0;
    for (const node of model.graph.node) {
      if (node.opType === 'Relu' || node.opType === 'Sigmoid' || node.opType === 'BatchNormalization') {
        sum += product(infos.get(node.input[0] ?? '')?.shape ?? [0]);
      } else if (node.opType === 'MaxPool' || node.opType === 'AveragePool') {
        sum += product(infos.get(node.output[0] ?? '')?.shape ?? [0]) * getInts(node, 'kernel_shape', [0])[0]! ** 2;
      }
    }
    return sum;
  }
}

/** Two FLOPs a multiply-accumulate, and the input channels of a grouped filter divided by the groups once more. */
function paddleFactor({ node, factor }: MacTerm): number {
  return (2 * factor) / (node.opType === 'Conv' ? getInt(node, 'group', 1) : 1);
}
