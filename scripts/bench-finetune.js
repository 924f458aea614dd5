// Prints the README's table of fine-tuning: mAP of the real model cut by 20 and 50 %, by L1 and with pictures, right after
// the cut and after fine-tuning with one recipe, and of the unpruned model as control; mean and standard error over seeds.
//   node scripts/bench-finetune.js [--ratios 0.2,0.5] [--cuts none,l1,calibrated] [--seeds 3] [--epochs 6] [--keep DIR]
//     [-- OPTIONS OF finetune]
//   node scripts/bench-finetune.js --small     one cut, sixteen pictures, one epoch, for CI
// Needs models and pictures at SSD_PRUNE_SHARED (else ../shared); without them it says so and ends. What is in DIR from an
// earlier call is not made again, and a run that was interrupted goes on.
const { spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const meanAndError = require('./mean-error');

const { values: flags, positionals: more } = parseArgs({
  allowPositionals: true,
  options: {
    small: { type: 'boolean', default: false },
    ratios: { type: 'string' },
    cuts: { type: 'string' },
    seeds: { type: 'string' },
    epochs: { type: 'string' },
    keep: { type: 'string' },
  },
});
const root = path.resolve(__dirname, '..');
const shared = process.env.SSD_PRUNE_SHARED ?? path.resolve(root, '..', 'shared');
const folder = path.join(shared, 'models', 'ssd-mobilenet-v1-0.75');
const [model, detector] = [path.join(folder, 'model.onnx'), path.join(folder, 'detector.json')];
const pattern = 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0';
if (!existsSync(model) || !existsSync(path.join(shared, 'voc'))) {
  console.log(`Skipped: there is no model or no data in ${shared} (set SSD_PRUNE_SHARED).`);
  process.exit(0);
}
const ratios = (flags.ratios ?? (flags.small ? '0.2' : '0.2,0.5')).split(',');
const cuts = (flags.cuts ?? (flags.small ? 'l1' : 'none,l1,calibrated')).split(',');
const seeds = Number(flags.seeds ?? (flags.small ? 1 : 3));
const epochs = flags.epochs ?? (flags.small ? '1' : '6');

const scratch = flags.keep ?? mkdtempSync(path.join(tmpdir(), 'ssd-prune-finetune-'));
mkdirSync(scratch, { recursive: true });
const data = flags.small ? fewPictures() : path.join(shared, 'voc');

/** A VOC folder of the first pictures of the real one. */
function fewPictures() {
  const few = path.join(scratch, 'few');
  mkdirSync(path.join(few, 'ImageSets', 'Main'), { recursive: true });
  for (const part of ['Annotations', 'JPEGImages']) {
    if (!existsSync(path.join(few, part))) symlinkSync(path.join(shared, 'voc', part), path.join(few, part));
  }
  for (const split of ['train', 'val']) {
    const lines = readFileSync(path.join(shared, 'voc', 'ImageSets', 'Main', `${split}.txt`), 'utf8').split('\n');
    writeFileSync(path.join(few, 'ImageSets', 'Main', `${split}.txt`), `${lines.slice(0, 16).join('\n')}\n`);
  }
  return few;
}

const commands = new Map();

/** Runs a command of this package and gives its JSON document; its result is kept beside the file that it made. */
function run(title, result, args) {
  if (!commands.has(title)) commands.set(title, args);
  const document = path.join(scratch, `${result}.json`);
  if (existsSync(document)) return JSON.parse(readFileSync(document, 'utf8'));
  const main = path.join(root, 'dist', 'lib', 'cli', 'main.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args, '--json', '--quiet'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`ssd-prune ${args.join(' ')} failed (${status}):\n${stderr}`);
  writeFileSync(document, stdout);
  return JSON.parse(stdout);
}

const evaluate = (file, name) =>
  run('eval', `eval-${name}`, [
    ...['eval', file, '--data', data, '--split', 'val', '--detector', detector, '--device', 'cpu', '--bootstrap', '0'],
  ]);

function cut(kind, ratio) {
  const file = path.join(scratch, `${kind}-${ratio}.onnx`);
  const pictures = kind === 'calibrated' ? ['--calibrate', data, '--split', 'train', '--detector', detector] : [];
  const target = ['--pruned-params', pattern, '--target-ratio', ratio, '--force'];
  run(`prune, ${kind}`, `${kind}-${ratio}`, ['prune', model, '-o', file, ...target, ...pictures]);
  return file;
}

function finetune(file, name, seed) {
  const out = path.join(scratch, `${name}-seed${seed}.onnx`);
  const going = existsSync(`${out}.state`) ? ['--resume'] : [];
  const small = flags.small ? ['--batch-size', '4', '--held-back', '0'] : [];
  const given = ['--data', data, '--split', 'train', '--detector', detector, '--teacher', model, '--keep', 'last'];
  const own = ['--epochs', epochs, '--seed', String(seed), '--force', ...small, ...more, ...going];
  const report = run('finetune', `${name}-seed${seed}`, ['finetune', file, '-o', out, ...given, ...own]);
  return { report, result: evaluate(out, `${name}-seed${seed}`) };
}

try {
  const models = cuts.flatMap((kind) =>
    kind === 'none'
      ? [{ name: 'unpruned', title: 'unpruned', file: model }]
      : ratios.map((ratio) => {
          const title = `−${Math.round(100 * ratio)} %${kind === 'calibrated' ? ' --calibrate' : ''}`;
          return { name: `${kind}-${ratio}`, title, file: cut(kind, ratio) };
        }),
  );
  const head = ['model', 'mAP before', 'after', 'mAP, ≥ 20 objects, before', 'after', 'images/s'];
  console.log(`${epochs} epochs, last weights, ${seeds} seeds\n`);
  console.log(`| ${head.join(' | ')} |\n|${head.map(() => '---|').join('')}`);
  for (const { name, title, file } of models) {
    const before = evaluate(file, name);
    const runs = Array.from({ length: seeds }, (_, seed) => finetune(file, name, seed));
    const often = ({ meanOver20 }) => meanOver20.map ?? Number.NaN;
    const cells = [
      title,
      before.map.toFixed(4),
      meanAndError(runs.map(({ result }) => result.map)),
      often(before).toFixed(4),
      meanAndError(runs.map(({ result }) => often(result))),
      (runs.reduce((sum, { report }) => sum + report.imagesPerSecond, 0) / runs.length).toFixed(1),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  const quoted = (arg) => (/[|[\]]/.test(arg) ? `'${arg}'` : arg);
  const shown = (arg) => quoted(arg.replace(shared, 'shared').replace(scratch, 'out'));
  console.log('\nfirst command of each kind:');
  for (const args of commands.values()) console.log(`  ssd-prune ${args.map(shown).join(' ')}`);
} finally {
  if (!flags.keep) rmSync(scratch, { recursive: true, force: true });
}
