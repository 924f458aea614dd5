// The whole `ssd-prune prune` of MobileNetV1-SSD 300 without the proof, as users call it: `seconds` of its report (from
// opening the input to renaming the output) and the wall time of the process, Node's start included.
//   node scripts/bench-prune.js [--small] [--runs N] [--json]
// Needs `npm run build`. --small takes a network of an eighth of the width and two runs, for CI. Exits 1 where the
// fastest run misses the limit; --small has none.
const { spawnSync } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const { values: flags } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    runs: { type: 'string' },
  },
});
/** Seconds of the report at width 1. */
const limit = 0.15;
const runs = Number(flags.runs ?? (flags.small ? 2 : 15));
if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs wants a whole number from 1, not ${flags.runs}`);

const main = path.join(__dirname, '..', 'dist', 'lib', 'cli', 'main.js');

/** Runs a command of the real command line; answers its JSON document and its wall time. */
function call(...args) {
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args, '--json'], { encoding: 'utf8' });
  const wall = (performance.now() - started) / 1000;
  if (status !== 0) throw new Error(`ssd-prune ${args[0]} failed:\n${stderr}`);
  return { document: JSON.parse(stdout), wall };
}

const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-bench-'));
try {
  const [input, output] = [path.join(folder, 'ssd.onnx'), path.join(folder, 'small.onnx')];
  call('init', input, '--width', flags.small ? '0.125' : '1');
  const wish = ['--pruned-params', 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0', '--target-ratio', '0.2', '--no-verify'];
  if (flags.small) wish.push('--align', '1');
  const times = { seconds: [], wall: [] };
  // The first run warms the file cache.
  for (let run = 0; run <= runs; run++) {
    const { document, wall } = call('prune', input, '-o', output, '--force', ...wish);
    if (run === 0) continue;
    times.seconds.push(document.seconds);
    times.wall.push(wall);
  }
  const summary = Object.fromEntries(
    Object.entries(times).map(([name, all]) => {
      const sorted = all.toSorted((a, b) => a - b);
      return [name, { min: sorted[0], median: sorted[sorted.length >> 1] }];
    }),
  );
  if (flags.json) {
    console.log(JSON.stringify({ schema: 'ssd-prune.bench-prune/1', small: flags.small, runs, ...summary }));
  } else {
    console.log(`${runs} runs of prune --no-verify, MobileNetV1-SSD 300 at width ${flags.small ? 0.125 : 1}; seconds`);
    console.log(`${''.padEnd(20)} ${'min'.padStart(8)} ${'median'.padStart(8)}`);
    for (const [name, { min, median }] of Object.entries(summary)) {
      const what = name === 'seconds' ? 'of the report' : 'of the process';
      console.log(`${what.padEnd(20)} ${min.toFixed(3).padStart(8)} ${median.toFixed(3).padStart(8)}`);
    }
  }
  if (!flags.small && summary.seconds.min > limit) {
    console.error(`the fastest run took ${summary.seconds.min.toFixed(3)} s, the limit is ${limit} s`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
