// Prints the README's table of strategies: mAP of the real model with half of its MACs gone, by each strategy, after the
// same number of epochs with one recipe; mean and standard error over seeds. Pictures that a strategy looks at to choose
// by count as epochs: what they come to, rounded up, is missing from its training. Named beforehand as the one to end
// above plain uniform cuts: `calibrated`.
//   node scripts/bench-strategies.js [--strategies uniform,calibrated,…] [--ratio 0.5] [--seeds 3] [--epochs 6] [--keep DIR]
//   node scripts/bench-strategies.js --small     every strategy on the package's own detector and drawn scenes, for CI
// Needs models and pictures at SSD_PRUNE_SHARED (else ../shared); without them it says so and ends, but for --small. With
// --keep a run that was interrupted goes on from its checkpoints, and what is finished is not run again: several of these
// with SSD_PRUNE_THREADS=1, each its own --strategies, fill the cores best, and a last one prints the table.
const { spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const meanAndError = require('./mean-error');

const { values: flags } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    strategies: { type: 'string' },
    ratio: { type: 'string', default: '0.5' },
    seeds: { type: 'string' },
    epochs: { type: 'string' },
    keep: { type: 'string' },
  },
});
const root = path.resolve(__dirname, '..');
const main = path.join(root, 'dist', 'lib', 'cli', 'main.js');
const shared = process.env.SSD_PRUNE_SHARED ?? path.resolve(root, '..', 'shared');
const folder = path.join(shared, 'models', 'ssd-mobilenet-v1-0.75');
if (!flags.small && !(existsSync(path.join(folder, 'model.onnx')) && existsSync(path.join(shared, 'voc')))) {
  console.log(`Skipped: there is no model or no data in ${shared} (set SSD_PRUNE_SHARED).`);
  process.exit(0);
}
const ratio = Number(flags.ratio);
const seeds = Number(flags.seeds ?? (flags.small ? 1 : 3));
const epochs = Number(flags.epochs ?? (flags.small ? 2 : 6));
const scratch = path.resolve(flags.keep ?? mkdtempSync(path.join(tmpdir(), 'ssd-prune-strategies-')));
mkdirSync(scratch, { recursive: true });

const pattern = 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0';
const cut = { pruned_params: pattern, ...(flags.small && { tolerance: 0.05 }) };
const uniform = { class: 'UniformPruneStrategy', target_ratio: ratio, ...cut };
const pruners = {
  l1: { class: 'StructurePruner', criterions: { '*': 'l1_norm' } },
  pictures: { class: 'StructurePruner', criterions: { '*': 'obs' } },
};
const [named, plain] = ['calibrated', 'uniform'];
const calibrationPictures = 256;
const evalRate = 0.25;
const searchSteps = 8;
/** About what half of the MACs gone leave. */
const latencyShare = 0.55;
/** Every strategy ends at the same MACs, but for `latency`; `looks`: pictures that it chooses by. */
const strategies = {
  uniform: { title: 'uniform, L1', strategy: { ...uniform, pruner: 'l1' } },
  repaired: {
    title: 'uniform widths, pictures',
    strategy: { ...uniform, pruner: 'pictures', allocation: 'uniform' },
    looks: () => calibrationPictures,
  },
  calibrated: {
    title: 'widths by error, pictures',
    strategy: { ...uniform, pruner: 'pictures' },
    looks: () => calibrationPictures,
  },
  sensitive: {
    title: 'widths by mAP lost, L1',
    strategy: {
      ...uniform,
      ...{ class: 'SensitivePruneStrategy', pruner: 'l1' },
      ...{ eval_rate: flags.small ? 1 : evalRate, delta_rate: flags.small ? 0.5 : 0.2 },
    },
    // Twelve layers at four widths, and the whole model.
    looks: ({ held }) => (12 * 4 + 1) * evalRate * held,
  },
  iterative: {
    title: 'a little an epoch, L1',
    strategy: {
      ...uniform,
      class: 'IterativePruneStrategy',
      pruner: 'l1',
      num_steps: Math.ceil(epochs / 2),
    },
  },
  auto: {
    title: 'annealing, L1',
    strategy: {
      ...cut,
      ...{ class: 'AutoPruneStrategy', pruner: 'l1', search_steps: flags.small ? 2 : searchSteps },
      ...{ min_ratio: ratio - 0.01, max_ratio: ratio + (flags.small ? 0.1 : 0.02) },
    },
    looks: ({ held }) => (searchSteps + 1) * held,
  },
  latency: {
    title: `${latencyShare} of the latency, L1`,
    strategy: { ...cut, class: 'LatencyPruneStrategy', pruner: 'l1', target_latency: latencyShare },
  },
};
// Its table is measured for minutes, and the same in every run.
const usual = Object.keys(strategies).filter((name) => !(flags.small && name === 'latency'));
const asked = flags.strategies?.split(',') ?? usual;
for (const name of asked)
  if (!strategies[name]) throw new Error(`There is no strategy ${name}: ${Object.keys(strategies)}`);

