import { smallNet, smallWeights } from '../calibrate/small-net';

const { profileNodes, readProfile, undisturbedTime } =
  require('../../dist/lib/latency/node-times') as typeof import('../../lib/latency/node-times');

const model = smallNet(smallWeights());
const weighted = new Set([0, 2, 4, 6]);
const kernel = (name: string, op: string, ts: number, dur: number) => ({
  cat: 'Node',
  name: `${name}_kernel_time`,
  ts,
  dur,
  args: { op_name: op },
});

test('a profile by hand: the least of the runs, fused kernels to the layer with the weight, the rest apart', () => {
  const run = (start: number, times: number[]) => [
    { cat: 'Session', name: 'model_run', ts: start, dur: 500 },
    // The first convolution goes by what its Relu6 makes, the second by its own name, with additions.
    kernel('ssd-prune#1#0_nchwc', 'Conv', start + 10, times[0]!),
    kernel('fused ssd-prune#2#n', 'FusedConv', start + 110, times[1]!),
    { ...kernel('ssd-prune#2#n', 'Conv', start + 110, 1), name: 'ssd-prune#2#n_fence_before' },
    kernel('ssd-prune#3#n', 'Relu', start + 210, times[2]!),
    kernel('ReorderOutput', 'ReorderOutput', start + 310, times[3]!),
  ];
  const events = [...run(0, [80, 60, 20, 10]), ...run(1000, [70, 65, 15, 12])];
  const found = readProfile(JSON.stringify(events), model, weighted);
  expect([...found.nodes].sort()).toEqual([
    [0, 0.07],
    [2, 0.06],
    [3, 0.015],
  ]);
  // 10 µs of the reordering, and the 330 of 500 µs in which the first run had no kernel.
  expect(found.rest).toBeCloseTo(0.01 + 0.33, 9);
  expect(undisturbedTime(found)).toBeCloseTo(0.07 + 0.06 + 0.015 + 0.34, 9);
});

test('ONNX Runtime’s own profile gives every layer with a weight a time', async () => {
  const found = await profileNodes(model, weighted, { threads: 1, runs: 3, inputs: {} });
  for (const node of weighted) expect(found.nodes.get(node)).toBeGreaterThan(0);
  expect(undisturbedTime(found)).toBeLessThan(1000);
  expect(model.graph.node.map(({ name }) => name)).toEqual(smallNet(smallWeights()).graph.node.map(({ name }) => name));
});

test('work that was called off ends before the next session', async () => {
  const options = { threads: 1, runs: 3, inputs: {}, signal: AbortSignal.abort() };
  await expect(profileNodes(model, weighted, options)).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});
