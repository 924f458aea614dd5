// What a latency budget keeps: `node scripts/bench-latency.js --small` for a graph of the tests, or
//   node scripts/bench-latency.js --model M.onnx --detector D.json --data VOC --pruned-params RE [--split val]
//     [--pictures train] [--targets 0.8,0.6] [--images 256] [--threads 1] [--limit N] [--runs 100]
// prints a table: widths by error curves against the uniform cut of the same latency, both repaired with pictures; how
// far each was measured from its target when it was made, and all of them side by side at the end.
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
  images: { type: 'string', default: '256' },
  threads: { type: 'string', default: '1' },
  limit: { type: 'string' },
  runs: { type: 'string', default: '100' },
};

const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** Prunes once a row, times all results beside the original, and prints them. */
async function compare(model, rows, { threads, runs, score }) {
  const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-latency-'));
  try {
    for (const [i, row] of rows.entries()) {
      row.file = path.join(folder, `${i}.onnx`);
      row.report = await pruneFile(model, row.file, { ...row.given, latency: { target: row.target, threads } });
      row.map = await score?.(row.file);
      console.error(`${row.name} ${percent(row.report.latency.bestShare)} ${row.map ?? ''}`);
    }
    const files = [model, ...rows.map(({ file }) => file)];
    const { machine, runtime, results } = await benchModels(files, { threads: [threads], batchSizes: [1], runs });
    const head = ['widths', 'target', 'median', 'least', 'kernels alone', 'tries', 'MACs', ...(score ? ['mAP'] : [])];
    const cells = rows.map(({ name, target, file, report, map }) => {
      const { ratio } = results.find((result) => result.model === file);
      const { kernelShare, iterations } = report.latency;
      const shares = [target.share, ratio.median, ratio.min, kernelShare].map(percent);
      const own = [...shares, `${iterations.length}`, `−${percent(report.macs.cut)}`];
      return [name, ...own, ...(map === undefined ? [] : [map.toFixed(4)])];
    });
    if (score) cells.unshift(['original', '', '', '', '', '', '', (await score(model)).toFixed(4)]);
    console.log(lib('report/table').renderTable(head, cells, 1));
    const { minMilliseconds, medianMilliseconds } = results[0];
    console.log(
      `original: ${minMilliseconds.toFixed(2)} / ${medianMilliseconds.toFixed(2)} ms, least / median of ${runs} interleaved runs, ${threads} thread; ${machine.cpu}, ${machine.cores} cores, ONNX Runtime ${runtime}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function small() {
  const model = path.join(__dirname, '..', 'test', 'graphs', 'dynamic-batch-legacy-11.onnx');
  const given = { prunedParams: '.*', skipLocked: true, align: 1 };
  const rows = ['uniform', 'global'].map((allocation) => ({
    name: allocation,
    target: { share: 0.9 },
    given: { ...given, allocation },
  }));
  return compare(model, rows, { threads: 1, runs: 20 });
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
    detector: args.detector,
  };
  const rows = args.targets.split(',').flatMap((target) =>
    ['error', 'uniform'].map((allocation) => ({
      name: allocation,
      target: { share: Number(target) },
      given: { prunedParams: args['pruned-params'], allocation, calibrate },
    })),
  );
  await compare(args.model, rows, { threads: Number(args.threads), runs: Number(args.runs), score });
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