function command(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args, '--json', '--quiet'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`ssd-prune ${args.join(' ')} ended with ${status}:\n${stderr}`);
  return JSON.parse(stdout);
}

/** Epochs that are left for training when what a strategy looks at is taken off. */
function trainingEpochs(name, data) {
  if (flags.small) return epochs;
  const list = readFileSync(path.join(data, 'ImageSets', 'Main', 'train.txt'), 'utf8')
    .trim()
    .split('\n');
  const held = Math.round(0.1 * list.length);
  const looks = strategies[name].looks?.({ held }) ?? 0;
  return Math.max(1, epochs - Math.ceil(looks / (list.length - held)));
}

/** What is pruned, and on which pictures. */
function sections() {
  if (!flags.small) {
    const model = { file: path.join(folder, 'model.onnx'), detector: path.join(folder, 'detector.json') };
    return { model, data: { folder: path.join(shared, 'voc') }, training: {} };
  }
  const scenes = path.join(scratch, 'scenes');
  for (const [split, count] of [
    ['train', 40],
    ['val', 12],
  ])
    command('scenes', scenes, '--split', split, '--count', count);
  const { embeddedDetector } = require('../dist/lib/embedded/detector');
  return { model: { file: embeddedDetector }, data: { folder: scenes }, training: { batch_size: 4, held_back: 0.2 } };
}

function run(own, name, seed) {
  const place = path.join(scratch, `${name}-${ratio}-${epochs}-epochs-seed${seed}`);
  const report = `${place}.json`;
  if (existsSync(report)) return JSON.parse(readFileSync(report, 'utf8'));
  const { strategy: given } = strategies[name];
  const file = { sensitivities_file: `${place}-sensitivities.json` };
  const strategy = { ...given, ...(given.class === 'SensitivePruneStrategy' && file) };
  // JSON is YAML.
  const configuration = {
    ...{ version: 1, pruners, ...own },
    training: { ...own.training, seed },
    calibration: { seed },
    strategies: { [name]: strategy.class === 'AutoPruneStrategy' ? { ...strategy, seed } : strategy },
    compressor: {
      epoch: trainingEpochs(name, own.data.folder),
      checkpoint_path: `${place}-checkpoints`,
      strategies: [name],
    },
    output: { model: `${place}.onnx`, report, keep: 'last' },
    device: { evaluation: 'cpu', threads: Number(process.env.SSD_PRUNE_THREADS ?? 0) },
  };
  writeFileSync(`${place}.yaml`, JSON.stringify(configuration, null, 2));
  return command('run', `${place}.yaml`, '--resume');
}

/** How far the strategy that was named beforehand ends above plain uniform cuts. */
function above(own, others) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const squared = (values) =>
    values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1) / values.length;
  const difference = mean(own) - mean(others);
  const what = `${strategies[named].title} ends ${difference.toFixed(4)} above ${strategies[plain].title}`;
  if (own.length < 2) return what;
  return `${what}: ${(difference / Math.sqrt(squared(own) + squared(others))).toFixed(1)} standard errors`;
}

try {
  const own = sections();
  console.log(`${epochs} epochs, last weights, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}\n`);
  const head = ['strategy', 'MACs cut', 'of the epochs trained', 'mAP behind the last cut', 'after', 'hours'];
  console.log(`| ${head.join(' | ')} |\n|${head.map(() => '---|').join('')}`);
  const ends = new Map();
  for (const name of asked) {
    const reports = Array.from({ length: seeds }, (_, seed) => run(own, name, seed));
    const mean = (of) => reports.reduce((sum, report) => sum + of(report), 0) / seeds;
    const cells = [
      strategies[name].title,
      `${(100 * mean(({ macs }) => macs.cut)).toFixed(2)} %`,
      trainingEpochs(name, own.data.folder),
      meanAndError(reports.map(({ metrics }) => metrics.filter(({ stage }) => stage === 'cut').at(-1).map)),
      meanAndError(reports.map(({ map }) => map)),
      mean(({ seconds }) => seconds / 3600).toFixed(2),
    ];
    console.log(`| ${cells.join(' | ')} |`);
    ends.set(
      name,
      reports.map(({ map }) => map),
    );
  }
  if (ends.has(named) && ends.has(plain)) console.log(`\n${above(ends.get(named), ends.get(plain))}`);
} finally {
  if (!flags.keep) rmSync(scratch, { recursive: true, force: true });
}
