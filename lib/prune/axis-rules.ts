import { getInt, getInts, getString } from '../model/attributes';
import {
  normalizeAxis,
  padAmounts,
  sliceArguments,
  sliceRanges,
  splitSizes,
  transposePermutation,
} from '../model/operator-arguments';
import type { Label } from './channel-atoms';
import type { NodeVisit } from './channel-graph';
import { editShape } from './reshape-rules';

export function concat(visit: NodeVisit): void {
  const inputs = visit.node.input.map((_, i) => visit.input(i));
  const shapes = visit.node.input.map((_, i) => visit.shape(i));
  const out = visit.outputShape();
  if (!inputs.some((labels) => labels.some(Boolean))) return;
  if (!out || shapes.some((shape) => !shape)) {
    visit.lockAll('the shape of an input is not known');
    return;
  }
  const along = normalizeAxis(getInt(visit.node, 'axis', 1), out.length);
  const labels = out.map((_, axis): Label | null => {
    const parts = inputs.map((input) => input[axis] ?? null);
    if (axis !== along) {
      for (const part of parts.slice(1)) {
        visit.atoms.joinLabels(parts[0]!, part, visit.why('the tensors beside it have channels that stay'));
      }
      return parts.find(Boolean) ?? null;
    }
    if (!parts.some(Boolean)) return null;
    const joined = new Int32Array(out[axis]!).fill(-1);
    let at = 0;
    parts.forEach((part, i) => {
      if (part) joined.set(part, at);
      at += shapes[i]![axis]!;
    });
    return joined;
  });
  visit.output(labels);
}

export function split(visit: NodeVisit): void {
  const labels = visit.input(0);
  const shape = visit.shape(0);
  if (!labels.some(Boolean)) return;
  if (!shape) {
    visit.lockAll('the shape of its input is not known');
    return;
  }
  const axis = normalizeAxis(getInt(visit.node, 'axis', 0), labels.length);
  const label = labels[axis];
  if (visit.has(1) && !visit.infos[1]?.ints && label) visit.lock(label, 'its sizes are not constant');
  const sizes = splitSizes(visit.node, shape[axis]!, visit.infos[1]?.ints?.data);
  let at = 0;
  const parts = sizes.map((size) => {
    const part = label ? label.subarray(at, at + size) : null;
    at += size;
    return part;
  });
  if (label) visit.graph.edits.push({ kind: 'split', node: visit.node, labels: parts as Label[] });
  parts.forEach((part, i) => {
    visit.output(
      labels.map((other, j) => (j === axis ? part : other)),
      i,
    );
  });
}

export function slice(visit: NodeVisit): void {
  const labels = visit.input(0);
  const shape = visit.shape(0);
  if (!labels.some(Boolean)) return;
  const ranges = sliceRanges(visit.node, visit.infos);
  const given = sliceArguments(visit.node, visit.infos);
  if (!ranges || !given || !shape) {
    visit.lockAll('its bounds are not constant');
    return;
  }
  const axes: { axis: number; label: Label; start: number; end: number }[] = [];
  const out = labels.map((label, axis) => {
    const range = ranges.get(axis);
    if (!label || !range || (range.start === 0 && range.step === 1 && range.count === shape[axis])) return label;
    if (range.step !== 1) {
      visit.lock(label, 'it steps over channels');
      return null;
    }
    const [start, end] = [range.start, range.start + range.count];
    axes.push({ axis, label, start, end });
    return label.subarray(start, end);
  });
  if (axes.length > 0) visit.graph.edits.push({ kind: 'slice', node: visit.node, given, axes });
  visit.output(out);
}

export function transpose(visit: NodeVisit): void {
  const labels = visit.input(0);
  visit.output(transposePermutation(visit.node, labels.length).map((axis) => labels[axis] ?? null));
}

/** Squeeze and Unsqueeze only add and drop axes of one place, which no channel is on. */
export function reRank(visit: NodeVisit): void {
  const labels = visit.input(0);
  if (!labels.some(Boolean)) return;
  const [shape, out] = [visit.shape(0), visit.outputShape()];
  if (!shape || !out) {
    visit.lockAll('its axes are not constant');
    return;
  }
  const real = labels.filter((_, axis) => shape[axis] !== 1);
  visit.output(out.map((dim) => (dim === 1 ? null : (real.shift() ?? null))));
}

