// What training costs the process that it runs in: delays of the event loop, images a second. Fails where the 99th
// percentile of the delays passes 20 ms. Memory over the steps is scripts/bench-finetune-memory.js's.
//   node scripts/bench-trainer.js [MODEL.onnx --detector FILE --data DIR [--split train]] [--steps 1000] [--batch 8]
//   node scripts/bench-trainer.js --small     a few steps of the built-in network at a quarter of its width, for CI
// Without a model it is the built-in network, on noise pictures. The delays are those that a timer sees: on a machine
// that does other work too they say nothing.
const { mkdirSync, mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { trainingFlags } = require('./training-flags');

const root = path.resolve(__dirname, '..');
const { readModel, readDetectorSettings, openDataset, buildMobileNetV1Ssd, Trainer } = require(
  path.join(root, 'dist', 'lib'),
);

const { flags, file, steps, batchSize } = trainingFlags(24);
const delayLimit = 20;

/** A VOC folder of noise pictures, each with one object. */
async function noiseFolder(folder, count) {
  const sharp = require('sharp');
  for (const part of ['JPEGImages', 'Annotations', 'ImageSets/Main'])
    mkdirSync(path.join(folder, part), { recursive: true });
  const [width, height] = [500, 375];
  const names = Array.from({ length: count }, (_, i) => String(i));
  for (const [i, name] of names.entries()) {
    const pixels = Buffer.from(
      Uint8Array.from({ length: 3 * width * height }, (_, k) => Math.imul(k + 31 * i + 1, 2654435761) >>> 24),
    );
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .jpeg()
      .toFile(path.join(folder, 'JPEGImages', `${name}.jpg`));
    const box = '<xmin>101</xmin><ymin>51</ymin><xmax>400</xmax><ymax>300</ymax>';
    writeFileSync(
      path.join(folder, 'Annotations', `${name}.xml`),
      `<annotation><size><width>${width}</width><height>${height}</height><depth>3</depth></size><object><name>car</name><difficult>0</difficult><truncated>0</truncated><bndbox>${box}</bndbox></object></annotation>\n`,
    );
  }
  writeFileSync(path.join(folder, 'ImageSets/Main', `${flags.split}.txt`), `${names.join('\n')}\n`);
}

async function main() {
  const scratch = mkdtempSync(path.join(tmpdir(), 'ssd-prune-trainer-'));
  try {
    const model = file ? await readModel(file) : buildMobileNetV1Ssd({ classes: 21, width: flags.small ? 0.25 : 1 });
    const detector = readDetectorSettings(model, flags.detector);
    if (!flags.data) await noiseFolder(scratch, flags.small ? 16 : 64);
    const classes = ['background', ...detector.classes.slice(1)];
    const dataset = await openDataset(flags.data ?? scratch, { split: flags.split, classes });
    const epochs = Math.ceil(steps / Math.floor(dataset.samples.length / batchSize));
    const options = { epochs, batchSize, heldBack: 0, recalibrate: 0, rate: 1e-5, explosion: null, teacher: { model } };
    const trainer = new Trainer(model, detector, dataset, options);
    const delays = monitorEventLoopDelay({ resolution: 5 });
    // The first steps find the decoders' and the batches' memory.
    await trainer.run({ maxSteps: Math.min(8, steps) });
    delays.enable();
    const before = trainer.step;
    const { imagesPerSecond, step } = await trainer.run({ maxSteps: steps });
    delays.disable();
    // What the timer itself waits is no delay.
    const delay = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - 5);
    const [p99, worst] = [delay(delays.percentile(99)), delay(delays.max)];
    console.log(`${step - before} steps of ${batchSize}, with a teacher: ${imagesPerSecond.toFixed(1)} images/s`);
    console.log(`event loop: 99th percentile ${p99.toFixed(1)} ms, longest ${worst.toFixed(1)} ms`);
    console.log(`engine ${(trainer.bytes / 2 ** 20).toFixed(0)} MiB`);
    // Seconds of a small run on a busy machine prove nothing.
    if (p99 > delayLimit && !flags.small) throw new Error(`the event loop waited longer than ${delayLimit} ms`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
