// Forward and backward pass of a training step, ours and PyTorch's in turn, and where our time goes:
//   node scripts/bench-training.js MODEL.onnx [--batch 8] [--steps 10] [--threads 2] [--python PYTHON] [--bf16] [--layers]
//     [--cpu-time] [--against ADDON.node]
//   node scripts/bench-training.js --small     two pictures through the built-in network at a quarter of its width, for CI
// PyTorch runs where --python names an interpreter that has torch and onnx, channels_last, with glibc's malloc kept from
// giving pages back. Compare only what one run prints: both sides see the same machine. --cpu-time counts what the
// processes computed instead of what passed, for a machine that does other work too; with --threads 1 only. --against
// runs another build of the addon in turn: what a change of the kernels brings.
const { spawn } = require('node:child_process');
const path = require('node:path');
const { createInterface } = require('node:readline');

const root = path.resolve(__dirname, '..');
const flags = process.argv.slice(2);
const option = (name, fallback) => (flags.includes(name) ? flags[flags.indexOf(name) + 1] : fallback);
const small = flags.includes('--small');
const precision = flags.includes('--bf16') ? 'bf16' : 'fp32';
const batch = Number(option('--batch', small ? '2' : '8'));
const steps = Number(option('--steps', small ? '2' : '10'));
const threads = Number(option('--threads', '2'));
const cpuTime = flags.includes('--cpu-time');
if (cpuTime && threads !== 1) throw new Error('--cpu-time needs --threads 1');
process.env.SSD_PRUNE_THREADS = String(threads);

