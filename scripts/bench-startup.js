// What a command costs before it does anything: wall time of whole processes, the shortest of ten runs each.
//   node scripts/bench-startup.js            exits 1 over a limit
//   node scripts/bench-startup.js --small    three runs each, and no limits: for CI, whose machines are shared
// Runs take turns, so that a machine that gets busy in between is not blamed on one of them.
const { spawnSync } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');

const small = process.argv.includes('--small');
const runs = small ? 3 : 10;
const root = path.join(__dirname, '..');
const main = path.join(root, 'dist', 'lib', 'cli', 'main.js');
const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-startup-'));
const model = path.join(folder, 'ssd.onnx');

/** Name, arguments of Node, and the most milliseconds it may take on a machine that does nothing else. */
const cases = [
  ['node alone', ['-e', '0']],
  ['ssd-prune --help', [main, '--help'], 150],
  ['ssd-prune prune --help', [main, 'prune', '--help']],
  ['ssd-prune params (23 MB)', [main, 'params', model], 300],
  ["require('ssd-prune')", ['-e', "require('ssd-prune')"]],
  ["import 'ssd-prune'", ['--input-type=module', '-e', "import 'ssd-prune'"]],
];

function milliseconds(args) {
  const begin = process.hrtime.bigint();
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}: ${stderr}`);
  return Number(process.hrtime.bigint() - begin) / 1e6;
}

try {
  milliseconds([main, 'init', model]);
  const times = cases.map(() => []);
  for (let run = 0; run < runs; run++) {
    for (const [i, [, args]] of cases.entries()) times[i].push(milliseconds(args));
  }
  cases.forEach(([name, , limit], i) => {
    const sorted = times[i].sort((a, b) => a - b);
    const [least, median] = [sorted[0], sorted[runs >> 1]].map((time) => `${time.toFixed(0)} ms`);
    const over = limit !== undefined && sorted[0] > limit && !small;
    if (over) process.exitCode = 1;
    const rule = limit === undefined ? '' : `  limit ${limit} ms${over ? ': too slow' : ''}`;
    console.log(`${name.padEnd(26)} min ${least.padStart(7)}  median ${median.padStart(7)}${rule}`);
  });
} finally {
  rmSync(folder, { recursive: true });
}
