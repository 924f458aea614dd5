// What odd widths cost: 1x1 convolutions beside those of their padded neighbours (both widths rounded up to 16), in turn.
//   node scripts/bench-widths.js [--batch 8] [--threads 1] [--rounds 30]
// Prints multiply-adds a second of useful work, and the odd layer's time over what its vectorised axis allows: forwards
// outputs run in vectors, backwards inputs do (gradient of the input, columns of the weight's). 1.00 is no loss beside
// that padding.
const path = require('node:path');

const flags = process.argv.slice(2);
const option = (name, fallback) => Number(flags.includes(name) ? flags[flags.indexOf(name) + 1] : fallback);
const batch = option('--batch', 8);
const rounds = option('--rounds', 30);
process.env.SSD_PRUNE_THREADS = String(option('--threads', 1));

const root = path.resolve(__dirname, '..');
const { addon } = require(path.join(root, 'dist', 'lib', 'native', 'addon'));

const padded = (width) => Math.ceil(width / 16) * 16;

/** A picture, a 1x1 layer that makes `inputs` channels of it, and the 1x1 layer to be measured. */
function startLayer(inputs, outputs, size) {
  const layer = (from, channels, weight) => ({
    ...{ kind: 0, inputs: [from], channels, height: size, width: size, kernel: [1, 1], stride: [1, 1] },
    ...{ dilation: [1, 1], pad: [0, 0], padEnd: [0, 0], groups: 1, weight, bias: -1, mean: -1, variance: -1 },
    ...{ epsilon: 0, momentum: 0, low: -Infinity, high: Infinity, countPadding: false },
  });
  const graph = {
    ...{ channels: 3, height: size, width: size, parameters: [3 * inputs, inputs * outputs] },
    nodes: [layer(0, inputs, 0), layer(1, outputs, 1)],
    outputs: [{ parts: [2], width: outputs }],
    features: [],
  };
  const engine = new (addon().Engine)(graph, batch, 'fp32');
  engine.setWeights(new Float32Array(padded(3 * inputs) + padded(inputs * outputs)).fill(0.01));
  engine.setPictures(new Float32Array(batch * size * size * 3).fill(0.5));
  engine.setDerivatives(0, new Float32Array(batch * size * size * outputs).fill(1e-3));
  return engine;
}

async function step(engine) {
  await engine.forward(true);
  await engine.backward(false);
}

async function measure(inputs, outputs, size) {
  const widths = [
    [inputs, outputs],
    [padded(inputs), padded(outputs)],
  ];
  const engines = widths.map(([k, n]) => startLayer(k, n, size));
  for (let i = 0; i < rounds; i++) for (const engine of engines) await step(engine);
  const [odd, even] = engines.map((engine) => engine.times().find(({ node }) => node === 1));
  const passes = [
    ['forward', padded(outputs) / outputs],
    ['backward', padded(inputs) / inputs],
  ];
  for (const [pass, allowed] of passes) {
    const perMac = (time) => time[pass] / time.macs / (pass === 'forward' ? 1 : 2);
    const gmacs = (time) => (1e-9 / perMac(time)).toFixed(1).padStart(6);
    const over = (perMac(odd) / perMac(even) / allowed).toFixed(2);
    console.log(
      `${inputs}->${outputs} at ${size}x${size} ${pass.padEnd(8)} ${gmacs(odd)} GMAC/s, ` +
        `${padded(inputs)}->${padded(outputs)} ${gmacs(even)} GMAC/s: ${over} of what padding allows`,
    );
  }
}

async function main() {
  const peak = addon().peakGmacs(0.3, 'fp32') * option('--threads', 1);
  console.log(`peak ${peak.toFixed(0)} GMAC/s; fastest of ${rounds} passes, in turn`);
  await measure(37, 53, 75);
  await measure(389, 421, 19);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
