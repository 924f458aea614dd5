// Makes the detector that `ssd-prune demo` starts from: draws labelled scenes, trains a small MobileNetV1-SSD on them
// from scratch with this package's own engine, and measures it on scenes that it has not seen.
//   node scripts/train-embedded.js [OUT.onnx] [--epochs N] [--scenes N] [--rate R] [--data FOLDER]
// Without OUT it replaces lib/embedded/scenes.onnx. The same machine code gives the same bits, with any number of
// threads (SSD_PRUNE_THREADS). FOLDER keeps the scenes for another run; by default they are removed.
const { existsSync, mkdtempSync, rmSync, statSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const library = (name) => require(path.join(root, 'dist', 'lib', name));
const { openDataset } = library('data/dataset');
const { evaluateModel } = library('evaluate/evaluate');
const { readDetectorSettings } = library('model/detector');
const { detectorKey } = library('model/detector-key');
const { buildMobileNetV1Ssd } = library('model/mobilenet-v1-ssd');
const { setTensorBytes, tensorDims, toFloat32 } = library('model/tensor');
const { writeModel } = library('model/write');
const { sceneClasses } = library('scenes/shapes');
const { writeScenes } = library('scenes/voc-folder');
const { paddleAugmentation } = library('train/augmentation');
const { Trainer } = library('train/trainer');

const args = process.argv.slice(2);
const option = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback);
const out = args[0] && !args[0].startsWith('--') ? args[0] : path.join(root, 'lib', 'embedded', 'scenes.onnx');
const epochs = Number(option('--epochs', '24'));
const scenes = Number(option('--scenes', '4000'));
const rate = Number(option('--rate', '2e-3'));
const kept = option('--data');
/** Of the scenes; that of the weights is 1 too. Demo and tests draw theirs from other splits. */
const seed = 1;
const heldOut = 500;

/** Nothing leaves the picture by much: scenes show whole shapes, and few small ones. */
const augment = {
  ...paddleAugmentation,
  expand: { probability: 0.25, maxRatio: 1.5 },
  samplers: [
    paddleAugmentation.samplers[0],
    { maxSample: 1, maxTrial: 20, scale: [0.6, 1], aspectRatio: [0.75, 1.33], overlap: [0.3, 0] },
  ],
};

/** Heads begin with small scores: with those of the built-in initialisation the first steps only take them back. */
function calmHeads(model) {
  for (const { name } of model.graph.initializer) {
    const bias = /^(conv2d_\d+)\.b_0$/.exec(name);
    if (!bias) continue;
    const tensor = model.constant(`${bias[1]}.w_0`);
    const values = toFloat32(tensor).map((value) => 0.1 * value);
    setTensorBytes(tensor, tensorDims(tensor), new Uint8Array(Float32Array.from(values).buffer));
    model.replaceConstant(`${bias[1]}.w_0`, tensor);
  }
}

/** Scenes are little larger than the input: the simplest way of resizing is as good there, and takes half the time. */
function resizeFast(model) {
  const settings = JSON.parse(model.metadata(detectorKey));
  settings.input.resize = { kernel: 'bilinear', antialias: false };
  model.setMetadata(detectorKey, JSON.stringify(settings));
}

async function main() {
  const folder = kept ?? mkdtempSync(path.join(tmpdir(), 'ssd-prune-embedded-'));
  const begin = performance.now();
  for (const [split, count] of [
    ['train', scenes],
    ['held-out', heldOut],
  ]) {
    const list = path.join(folder, 'ImageSets', 'Main', `${split}.txt`);
    if (!existsSync(list)) await writeScenes(folder, { split, count, seed });
  }
  console.log(`${scenes} scenes drawn in ${((performance.now() - begin) / 1000).toFixed(0)} s`);

  const model = buildMobileNetV1Ssd({ classNames: sceneClasses, width: 0.25, inputSize: 128, seed: 1 });
  calmHeads(model);
  resizeFast(model);
  const detector = readDetectorSettings(model);
  const open = (split) => openDataset(folder, { split, classes: sceneClasses });
  const trainer = new Trainer(model, detector, await open('train'), {
    epochs,
    batchSize: 16,
    seed,
    rate,
    warmUp: 200,
    optimizer: { rule: 'adamw', maxNorm: 50, average: 0.999 },
    groups: { weightDecay: 0.02 },
    augment,
    recalibrate: 0,
    heldBack: 0.05,
    evaluateEvery: Number(option('--every', '4')),
  });
  let [shown, steps, loss] = [0, 0, { classes: 0, boxes: 0 }];
  await trainer.run({
    onEvent(event) {
      if (event.event === 'evaluation') console.log(`epoch ${event.epoch}: mAP ${event.map.toFixed(4)} held back`);
      if (event.event !== 'step') return;
      steps++;
      loss = { classes: loss.classes + event.loss.classes, boxes: loss.boxes + event.loss.boxes };
      if (Math.floor(event.epoch) === shown) return;
      shown = Math.floor(event.epoch);
      const mean = (sum) => (sum / steps).toFixed(3);
      console.log(
        `epoch ${shown}: classes ${mean(loss.classes)}, boxes ${mean(loss.boxes)}, ${event.imagesPerSecond.toFixed(0)} images/s, ${(event.secondsLeft / 60).toFixed(1)} minutes left`,
      );
      [steps, loss] = [0, { classes: 0, boxes: 0 }];
    },
  });
  await writeModel(trainer.model('last'), out, { force: true });
  const { result } = await evaluateModel(out, detector, await open('held-out'), { protocol: 'voc' });
  for (const { name, ap, positives } of result.classes) console.log(`${name}: AP ${ap.toFixed(4)} of ${positives}`);
  console.log(
    `${out}: ${(statSync(out).size / 2 ** 20).toFixed(2)} MiB, mAP ${result.map.toFixed(4)} on ${heldOut} scenes`,
  );
  console.log(`${((performance.now() - begin) / 60000).toFixed(1)} minutes in all`);
  if (!kept) rmSync(folder, { recursive: true });
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