/** Milliseconds by the chosen clock. */
function now() {
  if (!cpuTime) return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

const { readModel } = require(path.join(root, 'dist', 'lib', 'model', 'read'));
const { buildMobileNetV1Ssd } = require(path.join(root, 'dist', 'lib', 'model', 'mobilenet-v1-ssd'));
const { makePlan } = require(path.join(root, 'dist', 'lib', 'train', 'plan'));
const { readParameters } = require(path.join(root, 'dist', 'lib', 'train', 'parameters'));
const { addon } = require(path.join(root, 'dist', 'lib', 'native', 'addon'));

/** PyTorch in a process of its own; `step` runs one and gives its milliseconds. */
async function startPeer(python, model) {
  const args = [path.join(__dirname, 'bench-training.py'), model, batch, threads, precision, cpuTime ? 'cpu' : 'wall'];
  const env = { ...process.env, GLIBC_TUNABLES: 'glibc.malloc.mmap_max=0:glibc.malloc.hugetlb=1' };
  const child = spawn(python, args.map(String), { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const version = (await lines.next()).value;
  if (version === undefined) throw new Error(`${python} has ended`);
  return {
    version,
    async step() {
      child.stdin.write('\n');
      return Number((await lines.next()).value);
    },
    /** Ends it and gives its peak resident memory in KiB. */
    async end() {
      child.stdin.end();
      return Number((await lines.next()).value);
    },
  };
}

function startEngine({ Engine }, model, plan) {
  const engine = new Engine(plan.graph, batch, precision);
  engine.setWeights(readParameters(model, plan));
  const { channels, height, width } = plan.graph;
  engine.setPictures(Float32Array.from({ length: batch * channels * height * width }, (_, i) => Math.sin(i)));
  for (const [i, { boxes, width: numbers }] of plan.outputs.entries())
    engine.setDerivatives(i, new Float32Array(batch * boxes * numbers).fill(1e-3));
  return engine;
}

/** Milliseconds of one step. */
async function step(engine) {
  const start = now();
  await engine.forward(true);
  await engine.backward(false);
  return now() - start;
}

/** Passes of a convolution's training: forward, weights, and the input's gradient where somebody wants it. */
const flop = ({ macs, needsInputGradient }, backward) => 2 * macs * (backward ? (needsInputGradient ? 2 : 1) : 1);

/**
 * Bytes that a layer must at least move: what it reads and writes, filters aside; backwards also its own gradient, its
 * input's, and, where it is normalised by the batch, what it had put out.
 */
function bytes(plan, { node: at, needsInputGradient }, backward) {
  const floats = ({ channels, height, width }) => batch * channels * height * width;
  const node = plan.graph.nodes[at];
  const [from] = node.inputs;
  const read = floats(from === 0 ? plan.graph : plan.graph.nodes[from - 1]);
  const normalised = plan.graph.nodes.some(({ mean, inputs }) => mean >= 0 && inputs[0] === at + 1);
  const moved = backward
    ? floats(node) * (normalised ? 2 : 1) + read * (needsInputGradient ? 2 : 1)
    : floats(node) + read;
  return moved * (precision === 'bf16' ? 2 : 4);
}

function printLayers(plan, times, peak, bandwidth) {
  console.log('                            forward: share of          backward: share of');
  console.log('node                           ms  peak  bandwidth         ms  peak  bandwidth');
  for (const time of times) {
    const node = plan.graph.nodes[time.node];
    if (!node || time.macs === 0) continue;
    const { channels, height, width, kernel, stride, groups } = node;
    const name = `${channels}x${height}x${width} ${kernel.join('x')}/${stride[0]}${groups > 1 ? ' dw' : ''}`;
    const part = (seconds, backward) =>
      [
        [seconds * 1e3, 7],
        [flop(time, backward) / seconds / peak, 5],
        [bytes(plan, time, backward) / seconds / bandwidth, 10],
      ]
        .map(([value, places]) => value.toFixed(2).padStart(places))
        .join(' ');
    console.log(
      `${String(time.node).padStart(3)} ${name.padEnd(22)} ${part(time.forward, false)}    ${part(time.backward, true)}`,
    );
  }
}

const middle = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const summary = (values) => `min ${Math.min(...values).toFixed(0)} ms, median ${middle(values).toFixed(0)} ms`;

async function main() {
  const file = small || flags[0]?.startsWith('--') ? undefined : flags[0];
  if (!small && file === undefined) throw new Error('usage: bench-training.js MODEL.onnx, or --small');
  const model = small ? buildMobileNetV1Ssd({ classes: 21, width: 0.25, seed: 0 }) : await readModel(file);
  const plan = makePlan(model);
  const engine = startEngine(addon(), model, plan);
  const against = option('--against');
  const before = against && startEngine(require(path.resolve(against)), model, plan);
  const python = option('--python');
  const peer = python && file && (await startPeer(python, file));
  await step(engine);
  engine.clearTimes();
  if (before) await step(before);
  const ours = [];
  const earlier = [];
  const theirs = [];
  for (let i = 0; i < steps; i++) {
    ours.push(await step(engine));
    if (before) earlier.push(await step(before));
    if (peer) theirs.push(await peer.step());
  }
  const peerMemory = peer && (await peer.end());
  const peak = 2e9 * addon().peakGmacs(0.5, precision) * threads;
  const times = engine.times();
  if (flags.includes('--layers')) {
    const bandwidth = 1e9 * addon().peakBandwidth(0.5);
    printLayers(plan, times, peak, bandwidth);
    console.log(`bandwidth ${(bandwidth / 1e9).toFixed(1)} GB/s, read and written; caches may give more`);
  }
  const work = times.reduce((sum, time) => sum + flop(time, false) + flop(time, true), 0);
  const sum = (key) => times.reduce((total, time) => total + time[key], 0) * 1e3;
  console.log(
    `batch ${batch}, ${threads} threads, ${(work / 1e9).toFixed(1)} GFLOP a step, peak ${(peak / 1e9).toFixed(0)} GFLOP/s`,
  );
  console.log(
    `ours: ${summary(ours)}; share of peak ${((work / peak / Math.min(...ours)) * 1e3).toFixed(2)} (best step)`,
  );
  console.log(
    `fastest passes of every operation: forward ${sum('forward').toFixed(0)} ms, backward ${sum('backward').toFixed(0)} ms`,
  );
  const mebibytes = (kibibytes) => (kibibytes / 1024).toFixed(0);
  const memory = process.resourceUsage().maxRSS;
  console.log(`memory: engine ${mebibytes(engine.bytes / 1024)} MiB, peak of the process ${mebibytes(memory)} MiB`);
  const ratio = (of, others) => (of(others) / of(ours)).toFixed(2);
  const least = (values) => Math.min(...values);
  if (before) {
    console.log(`${against}: ${summary(earlier)}`);
    console.log(`its time over ours: ${ratio(least, earlier)} (min), ${ratio(middle, earlier)} (median)`);
  }
  if (!peer) return;
  console.log(`PyTorch ${peer.version}: ${summary(theirs)}`);
  console.log(
    `peak of PyTorch's process: ${mebibytes(peerMemory)} MiB, ${(peerMemory / memory).toFixed(2)} times ours`,
  );
  console.log(`PyTorch's time over ours: ${ratio(least, theirs)} (min), ${ratio(middle, theirs)} (median)`);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
