// Prints the README's table of strategies: mAP of the real model with half of its MACs gone, by each strategy, after the
// same number of epochs with one recipe; mean and standard error over seeds.
//   node scripts/bench-strategies.js [--strategies uniform,calibrated,…] [--ratio 0.5] [--seeds 3] [--epochs 6] [--keep DIR]
//   node scripts/bench-strategies.js --small     every strategy on the package's own detector and drawn scenes, for CI
// Needs models and pictures at SSD_PRUNE_SHARED (else ../shared); without them it says so and ends, but for --small. With
// --keep a run that was interrupted goes on from its checkpoints, and what is finished is not run again.
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
/** Every strategy ends at the same MACs. */
const strategies = {
  uniform: { title: 'uniform, L1', strategy: { ...uniform, pruner: 'l1' } },
  repaired: { title: 'uniform widths, pictures', strategy: { ...uniform, pruner: 'pictures', allocation: 'uniform' } },
  calibrated: { title: 'widths by error, pictures', strategy: { ...uniform, pruner: 'pictures' } },
  sensitive: {
    title: 'widths by mAP lost, L1',
    strategy: { ...uniform, class: 'SensitivePruneStrategy', pruner: 'l1', ...(flags.small && { delta_rate: 0.5 }) },
  },
  iterative: {
    title: 'a little an epoch, L1',
    strategy: {
      ...uniform,
      class: 'IterativePruneStrategy',
      pruner: 'l1',
      num_steps: Math.max(1, Math.floor(epochs / 2)),
    },
  },
  auto: {
    title: 'annealing, L1',
    strategy: {
      ...cut,
      ...{ class: 'AutoPruneStrategy', pruner: 'l1', search_steps: flags.small ? 2 : 20 },
      ...{ min_ratio: ratio - 0.01, max_ratio: ratio + (flags.small ? 0.1 : 0.02) },
    },
  },
};
const asked = flags.strategies?.split(',') ?? Object.keys(strategies);
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
  const place = path.join(scratch, `${name}-seed${seed}`);
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
    compressor: { epoch: epochs, checkpoint_path: `${place}-checkpoints`, strategies: [name] },
    output: { model: `${place}.onnx`, report, keep: 'last' },
    device: { evaluation: 'cpu' },
  };
  writeFileSync(`${place}.yaml`, JSON.stringify(configuration, null, 2));
  return command('run', `${place}.yaml`, '--resume');
}

try {
  const own = sections();
  console.log(`${epochs} epochs, last weights, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}\n`);
  console.log('| strategy | MACs cut | mAP behind the last cut | after | hours |\n|---|---|---|---|---|');
  for (const name of asked) {
    const reports = Array.from({ length: seeds }, (_, seed) => run(own, name, seed));
    const mean = (of) => reports.reduce((sum, report) => sum + of(report), 0) / seeds;
    const cells = [
      strategies[name].title,
      `${(100 * mean(({ macs }) => macs.cut)).toFixed(2)} %`,
      meanAndError(reports.map(({ metrics }) => metrics.filter(({ stage }) => stage === 'cut').at(-1).map)),
      meanAndError(reports.map(({ map }) => map)),
      mean(({ seconds }) => seconds / 3600).toFixed(2),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
} finally {
  if (!flags.keep) rmSync(scratch, { recursive: true, force: true });
}
