// Ranking and slicing of every tensor that a 20 % cut of MobileNetV1-SSD 300 touches, through the addon's typed door.
// `node scripts/bench-prune-kernels.js [--small] [--rounds N] [--numpy PYTHON] [--json]`; needs `npm run build`.
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const { parseArgs } = require('node:util');

const { values: flags } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    numpy: { type: 'string' },
  },
});
const rounds = Number(flags.rounds ?? (flags.small ? 3 : 50));
const { rankChannels, sliceTensors, selectKept } = require('../dist/lib/prune/kernels.js');

/** Small, cheap, and the same for everybody: a 32-bit mix of the index gives values in -1…1. */
function weights(seed, count) {
  const values = new Float32Array(count);
  for (let i = 0; i < count; ++i) {
    let x = Math.imul(i ^ (seed << 20), 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 15), 0x85ebca77);
    values[i] = ((x ^ (x >>> 13)) | 0) / 2 ** 31;
  }
  // As in a file: the bytes start wherever the protobuf field does.
  const file = new Uint8Array(values.byteLength + 1);
  file.set(new Uint8Array(values.buffer), 1);
  return file.subarray(1);
}

const widths = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024].map((w) => (flags.small ? w / 8 : w));
const pruned = []; // the twelve pointwise convolutions
const sliced = []; // what follows each: [dims, axis that is cut by the layer's kept channels, layer]
let input = flags.small ? 4 : 32;
widths.forEach((width, layer) => {
  pruned.push({ dims: [width, input, 1, 1], layer });
  sliced.push({ dims: [width, 1, 3, 3], cuts: [[0, layer]] });
  for (let i = 0; i < 8; ++i) sliced.push({ dims: [width], cuts: [[0, layer]] });
  input = width;
});
pruned.forEach(({ dims, layer }) => {
  sliced.push({
    dims,
    cuts:
      layer === 0
        ? [[0, 0]]
        : [
            [0, layer],
            [1, layer - 1],
          ],
  });
});
const [tap, last] = [widths[10], widths[11]];
sliced.push({ dims: [last, last, 1, 1], cuts: [[1, 11]] });
for (const width of [12, 63]) sliced.push({ dims: [width, tap, 1, 1], cuts: [[1, 10]] });

const ranked = pruned.map(({ dims, layer }) => ({
  name: `conv2d_${layer + 1}.w_0`,
  bytes: weights(layer, dims[0] * dims[1]),
  dataType: 'float32',
  dims,
  axis: 0,
  criterion: 'l1_norm',
}));
const tensors = sliced.map(({ dims }, i) => {
  const found = pruned.find((layer) => layer.dims === dims);
  return found
    ? ranked[found.layer].bytes
    : weights(
        100 + i,
        dims.reduce((a, b) => a * b),
      );
});

const rank = (criterion) => rankChannels(ranked.map((job) => ({ ...job, criterion })));
const select = (scores) => scores.map((layer) => selectKept(layer, (layer.length * 7) / 8));
const slice = (kept) =>
  sliceTensors(
    sliced.map(({ dims, cuts }, i) => {
      const keep = dims.map(() => null);
      for (const [axis, layer] of cuts) keep[axis] = kept[layer];
      return { bytes: tensors[i], elementSize: 4, dims, keep };
    }),
  );

const kept = select(rank('l1_norm'));
const cases = {
  'rank l1_norm': () => rank('l1_norm'),
  'rank l2_norm': () => rank('l2_norm'),
  'rank l1_paddle1x': () => rank('l1_paddle1x'),
  'rank geometry_median': () => rank('geometry_median'),
  'select kept': () => select(scores),
  slice: () => slice(kept),
  'rank, select and slice': () => slice(select(rank('l1_norm'))),
};
const scores = rank('l1_norm');
const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
const rankedBytes = ranked.reduce((sum, { bytes }) => sum + bytes.length, 0);
const slicedIn = tensors.reduce((sum, bytes) => sum + bytes.length, 0);
const slicedOut = slice(kept).reduce((sum, bytes) => sum + bytes.length, 0);
const copySource = Buffer.alloc(64 << 20, 1);
const copyTarget = Buffer.alloc(64 << 20, 1);
times.memcpy = [];
for (let round = 0; round < rounds + 2; ++round) {
  for (const [name, run] of [...Object.entries(cases), ['memcpy', () => copySource.copy(copyTarget)]]) {
    const start = performance.now();
    run();
    if (round >= 2) times[name].push(performance.now() - start);
  }
}
const min = (name) => Math.min(...times[name]);
const median = (name) => times[name].toSorted((a, b) => a - b)[rounds >> 1];
const gigabytes = (bytes, ms) => bytes / ms / 1e6;
const copyRate = gigabytes(2 * copySource.length, min('memcpy'));
const rows = Object.keys(cases).map((name) => ({ name, min: min(name), median: median(name) }));
const bandwidth = {
  memcpy: copyRate,
  rank: gigabytes(rankedBytes, min('rank l1_norm')),
  slice: gigabytes(slicedIn + slicedOut, min('slice')),
};

let numpy = null;
if (flags.numpy) {
  const script = path.join(__dirname, 'bench-prune-kernels.py');
  const job = { widths, rounds, input: flags.small ? 4 : 32 };
  const { stdout, stderr, status } = spawnSync(flags.numpy, [script, JSON.stringify(job)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${flags.numpy} ${script} failed:\n${stderr}`);
  numpy = JSON.parse(stdout);
}

const threads = process.env.SSD_PRUNE_THREADS ?? 'all';
if (flags.json) {
  console.log(JSON.stringify({ schema: 'ssd-prune.bench-prune-kernels/1', rounds, threads, rows, bandwidth, numpy }));
} else {
  const line = (name, low, mid) =>
    console.log(`${name.padEnd(24)} ${low.toFixed(2).padStart(8)} ${mid.toFixed(2).padStart(8)}`);
  console.log(`${rounds} interleaved rounds, threads: ${threads}; ms`.padEnd(24));
  console.log(`${''.padEnd(24)} ${'min'.padStart(8)} ${'median'.padStart(8)}`);
  for (const row of rows) line(row.name, row.min, row.median);
  for (const row of numpy ?? []) line(`numpy: ${row.name}`, row.min, row.median);
  for (const [name, rate] of Object.entries(bandwidth)) {
    const share = `${Math.round((100 * rate) / copyRate)} % of one thread's memcpy`;
    console.log(`${name.padEnd(24)} ${rate.toFixed(1).padStart(8)} GB/s read and written, ${share}`);
  }
}
