import { smallNet, smallWeights } from '../calibrate/small-net';

const { allocateByError } =
  require('../../dist/lib/calibrate/allocation') as typeof import('../../lib/calibrate/allocation');
const { LatencyTable } =
  require('../../dist/lib/latency/latency-table') as typeof import('../../lib/latency/latency-table');
const { levels, sampleWidths } =
  require('../../dist/lib/latency/sample-widths') as typeof import('../../lib/latency/sample-widths');
const { timedNodes } = require('../../dist/lib/latency/timed-nodes') as typeof import('../../lib/latency/timed-nodes');
const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { Pruner } = require('../../dist/lib/prune/prune') as typeof import('../../lib/prune/prune');
const { widthGrid } = require('../../dist/lib/prune/width-grid') as typeof import('../../lib/prune/width-grid');

const pruner = new Pruner(smallNet(smallWeights()));
const groups = ['c1.w', 'c2.w'].map((name) => pruner.groups.ofLayer(name)[0]!);
const grids = groups.map((group) => widthGrid(group, { align: 1, minChannels: 1 }));
const nodes = timedNodes(pruner.groups);
const whole = pruner.macs.whole();
const keptOf = (first: number, second: number): number[] => {
  const kept = [...whole];
  kept[groups[0]!.id] = first;
  kept[groups[1]!.id] = second;
  return kept;
};

/** Milliseconds by node: the first convolution, its depthwise one, the 1x1 and the last; 0.5 for what nothing changes. */
const times = (a: number, b: number) => ({
  nodes: new Map([
    [0, 1 + 0.3 * a],
    [2, 0.2 * a],
    [4, 0.1 + 0.05 * a * b],
    [6, 0.4 * b],
  ]),
  rest: 0.5,
});
const total = (a: number, b: number): number => 1 + 0.3 * a + 0.2 * a + 0.1 + 0.05 * a * b + 0.4 * b + 0.5;
const samples = sampleWidths(grids, nodes, whole).map((kept) => ({
  kept,
  times: times(kept[groups[0]!.id]!, kept[groups[1]!.id]!),
}));
const table = new LatencyTable(whole, nodes, samples);

test('samples pair all levels of groups that meet in a node', () => {
  const pairs = new Set(samples.map(({ kept }) => groups.map(({ id }) => kept[id]).join()));
  expect(pairs.size).toBe(levels ** 2);
  for (const { steps, group } of grids) {
    const widths = samples.map(({ kept }) => kept[group.id]!);
    expect(Math.min(...widths)).toBe(steps[0]);
    expect(Math.max(...widths)).toBe(group.classes.length);
  }
});

test('the table is exact for bilinear times, at and between the samples', () => {
  expect(table.block).toBe(1);
  for (let a = 1; a <= 10; a++) {
    for (let b = 1; b <= 6; b++) expect(table.total(keptOf(a, b))).toBeCloseTo(total(a, b), 9);
  }
  expect(table.total(table.whole())).toBeCloseTo(total(10, 6), 9);
});

test('every weighted node has a part, and the parts make up the differences', () => {
  // The last one makes channels that leave the model: a group that always stays whole.
  const [first, second, last] = ['c1.w', 'c2.w', 'c3.w'].map((name) => pruner.groups.ofLayer(name)[0]!.id);
  const scopes = table.factors().map((factor) => factor.groups.join());
  expect(scopes.sort()).toEqual([`${first}`, `${first}`, `${first},${second}`, `${second},${last}`].sort());
  const sum = (kept: number[]): number => table.factors().reduce((all, factor) => all + factor.cost(kept), 0);
  expect(sum(keptOf(7, 3)) - sum(keptOf(2, 5))).toBeCloseTo(total(7, 3) - total(2, 5), 9);
});

test('kernels that work in blocks of 4 are found out', () => {
  const up = (size: number): number => 4 * Math.ceil(size / 4);
  const blocked = sampleWidths(grids, nodes, whole).map((kept) => {
    const [a, b] = groups.map(({ id }) => up(kept[id]!)) as [number, number];
    return { kept, times: times(a, b) };
  });
  const stairs = new LatencyTable(whole, nodes, blocked);
  expect(stairs.block).toBe(4);
  expect(stairs.total(keptOf(9, 6))).toBe(stairs.total(keptOf(10, 5)));
  expect(stairs.total(keptOf(8, 6))).toBeLessThan(stairs.total(keptOf(9, 6)));
});

test('widths by error under a budget of time: the best of all in the window', () => {
  const errors = [(k: number) => 0.01 * k ** 2, (k: number) => 0.02 * k ** 2];
  const curves = errors.map((error, i) => ({
    group: groups[i]!,
    readers: [],
    order: new Int32Array(0),
    errors: Float64Array.from({ length: [11, 7][i]! }, (_, k) => error(k)),
  }));
  const [target, tolerance] = [0.3, 0.05];
  const found = allocateByError(grids, curves, table, target, tolerance);
  const [a, b] = groups.map(({ id }) => found.kept[id]!) as [number, number];
  expect(found.cut).toBeCloseTo(1 - total(a, b) / total(10, 6), 9);
  let least = Number.POSITIVE_INFINITY;
  for (let first = 1; first <= 10; first++) {
    for (let second = 1; second <= 6; second++) {
      const cut = 1 - total(first, second) / total(10, 6);
      if (cut >= target && cut <= target + tolerance)
        least = Math.min(least, errors[0]!(10 - first) + errors[1]!(6 - second));
    }
  }
  expect(errors[0]!(10 - a) + errors[1]!(6 - b)).toBeCloseTo(least, 9);
});

test('sums over groups, as in a Concat, become parts of one or two groups that still add up', async () => {
  const dense = new Pruner(await readModel(`${__dirname}/../graphs/concat-densenet-legacy-12.onnx`));
  const own = timedNodes(dense.groups);
  const all = dense.macs.whole();
  const denseGrids = dense.groups.groups.map((group) => widthGrid(group, { align: 1, minChannels: 1 }));
  expect(Math.max(...own.map((node) => node.groups.length))).toBeGreaterThan(2);
  const size = ({ axes }: (typeof own)[number], kept: readonly number[], axis: number): number =>
    (axes[axis]?.perMember ?? []).reduce(
      (sum, { group, places }) => sum + places * kept[group]!,
      axes[axis]?.fixed ?? 0,
    );
  const cost = (kept: readonly number[]): number =>
    own.reduce((sum, node) => sum + 0.01 + 1e-3 * size(node, kept, 0) * Math.max(1, size(node, kept, 1)), 0);
  const measured = sampleWidths(denseGrids, own, all).map((kept) => ({
    kept,
    times: {
      nodes: new Map(
        own.map((node) => [node.index, 0.01 + 1e-3 * size(node, kept, 0) * Math.max(1, size(node, kept, 1))]),
      ),
      rest: 0,
    },
  }));
  const big = new LatencyTable(all, own, measured);
  expect(Math.max(...big.factors().map((factor) => factor.groups.length))).toBeLessThanOrEqual(2);
  const kept = [...all];
  for (const [i, { group, steps }] of denseGrids.entries())
    kept[group.id] = steps[Math.max(0, steps.length - 1 - (i % 3))]!;
  expect(big.total(kept)).toBeCloseTo(cost(kept), 6);
});
