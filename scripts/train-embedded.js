// Makes the detector that `ssd-prune demo` starts from: draws labelled scenes, trains a small MobileNetV1-SSD on them
// from scratch with this package's own engine, and measures it on scenes that it has not seen.
//   node scripts/train-embedded.js [OUT.onnx] [--epochs N] [--scenes N] [--data FOLDER] [--state FILE]
// Without OUT it replaces lib/embedded/scenes.onnx. The same machine code gives the same bits, with any number of
// threads (SSD_PRUNE_THREADS). FOLDER keeps the scenes for another run; by default
// they are removed. With FILE a run that was stopped goes on after its last whole epoch.
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
const epochs = Number(option('--epochs', '40'));
const scenes = Number(option('--scenes', '6000'));
const kept = option('--data');
const state = option('--state');
/** Of the scenes; that of the weights is 1 too. Demo and tests draw theirs from other splits. */
const seed = 1;
const heldOut = 500;

/**
 * Paddle's, but pictures shrink and are cropped little. Scenes show whole shapes that are large; a detector for them has
 * no prior boxes for what fourfold expansion leaves of one.
 */
const augment = {
  ...paddleAugmentation,
  expand: { probability: 0.25, maxRatio: 1.5 },
  samplers: [
    paddleAugmentation.samplers[0],
    { maxSample: 1, maxTrial: 20, scale: [0.6, 1], aspectRatio: [0.75, 1.33], overlap: [0.3, 0] },
  ],
};

/**
 * Heads begin without an opinion: no weights, and of classes the shares that mined priors have (three of four are
 * background). With the built-in initialisation hundreds of steps only take its noise back, since mining looks for it.
 */
function calmHeads(model) {
  const set = (name, valueAt) => {
    const tensor = model.constant(name);
    const values = toFloat32(tensor).map((_, i) => valueAt(i));
    setTensorBytes(tensor, tensorDims(tensor), new Uint8Array(Float32Array.from(values).buffer));
    model.replaceConstant(name, tensor);
  };
  const classes = sceneClasses.length;
  const background = Math.log(3 * (classes - 1));
  // Only heads have biases; those of offsets and of scores take turns.
  const biases = model.graph.initializer.map(({ name }) => name).filter((name) => /^conv2d_\d+\.b_0$/.test(name));
  biases.forEach((bias, head) => {
    set(bias.replace('b_0', 'w_0'), () => 0);
    if (head % 2 === 1) set(bias, (i) => (i % classes === 0 ? background : 0));
  });
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

  const model = buildMobileNetV1Ssd({
    classNames: sceneClasses,
    width: 0.25,
    inputSize: 128,
    smallestPrior: 0.35,
    seed: 1,
  });
  calmHeads(model);
  resizeFast(model);
  const detector = readDetectorSettings(model);
  const open = (split) => openDataset(folder, { split, classes: sceneClasses });
  const trainer = new Trainer(model, detector, await open('train'), {
    epochs,
    batchSize: 16,
    seed,
    rate: 2e-3,
    // Places of a small input's maps lie far apart: few priors overlap an object by half.
    loss: { overlap: 0.4 },
    warmUp: 200,
    optimizer: { rule: 'adamw', maxNorm: 50, average: 0.999 },
    // Whatever a head's inputs have in common moves all of its scores: slower there.
    groups: { weightDecay: 0.02, rates: [{ pattern: 'conv2d_(1[89]|2[0-5]).w_0', multiplier: 0.25 }] },
    augment,
    recalibrate: 0,
    heldBack: 0.05,
    evaluateEvery: 2,
  });
  let [steps, loss] = [0, { classes: 0, boxes: 0 }];
  const onEvent = (event) => {
    if (event.event === 'evaluation') console.log(`epoch ${event.epoch}: mAP ${event.map.toFixed(4)} held back`);
    if (event.event !== 'step') return;
    steps++;
    loss = { classes: loss.classes + event.loss.classes, boxes: loss.boxes + event.loss.boxes };
    if (event.step % trainer.recipe.stepsPerEpoch > 0) return;
    const mean = (sum) => (sum / steps).toFixed(3);
    console.log(
      `epoch ${event.epoch}: classes ${mean(loss.classes)}, boxes ${mean(loss.boxes)}, ${event.imagesPerSecond.toFixed(0)} images/s, ${(event.secondsLeft / 60).toFixed(1)} minutes left`,
    );
    [steps, loss] = [0, { classes: 0, boxes: 0 }];
  };
  if (state && existsSync(state)) await trainer.restore(state);
  for (let finished = false; !finished; ) {
    ({ finished } = await trainer.run({ maxSteps: trainer.recipe.stepsPerEpoch, onEvent }));
    if (state) await trainer.save(state);
  }
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
