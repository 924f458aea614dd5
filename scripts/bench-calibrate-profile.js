// Prints where the time of `prune --calibrate` goes: seconds in activations (ONNX Runtime, decoding, taking samples), in
// the addon's kernels for second moments, choice and refits, and in the proof.
//   node scripts/bench-calibrate-profile.js --model M.onnx --detector D.json --data VOC --pruned-params RE [--target 0.2]
//   node scripts/bench-calibrate-profile.js --small      on the package's own detector and drawn scenes, for CI
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const lib = (name) => require(path.join(__dirname, '..', 'dist', 'lib', name));
const { values: flags } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    model: { type: 'string' },
    detector: { type: 'string' },
    data: { type: 'string' },
    'pruned-params': { type: 'string', default: 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0' },
    target: { type: 'string', default: '0.2' },
    images: { type: 'string' },
  },
});

const spent = new Map();
/** Calls that are timed and not through, the outer ones first. */
const open = [];

/** Has a function's calls timed, the time in others of these left out: they call each other one after the other. */
function timed(owner, name, what) {
  const original = owner[name];
  owner[name] = async function (...given) {
    const own = { within: 0 };
    open.push(own);
    const began = performance.now();
    try {
      return await original.apply(this, given);
    } finally {
      const took = performance.now() - began;
      open.splice(open.indexOf(own), 1);
      const outer = open.at(-1);
      if (outer) outer.within += took;
      spent.set(what, (spent.get(what) ?? 0) + took - own.within);
    }
  };
}

async function main() {
  const { Lanes } = lib('calibrate/lanes');
  const kernels = lib('calibrate/kernels');
  timed(Lanes.prototype, 'stage', 'activations and samples');
  timed(kernels, 'momentsOf', 'second moments');
  timed(kernels, 'chooseRemovals', 'choice of channels');
  timed(kernels, 'ridgeFit', 'refits');
  timed(kernels, 'clippedTargets', 'refits');
  timed(lib('prune/verify'), 'verifyCut', 'proof');
  const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-profile-'));
  try {
    let { model, data, images = flags.small ? '8' : '256' } = flags;
    if (flags.small) {
      const { embeddedDetector } = lib('embedded/detector');
      const { writeScenes } = lib('scenes/voc-folder');
      data = path.join(folder, 'scenes');
      await writeScenes(data, { split: 'train', count: 8 });
      model = embeddedDetector;
    }
    const { pruneFile } = lib('prune/prune-file');
    const began = performance.now();
    await pruneFile(model, path.join(folder, 'small.onnx'), {
      prunedParams: flags['pruned-params'],
      targetRatio: Number(flags.target),
      ...(flags.small && { tolerance: 0.05 }),
      calibrate: { pictures: data, images: Number(images), ...(flags.detector && { detector: flags.detector }) },
    });
    const whole = performance.now() - began;
    const rest = whole - [...spent.values()].reduce((a, b) => a + b, 0);
    console.log('| part | seconds | share |\n|---|---|---|');
    for (const [what, took] of [...[...spent].sort((a, b) => b[1] - a[1]), ['all else', rest], ['in all', whole]])
      console.log(`| ${what} | ${(took / 1000).toFixed(2)} | ${((100 * took) / whole).toFixed(0)} % |`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void main();
