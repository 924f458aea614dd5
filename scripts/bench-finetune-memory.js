// Resident memory of `finetune` over many steps, with a teacher, an average and evaluations in between as it runs by
// default: after the first fifth of them it may grow by 32 MiB at most, or this fails.
//   node scripts/bench-finetune-memory.js [MODEL.onnx --detector FILE --data DIR [--split train]] [--steps 1000] [--batch 8]
//   node scripts/bench-finetune-memory.js --small     60 steps and 128 MiB, for CI
// Without a model it is the package's own detector, on scenes.
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { trainingFlags } = require('./training-flags');

const root = path.resolve(__dirname, '..');
const { embeddedDetector, finetuneFile, writeScenes } = require(path.join(root, 'dist', 'lib'));

const { flags, file, steps, batchSize } = trainingFlags(60);
/** In it memory is found: for the batches, for the decoders, for the first evaluations. */
const warmUp = Math.ceil(steps / 5);
/**
 * Growth that is still called flat, in MiB: blocks that the allocators keep come and go. Sixty steps are hardly a warm-up
 * of the heap: what settles in them is no leak yet.
 */
const limit = flags.small ? 128 : 32;
const scenes = flags.small ? 80 : 400;
const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1).padStart(8);

async function main() {
  const scratch = mkdtempSync(path.join(tmpdir(), 'ssd-prune-finetune-memory-'));
  try {
    const model = file ?? embeddedDetector;
    const data = flags.data ?? path.join(scratch, 'scenes');
    if (!flags.data) await writeScenes(data, { split: flags.split, count: scenes });
    let engine;
    let warm = 0;
    let grown = 0;
    console.log('   step  resident, MiB  heap  outside the heap');
    const onEvent = ({ event, step }) => {
      if (event !== 'step') return;
      const { rss, heapUsed, external } = process.memoryUsage();
      if (step <= warmUp) warm = Math.max(warm, rss);
      else grown = Math.max(grown, rss - warm);
      if (step % Math.max(1, Math.floor(steps / 10)) > 0) return;
      console.log(`${String(step).padStart(7)} ${mebibytes(rss)} ${mebibytes(heapUsed)} ${mebibytes(external)}`);
    };
    const { recipe } = await finetuneFile(model, path.join(scratch, 'tuned.onnx'), {
      ...{ data, split: flags.split, teacher: model, batchSize, rate: 1e-5, explosion: null },
      ...(flags.detector && { detector: flags.detector }),
      epochs: steps,
      maxSteps: steps,
      onEvent,
      onReady: (ready) => {
        engine = ready.bytes;
      },
    });
    const evaluations = Math.floor(steps / recipe.stepsPerEpoch);
    console.log(
      `${steps} steps of ${batchSize} with ${evaluations} evaluations in between; engine ${mebibytes(engine).trim()} MiB`,
    );
    console.log(`after step ${warmUp} it grew by ${mebibytes(grown).trim()} MiB at most (limit ${limit})`);
    if (grown > limit * 2 ** 20) throw new Error(`memory grew by more than ${limit} MiB`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
