// What calibration keeps, and what it costs. On noise, all layers cut by 25 %: `node scripts/bench-calibrate.js --small`
// for a graph of the tests, `--graphs DIR` for the ONNX files of a folder. In mAP:
//   node scripts/bench-calibrate.js --model M.onnx --detector D.json --data VOC --pruned-params RE [--split val]
//     [--pictures train] [--targets 0.2,0.5] [--seeds 0,1,2] [--images 256] [--configurations 'l1,obs,…'] [--limit N]
// prints a table: mean mAP by target and configuration over seeds of the draw of pictures, its spread, and seconds.
// But for --graphs a second table says how fast activations come and how much memory a cut takes; with --costs it alone.
const { mkdtempSync, readdirSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const lib = (name) => require(path.join(__dirname, '..', 'dist', 'lib', name));
const { readModel } = lib('model/read');
const { calibrate } = lib('calibrate/calibrate');
const { activationTimes, peakMemory } = require('./calibration-costs');
const { noiseFor } = require('./noise-error');

const options = {
  small: { type: 'boolean', default: false },
  graphs: { type: 'string' },
  costs: { type: 'boolean', default: false },
  model: { type: 'string' },
  detector: { type: 'string' },
  data: { type: 'string' },
  'pruned-params': { type: 'string' },
  split: { type: 'string', default: 'val' },
  pictures: { type: 'string', default: 'train' },
  targets: { type: 'string', default: '0.2,0.5' },
  seeds: { type: 'string', default: '0,1,2' },
  images: { type: 'string', default: '256' },
  configurations: { type: 'string' },
  limit: { type: 'string' },
};

/** Named settings: what `prune` would be told. */
const configurations = {
  l1: { criterion: 'l1_norm', repair: 'none' },
  'l1+bias': { criterion: 'l1_norm', repair: 'bias' },
  'l1+repair': { criterion: 'l1_norm', repair: 'least_squares' },
  obs: { criterion: 'obs', repair: 'least_squares' },
  'obs+full': { criterion: 'obs', repair: 'full' },
  'obs+full+error': { criterion: 'obs', repair: 'full', allocation: 'error' },
};

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const fixed = (value, digits) => value.toFixed(digits);

const print = (head, rows, rightFrom) => console.log(lib('report/table').renderTable(head, rows, rightFrom));

/** Pictures of noise to calibrate on. */
const noisePictures = 32;

/** Output error on noise that was not calibrated on, as a share of the outputs' variance. */
async function onNoise(file) {
  const { model, source, errorOf } = await noiseFor(await readModel(file), noisePictures);
  const rows = [];
  for (const [name, { criterion, repair, allocation }] of Object.entries(configurations)) {
    const given = { prunedParams: '.*', skipLocked: true, targetRatio: 0.25, align: 1, criterion, allocation };
    const started = performance.now();
    const { cut } = await calibrate(model, given, { source, repair });
    const seconds = (performance.now() - started) / 1000;
    rows.push([path.basename(file), name, fixed(await errorOf(cut.model), 4), fixed(seconds, 2)]);
  }
  return rows;
}

async function noise(files) {
  const rows = [];
  for (const file of files) rows.push(...(await onNoise(file)));
  print(['graph', 'at −25 %', 'output error', 'seconds'], rows, 2);
}

async function full(args) {
  const { evaluateModel } = lib('evaluate/evaluate');
  const { limitDataset, openDataset } = lib('data/dataset');
  const { readDetectorSettings } = lib('model/detector');
  const { pruneFile } = lib('prune/prune-file');
  const { needsPictures } = lib('calibrate/repair');
  const detector = readDetectorSettings(await readModel(args.model), args.detector);
  const whole = await openDataset(args.data, { split: args.split, classes: detector.classes });
  const dataset = limitDataset(whole, args.limit === undefined ? undefined : Number(args.limit));
  const score = async (file) => (await evaluateModel(file, detector, dataset, { protocol: 'voc' })).result.map;
  const out = path.join(mkdtempSync(path.join(tmpdir(), 'ssd-prune-bench-')), 'out.onnx');
  const wanted = args.configurations?.split(',') ?? Object.keys(configurations);
  const rows = [['original', '', fixed(await score(args.model), 4), '', '']];
  for (const target of args.targets.split(',').map(Number)) {
    for (const name of wanted) {
      const { criterion, repair, allocation } = configurations[name];
      const [scores, seconds] = [[], []];
      for (const seed of args.seeds.split(',').map(Number)) {
        const report = await pruneFile(args.model, out, {
          prunedParams: args['pruned-params'],
          targetRatio: target,
          criterion,
          ...(allocation && { allocation }),
          ...(needsPictures(criterion, allocation, repair) && {
            calibrate: {
              pictures: args.data,
              split: args.pictures,
              images: Number(args.images),
              seed,
              repair,
              detector: args.detector,
            },
          }),
          force: true,
        });
        seconds.push(report.seconds);
        scores.push(await score(out));
      }
      const spread = Math.max(...scores) - Math.min(...scores);
      rows.push([name, `−${100 * target} %`, fixed(mean(scores), 4), fixed(spread, 4), fixed(mean(seconds), 1)]);
      console.error(rows.at(-1).join('  '), scores.map((value) => fixed(value, 4)).join(' '));
    }
  }
  print(['configuration', 'MACs', 'mean mAP', 'spread over seeds', 'seconds'], rows, 2);
  console.log(`${args.images} pictures of ${args.pictures}, scored on ${dataset.samples.length} of ${args.split}`);
}

/** @param options what {@link peakMemory} takes */
async function costs(options) {
  const given = { prunedParams: options.prunedParams, skipLocked: true };
  const { sampled, bare, giving } = await activationTimes(await readModel(options.file), given);
  const cut = `−${100 * options.targetRatio} %`;
  const rows = [
    ['activations with samples of them: milliseconds a picture', fixed(sampled, 2), ''],
    ['a bare session’s, and the share of its speed', `${fixed(bare, 2)}, ${fixed(bare / sampled, 2)}`, '0.9'],
    ['a session’s that gives what is sampled', `${fixed(giving, 2)}, ${fixed(giving / sampled, 2)}`, ''],
    [`peak memory at ${cut} above a process that reads the model`, gib(peakMemory(options)), gib(2 ** 30)],
  ];
  print(['costs', 'measured', 'bar'], rows, 1);
}

const gib = (bytes) => `${fixed(bytes / 2 ** 30, 2)} GiB`;

const { values: args } = parseArgs({ options });
const missing = ['model', 'data', 'pruned-params'].filter((name) => args[name] === undefined);
const onnxIn = (folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => path.join(folder, name));
const small = path.join(__dirname, '..', 'test', 'graphs', 'dynamic-batch-legacy-11.onnx');

async function main() {
  if (args.graphs) return noise(onnxIn(args.graphs));
  if (args.small) {
    await noise([small]);
    return costs({ file: small, prunedParams: '.*', targetRatio: 0.25, images: noisePictures });
  }
  if (missing.length > 0) {
    console.error(`Expected --small, --graphs, or ${missing.map((name) => `--${name}`).join(', ')}`);
    process.exitCode = 2;
    return;
  }
  if (!args.costs) await full(args);
  const { model: file, data: pictures, pictures: split, detector } = args;
  const [targetRatio, images] = [Number(args.targets.split(',')[0]), Number(args.images)];
  await costs({ file, prunedParams: args['pruned-params'], targetRatio, pictures, split, images, detector });
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
