// How close `eval` on the CPU comes to its two parts: pictures a second against 1 / (session time + decoding time).
//   node scripts/bench-eval.js            the real model and pictures of SSD_PRUNE_SHARED (else ../shared)
//   node scripts/bench-eval.js --small    the built-in network on a few made pictures, for CI
//   options: --pictures N (default 300), --rounds N (5), --batch-size N (4), --threads N (0: one a core)
// Each round measures decoding alone, the session alone and eval, one behind the other on the same cores.
const { existsSync, mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const load = (name) => require(path.join(root, 'dist', 'lib', `${name}.js`));
const { decodePicture } = load('data/images');
const { limitDataset, openDataset } = load('data/dataset');
const { detectDataset } = load('evaluate/evaluate');
const { defaultDecoders } = load('evaluate/pipeline');
const { DetectorSession } = load('evaluate/session');
const { readDetectorSettings } = load('model/detector');
const { readModel } = load('model/read');

const flags = process.argv.slice(2);
const small = flags.includes('--small');
const number = (name, otherwise) => (flags.includes(name) ? Number(flags[flags.indexOf(name) + 1]) : otherwise);
const rounds = number('--rounds', small ? 2 : 5);
const batchSize = number('--batch-size', 4);
const threads = number('--threads', 0);
const pictures = number('--pictures', small ? 16 : 300);

/** The real model and data, or the built-in network and blurred noise of 500x375 in `folder`. */
async function subject(folder) {
  const shared = process.env.SSD_PRUNE_SHARED ?? path.resolve(root, '..', 'shared');
  const model = path.join(shared, 'models', 'ssd-mobilenet-v1-0.75', 'model.onnx');
  if (!small && existsSync(model)) {
    const detector = readDetectorSettings(await readModel(model), path.join(path.dirname(model), 'detector.json'));
    return { model, detector, dataset: await openDataset(path.join(shared, 'voc'), { split: 'val' }) };
  }
  const sharp = require('sharp');
  const { buildMobileNetV1Ssd } = load('model/mobilenet-v1-ssd');
  const { writeModel } = load('model/write');
  const made = path.join(folder, 'model.onnx');
  await writeModel(await buildMobileNetV1Ssd(), made);
  const [width, height] = [500, 375];
  const noise = { type: 'gaussian', mean: 128, sigma: 60 };
  const samples = [];
  for (let i = 0; i < pictures; i++) {
    const image = path.join(folder, `${i}.jpg`);
    await sharp({ create: { width, height, channels: 3, background: '#888', noise } })
      .blur(4)
      .jpeg()
      .toFile(image);
    const none = new Uint8Array(0);
    const boxes = { boxes: new Float32Array(0), labels: new Int32Array(0), difficult: none, truncated: none };
    samples.push({ id: String(i), image, width, height, ...boxes });
  }
  const dataset = {
    format: 'voc',
    directory: folder,
    split: 'made',
    classes: [],
    categoryIds: [],
    samples,
    warnings: [],
  };
  return { model: made, detector: readDetectorSettings(await readModel(made)), dataset };
}

async function decodeAll(files) {
  let next = 0;
  const begin = performance.now();
  const work = async () => {
    while (next < files.length) await decodePicture(files[next++]);
  };
  await Promise.all(Array.from({ length: defaultDecoders() }, work));
  return (performance.now() - begin) / files.length;
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function main() {
  const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-eval-'));
  try {
    const { model, detector, dataset: whole } = await subject(folder);
    const dataset = limitDataset(whole, Math.min(pictures, whole.samples.length));
    const files = dataset.samples.map(({ image }) => image);
    const { name, width, height } = detector.input;
    const dims = [batchSize, 3, height, width];
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => Math.sin(i));
    const runs = Math.max(2, Math.ceil(files.length / batchSize));
    console.log(`${files.length} pictures, batch ${batchSize}, ${threads || 'all'} threads, ${rounds} rounds`);
    const results = [];
    for (let round = 0; round < rounds; round++) {
      const decoding = await decodeAll(files);
      const session = await DetectorSession.create(model, { threads });
      const times = await session.time({ [name]: { dims, data } }, { runs, warmup: 2 });
      await session.close();
      const alone = times.reduce((a, b) => a + b) / times.length / batchSize;
      const { imagesPerSecond } = await detectDataset(model, detector, dataset, { batchSize, threads });
      const ratio = (imagesPerSecond * (decoding + alone)) / 1000;
      results.push({ decoding, alone, imagesPerSecond, ratio });
      console.log(
        `round ${round + 1}: decoding ${decoding.toFixed(2)} ms, session ${alone.toFixed(2)} ms a picture; ` +
          `eval ${imagesPerSecond.toFixed(1)} a second: ${ratio.toFixed(3)} of their sum`,
      );
    }
    const of = (key) => results.map((result) => result[key]);
    const best = (Math.max(...of('imagesPerSecond')) * (Math.min(...of('decoding')) + Math.min(...of('alone')))) / 1000;
    console.log(`median ${median(of('ratio')).toFixed(3)}, best against best ${best.toFixed(3)} (bar 0.95)`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
