// What a latency budget keeps: `node scripts/bench-latency.js --small` for a small network without training, or
//   node scripts/bench-latency.js --model M.onnx --detector D.json --data VOC --pruned-params RE [--split val]
//     [--pictures train] [--targets 0.8,0.6] [--seeds 0,1,2] [--images 256] [--threads 1] [--limit N] [--runs 100]
// prints a table: widths by error curves against the uniform cut of the same latency, both repaired with pictures; how
// far each was measured from its target when it was made, and all of them side by side at the end; means over seeds of
// the draw of pictures.
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const lib = (name) => require(path.join(__dirname, '..', 'dist', 'lib', name));
const { pruneFile } = lib('prune/prune-file');
const { benchModels } = lib('bench/bench');

const options = {
  small: { type: 'boolean', default: false },
  model: { type: 'string' },
  detector: { type: 'string' },
  data: { type: 'string' },
  'pruned-params': { type: 'string' },
  split: { type: 'string', default: 'val' },
  pictures: { type: 'string', default: 'train' },
  targets: { type: 'string', default: '0.8' },
  seeds: { type: 'string', default: '0' },
  images: { type: 'string', default: '256' },
  threads: { type: 'string', default: '1' },
  limit: { type: 'string' },
  runs: { type: 'string', default: '100' },
};

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

/** Prunes once a row and seed, times all results beside the original, and prints the rows. */
async function compare(model, rows, { seeds, threads, runs, score }) {
  const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-latency-'));
  try {
    for (const [i, row] of rows.entries()) {
      row.results = [];
      for (const seed of seeds) {
        const file = path.join(folder, `${i}-${seed}.onnx`);
        const report = await pruneFile(model, file, { ...row.given(seed), latency: { target: row.target, threads } });
        const map = await score?.(file);
        row.results.push({ file, report, map });
        console.error(`${row.name}, seed ${seed}: ${percent(report.latency.bestShare)} ${map ?? ''}`);
      }
    }
    const files = [model, ...rows.flatMap(({ results }) => results.map(({ file }) => file))];
    const bench = await benchModels(files, { threads: [threads], batchSizes: [1], runs });
    const head = ['widths', 'target', 'median', 'least', 'kernels alone', 'tries', 'MACs', ...(score ? ['mAP'] : [])];
    const cells = rows.map(({ name, target, results }) => {
      const ratios = results.map(({ file }) => bench.results.find((result) => result.model === file).ratio);
      const own = results.map(({ report }) => report);
      const shares = [
        target.share,
        mean(ratios.map(({ median }) => median)),
        mean(ratios.map(({ min }) => min)),
        mean(own.map(({ latency }) => latency.kernelShare)),
      ];
      const tries = mean(own.map(({ latency }) => latency.iterations.length));
      const macs = `−${percent(mean(own.map((report) => report.macs.cut)))}`;
      const maps = score ? [mean(results.map(({ map }) => map)).toFixed(4)] : [];
      return [name, ...shares.map(percent), tries.toFixed(1), macs, ...maps];
    });
    if (score) cells.unshift(['original', '', '', '', '', '', '', (await score(model)).toFixed(4)]);
    console.log(lib('report/table').renderTable(head, cells, 1));
    const { minMilliseconds, medianMilliseconds } = bench.results[0];
    console.log(
      `original: ${minMilliseconds.toFixed(2)} / ${medianMilliseconds.toFixed(2)} ms, least / median of ${runs} interleaved runs, ${threads} thread; ${bench.machine.cpu}, ${bench.machine.cores} cores, ONNX Runtime ${bench.runtime}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function small() {
  const { buildMobileNetV1Ssd } = lib('model/mobilenet-v1-ssd');
  const { writeModel } = lib('model/write');
  const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-latency-'));
  try {
    const model = path.join(folder, 'ssd.onnx');
    await writeModel(buildMobileNetV1Ssd({ width: 0.25 }), model);
    const given = () => ({ prunedParams: 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0' });
    await compare(model, [{ name: 'uniform', target: { share: 0.8 }, given }], { seeds: [0], threads: 1, runs: 20 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function full(args) {
  const { evaluateModel } = lib('evaluate/evaluate');
  const { limitDataset, openDataset } = lib('data/dataset');
  const { readDetectorSettings } = lib('model/detector');
  const { readModel } = lib('model/read');
  const detector = readDetectorSettings(await readModel(args.model), args.detector);
  const whole = await openDataset(args.data, { split: args.split, classes: detector.classes });
  const dataset = limitDataset(whole, args.limit === undefined ? undefined : Number(args.limit));
  const score = async (file) => (await evaluateModel(file, detector, dataset, { protocol: 'voc' })).result.map;
  const calibrate = {
    pictures: args.data,
    split: args.pictures,
    images: Number(args.images),
    ...(args.detector !== undefined && { detector: args.detector }),
  };
  const rows = args.targets.split(',').flatMap((target) =>
    ['error', 'uniform'].map((allocation) => ({
      name: allocation,
      target: { share: Number(target) },
      given: (seed) => ({ prunedParams: args['pruned-params'], allocation, calibrate: { ...calibrate, seed } }),
    })),
  );
  const seeds = args.seeds.split(',').map(Number);
  await compare(args.model, rows, { seeds, threads: Number(args.threads), runs: Number(args.runs), score });
  console.log(`${args.images} pictures of ${args.pictures}, scored on ${dataset.samples.length} of ${args.split}`);
}

const { values: args } = parseArgs({ options });
const missing = ['model', 'data', 'pruned-params'].filter((name) => args[name] === undefined);
if (!args.small && missing.length > 0) {
  console.error(`Expected --small, or ${missing.map((name) => `--${name}`).join(', ')}`);
  process.exitCode = 2;
} else {
  (args.small ? small() : full(args)).catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}
