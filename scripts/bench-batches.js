// How fast the batch pipeline makes training pictures, what processor time each costs, and how long it holds the event
// loop (99th percentile of its delay, measured in steps of a millisecond):
// `node scripts/bench-batches.js [--pictures N] [--decoders N] [--batch N] [--small]`. Reads the VOC pictures of the shared
// folder (SSD_PRUNE_SHARED, else ../shared), says so and ends without them; needs `npm run build`.
const { existsSync } = require('node:fs');
const { availableParallelism } = require('node:os');
const path = require('node:path');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { parseArgs } = require('node:util');

const { values: flags } = parseArgs({
  options: {
    pictures: { type: 'string' },
    decoders: { type: 'string', default: String(Math.min(4, availableParallelism())) },
    batch: { type: 'string', default: '32' },
    small: { type: 'boolean', default: false },
  },
});
const count = Number(flags.pictures ?? (flags.small ? 64 : 640));
const decoders = Number(flags.decoders);
const batchSize = Number(flags.batch);
const { openDataset } = require('../dist/lib/data/dataset');
const { decodePicture } = require('../dist/lib/data/images');
const { limit } = require('../dist/lib/data/limit');
const { drawAugmentation, paddleAugmentation } = require('../dist/lib/train/augmentation');
const { Augmenter } = require('../dist/lib/train/augmenter');
const { trainingBatches } = require('../dist/lib/train/batches');

const layout = { kind: 'nhwc', pitch: 4 };
const level = [127.5, 127.5, 127.5];
const input = { name: 'image', width: 300, height: 300, channels: 'RGB', mean: level, std: level };
const resizes = { bilinear: false, lanczos3: true };

const headings = ['pictures a second', 'processor ms a picture', 'event loop p99 ms'];

/** Runs `work`, which returns how many pictures it made. */
async function measure(name, work) {
  const [begin, cpu] = [process.hrtime.bigint(), process.cpuUsage()];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const pictures = await work();
  delay.disable();
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  const milliseconds = (user + system) / 1000 / pictures;
  const columns = [(pictures / seconds).toFixed(0), milliseconds.toFixed(2), (delay.percentile(99) / 1e6).toFixed(1)];
  console.log(name.padEnd(30) + columns.map((column, i) => column.padStart(headings[i].length + 3)).join(''));
}

/** Runs pieces of work 0 … count - 1, `decoders` at a time; each returns whether it made a picture. */
async function all(count, work) {
  const limited = limit(decoders);
  const made = await Promise.all(Array.from({ length: count }, (_, i) => limited(() => work(i))));
  return made.filter(Boolean).length;
}

async function main() {
  const shared = process.env.SSD_PRUNE_SHARED ?? path.resolve(__dirname, '..', '..', 'shared');
  if (!existsSync(path.join(shared, 'voc'))) {
    console.log(`Skipped: there are no pictures in ${shared} (set SSD_PRUNE_SHARED).`);
    return;
  }
  const { samples } = await openDataset(path.join(shared, 'voc'), { split: 'train' });
  const some = samples.slice(0, count);
  const held = await Promise.all(some.slice(0, 64).map(({ image }) => decodePicture(image)));
  console.log(`${some.length} pictures, ${decoders} at a time, batches of ${batchSize}`);
  console.log(''.padEnd(30) + headings.map((heading) => `   ${heading}`).join(''));
  await measure('decode', () => all(some.length, (i) => decodePicture(some[i].image)));
  for (const [kernel, antialias] of Object.entries(resizes)) {
    const resized = { ...input, resize: { kernel, antialias } };
    const augmenter = new Augmenter(resized, layout);
    const places = new Float32Array(augmenter.size * some.length);
    await measure(`draw and augment, ${kernel}`, () =>
      all(some.length, async (i) => {
        const which = i % held.length;
        const augmentation = drawAugmentation(paddleAugmentation, { seed: 1, epoch: i }, some[which]);
        if (augmentation) await augmenter.fillPlace(held[which], augmentation, places, i);
        return augmentation !== undefined;
      }),
    );
    await measure(`whole pipeline, ${kernel}`, async () => {
      let pictures = 0;
      for await (const batch of trainingBatches(some, resized, { batchSize, seed: 1, epoch: 0, layout, decoders })) {
        pictures += batch.samples.length;
        batch.release();
      }
      return pictures;
    });
  }
}

main();
