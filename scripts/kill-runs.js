// Kills `ssd-prune run` with SIGKILL at seeded moments, resumes it each time, and compares the model it ends with to that
// of a run that nobody killed, byte by byte. Some kills hit the writing of a checkpoint, some an evaluation, some the
// middle of an epoch before and behind a cut in mid-training. Needs nothing but the package: it draws its own pictures.
//   node scripts/kill-runs.js [--kills 50] [--seed 0] [--keep DIR]
// Exits with 1 where a single byte differs.
const { spawn, spawnSync } = require('node:child_process');
const { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const { values: flags } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    seed: { type: 'string', default: '0' },
    keep: { type: 'string' },
  },
});
const [kills, seed] = [Number(flags.kills), Number(flags.seed)];
const root = path.resolve(__dirname, '..');
const main = path.join(root, 'dist', 'lib', 'cli', 'main.js');
const { embeddedDetector } = require('../dist/lib/embedded/detector');
const { uniform } = require('../dist/lib/model/random');
const draw = uniform(seed, 'kills');

const scratch = flags.keep ?? mkdtempSync(path.join(tmpdir(), 'ssd-prune-kills-'));
mkdirSync(scratch, { recursive: true });
const scenes = path.join(scratch, 'scenes');

const configuration = (name) => `
version: 1.0
model: {file: ${JSON.stringify(embeddedDetector)}}
data: {folder: scenes}
training: {batch_size: 4, held_back: 0.2, rate: 0.001}
device: {evaluation: cpu}
output: {model: ${name}.onnx}
strategies:
  first: {class: UniformPruneStrategy, target_ratio: 0.2, tolerance: 0.05, pruned_params: &layers 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0'}
  second: {class: UniformPruneStrategy, start_epoch: 1, target_ratio: 0.15, tolerance: 0.05, pruned_params: *layers}
compressor: {epoch: 3, checkpoint_path: ${name}-checkpoints, checkpoint_minutes: 0.005, strategies: [first, second]}
`;

function writeConfiguration(name) {
  const file = path.join(scratch, `${name}.yaml`);
  writeFileSync(file, configuration(name));
  return file;
}

function command(...args) {
  const { status, stderr } = spawnSync(process.execPath, [main, ...args, '--quiet'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ssd-prune ${args.join(' ')} ended with ${status}: ${stderr}`);
}

/** Moments to kill at: what is waited for, and up to so many milliseconds behind it. */
const moments = [
  { name: 'in mid-epoch', milliseconds: 400, on: (event) => event.event === 'progress' && event.label === 'steps' },
  // About as long as one takes: network, training state, document, rename, and the old one's removal.
  { name: 'while a checkpoint is written', milliseconds: 60, folder: true },
  {
    name: 'while it is evaluated',
    milliseconds: 250,
    on: (event) => event.event === 'evaluation' || event.event === 'cut',
  },
  { name: 'wherever it is', milliseconds: 4000, on: () => true },
];

/** Calls that went on from a checkpoint: a run that always began anew would end with the same bytes, too. */
let resumed = 0;
/** Kills behind the cut in mid-training, and what was there of a checkpoint that was being written. */
let behindSecond = 0;
const unfinished = new Map();

function countKill(checkpoints, cuts) {
  if (cuts > 1) behindSecond++;
  const hidden = readdirSync(checkpoints).find((name) => /^\.\d{6}/.test(name));
  if (hidden === undefined) return;
  const files = readdirSync(path.join(checkpoints, hidden))
    .filter((name) => !name.endsWith('.tmp'))
    .sort()
    .join(', ');
  unfinished.set(files, (unfinished.get(files) ?? 0) + 1);
}

/**
 * Goes on with a run, and kills it at a moment.
 * @returns whether it was through before
 */
function killOnce(file, checkpoints, moment, place) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, 'run', file, '--resume', '--json'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let [armed, text, cuts] = [false, '', 0];
    const arm = () => {
      if (armed) return;
      armed = true;
      setTimeout(() => child.kill('SIGKILL'), Math.floor(place * moment.milliseconds));
    };
    mkdirSync(checkpoints, { recursive: true });
    // A checkpoint has its name with a dot in front until it is whole.
    const watcher = moment.folder && watch(checkpoints, (_, name) => /^\.\d{6}/.test(name ?? '') && arm());
    let last = '';
    child.stderr.on('data', (chunk) => {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop();
      for (const line of lines) {
        last = line;
        const event = JSON.parse(line);
        if (event.event === 'begin') {
          resumed += event.resumed === null ? 0 : 1;
          cuts = event.soFar?.cuts.length ?? 0;
        }
        if (event.event === 'cut') cuts++;
        if (moment.on?.(event)) arm();
      }
    });
    child.on('close', (code, signal) => {
      if (watcher) watcher.close();
      if (signal === 'SIGKILL') {
        countKill(checkpoints, cuts);
        resolve(false);
      } else if (code === 0) resolve(true);
      else reject(new Error(`run --resume ended with ${code}: ${last}`));
    });
  });
}

async function main_() {
  command('scenes', scenes, '--count', '40');
  command('scenes', scenes, '--split', 'val', '--count', '12');
  command('run', writeConfiguration('unbroken'));
  const expected = readFileSync(path.join(scratch, 'unbroken.onnx'));
  const counts = new Map(moments.map(({ name }) => [name, 0]));
  const file = writeConfiguration('killed');
  const checkpoints = path.join(scratch, 'killed-checkpoints');
  const output = path.join(scratch, 'killed.onnx');
  let [killed, compared] = [0, 0];
  const compare = () => {
    if (!readFileSync(output).equals(expected))
      throw new Error(`after ${killed} kills the model differs from an unbroken run's`);
    compared++;
    for (const place of [checkpoints, output]) rmSync(place, { recursive: true, force: true });
  };
  for (let attempt = 0; killed < kills; attempt++) {
    const moment = moments[attempt % moments.length];
    const through = await killOnce(file, checkpoints, moment, draw(attempt));
    if (through) compare();
    else {
      killed++;
      counts.set(moment.name, counts.get(moment.name) + 1);
    }
  }
  command('run', file, '--resume');
  compare();
  // The model's own may be: killed while it was written under another name, and nothing says whose that was.
  const left = readdirSync(scratch).filter(
    (name) => name.includes('.tmp') && !name.startsWith(`.${path.basename(output)}`),
  );
  if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  for (const [name, count] of counts) console.log(`${String(count).padStart(3)} kills ${name}`);
  console.log(`${resumed} times it went on from a checkpoint; ${behindSecond} kills behind the cut in mid-training`);
  for (const [files, count] of unfinished) {
    console.log(
      `${String(count).padStart(3)} times an unfinished checkpoint was left, with ${files || 'nothing in it'}`,
    );
  }
  if (kills >= 50 && behindSecond === 0) throw new Error('no kill was behind the cut in mid-training');
  console.log(`${killed} kills, ${compared} runs: each ended with the bytes of the run that nobody killed`);
}

main_()
  .catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  })
  .finally(() => {
    if (flags.keep === undefined) rmSync(scratch, { recursive: true, force: true });
  });
