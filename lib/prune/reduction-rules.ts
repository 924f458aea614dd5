import { getInt } from '../model/attributes';
import { normalizeAxis, reductionAxes } from '../model/operator-arguments';
import type { NodeVisit } from './channel-graph';
import type { ChannelRule } from './channel-rules';

/** Operators that compute over whole axes (a norm, a softmax): channels along these must all stay. */
export const over =
  (axesOf: (visit: NodeVisit, rank: number) => number[], what: string): ChannelRule =>
  (visit) => {
    const labels = [...visit.input(0)];
    for (const axis of axesOf(visit, labels.length)) {
      visit.lock(labels[axis], what);
      labels[axis] = null;
    }
    visit.output(labels);
  };

const from = (axis: number, rank: number): number[] =>
  Array.from({ length: rank }, (_, i) => i).filter((i) => i >= normalizeAxis(axis, rank));

export const softmax = over((visit, rank) => {
  const old = visit.graph.model.opset() < 13;
  const axis = getInt(visit.node, 'axis', old ? 1 : -1);
  return old ? from(axis, rank) : [normalizeAxis(axis, rank)];
}, 'it computes over the channels');

export const layerNorm: ChannelRule = (visit) => {
  const rank = visit.input(0).length;
  const axis = getInt(visit.node, 'axis', -1);
  for (const i of [1, 2])
    if (visit.has(i)) for (const label of visit.ownInput(i)) visit.lock(label, 'it normalises over the channels');
  over(() => from(axis, rank), 'it normalises over the channels')(visit);
};

export function reduce(visit: NodeVisit): void {
  const labels = visit.input(0);
  if (!labels.some(Boolean)) return;
  const axes = reductionAxes(visit.node, visit.infos);
  if (!axes) {
    visit.lockAll('its axes are not constant');
    return;
  }
  for (const axis of axes) visit.lock(labels[axis], 'it reduces over the channels');
  const kept = getInt(visit.node, 'keepdims', 1) === 1;
  const out = labels.map((label, axis) => (axes.includes(axis) ? null : label));
  visit.output(kept ? out : out.filter((_, axis) => !axes.includes(axis)));
}

/** ArgMax, TopK: a choice along the channels needs all of them. */
export const choose =
  (fallback: number): ChannelRule =>
  (visit) => {
    const labels = visit.input(0);
    if (!labels.some(Boolean)) return;
    const axis = normalizeAxis(getInt(visit.node, 'axis', fallback), labels.length);
    visit.lock(labels[axis], 'it chooses among the channels');
    const out = labels.map((label, i) => (i === axis ? null : label));
    const dropped = visit.node.opType !== 'TopK' && getInt(visit.node, 'keepdims', 1) === 0;
    visit.node.output.forEach((_, i) => {
      visit.output(dropped ? out.filter((__, j) => j !== axis) : out, i);
    });
  };