export function expand(visit: NodeVisit): void {
  const labels = visit.input(0);
  const [shape, out] = [visit.shape(0), visit.outputShape()];
  if (!labels.some(Boolean)) return;
  if (!shape || !out) {
    visit.lockAll('the shape that it makes is not known');
    return;
  }
  const shifted = out.map((_, axis) => labels[axis - out.length + shape.length] ?? null);
  const given = visit.infos[1]?.ints?.data.length ?? 0;
  if (given === out.length) editShape(visit, 1, shifted, shape, false);
  else for (const label of shifted) visit.lock(label, 'the shape that it makes is shorter than its input');
  visit.output(shifted);
}

export function tile(visit: NodeVisit): void {
  const labels = visit.input(0);
  const repeats = visit.infos[1]?.ints?.data;
  if (!labels.some(Boolean)) return;
  if (!repeats) {
    visit.lockAll('its repeats are not constant');
    return;
  }
  visit.output(
    labels.map((label, axis) => {
      if (!label || repeats[axis] === 1) return label;
      const out = new Int32Array(label.length * repeats[axis]!);
      for (let i = 0; i < repeats[axis]!; i++) out.set(label, i * label.length);
      return out;
    }),
  );
}

export function pad(visit: NodeVisit): void {
  const labels = visit.input(0);
  if (!labels.some(Boolean)) return;
  const pads = padAmounts(visit.node, visit.infos);
  if (!pads) {
    visit.lockAll('its amounts are not constant');
    return;
  }
  const constant = getString(visit.node, 'mode', 'constant') === 'constant';
  visit.output(
    labels.map((label, axis) => {
      const [before, after] = [pads[axis]!, pads[axis + labels.length]!];
      if (!label || (before === 0 && after === 0)) return label;
      if (!constant || before < 0 || after < 0) {
        visit.lock(label, 'it pads or crops the channel axis');
        return null;
      }
      const out = new Int32Array(before + label.length + after).fill(-1);
      out.set(label, before);
      return out;
    }),
  );
}

export function resize(visit: NodeVisit): void {
  const labels = visit.input(0);
  const [shape, out] = [visit.shape(0), visit.outputShape()];
  if (!labels.some(Boolean)) return;
  if (!shape || !out) {
    visit.lockAll('the size that it makes is not known');
    return;
  }
  const kept = labels.map((label, axis) => {
    if (label && shape[axis] !== out[axis]) visit.lock(label, 'it resizes the channel axis');
    return shape[axis] === out[axis] ? label : null;
  });
  if (visit.has(3)) {
    const axes = getInts(visit.node, 'axes', []);
    if (axes.length === 0) editShape(visit, 3, kept, shape, false);
    else for (const axis of axes) visit.lock(kept[normalizeAxis(axis, kept.length)], 'its sizes name the channel axis');
  }
  visit.output(kept);
}

/** DepthToSpace spreads runs of channels over places: the ones that meet in an output channel go together. */
export function depthToSpace(visit: NodeVisit): void {
  const label = visit.input(0)[1] ?? null;
  const block = getInt(visit.node, 'blocksize', 1) ** 2;
  if (!label) return;
  const channels = label.length / block;
  const byColumn = getString(visit.node, 'mode', 'DCR') === 'CRD';
  const out = new Int32Array(channels);
  for (let c = 0; c < channels; c++) {
    const members = Array.from({ length: block }, (_, k) => label[byColumn ? c * block + k : k * channels + c]!);
    for (const member of members) visit.atoms.join(members[0]!, member, visit.why('a channel beside it stays'));
    out[c] = members[0]!;
  }
  visit.output([null, out, null, null]);
}

export function spaceToDepth(visit: NodeVisit): void {
  const label = visit.input(0)[1] ?? null;
  const block = getInt(visit.node, 'blocksize', 1) ** 2;
  if (!label) return;
  const out = new Int32Array(label.length * block);
  for (let k = 0; k < block; k++) out.set(label, k * label.length);
  visit.output([null, out, null, null]);
}

export function gather(visit: NodeVisit): void {
  const labels = visit.input(0);
  const indices = visit.shape(1);
  for (const label of visit.input(1)) visit.lock(label, 'indices are no channels');
  if (!labels.some(Boolean)) return;
  if (!indices) {
    visit.lockAll('the shape of its indices is not known');
    return;
  }
  const axis = normalizeAxis(getInt(visit.node, 'axis', 0), labels.length);
  visit.lock(labels[axis], 'it picks channels by index');
  visit.output([...labels.slice(0, axis), ...indices.map(() => null), ...labels.slice(axis + 1)]);
}
