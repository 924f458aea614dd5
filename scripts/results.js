// Prints the README's table of results: the real model pruned by 20 and 50 %, with mAP and latency before and after.
//   node scripts/results.js [--small] [--targets 0.2,0.5] [--runs 60]
// Needs models and pictures at SSD_PRUNE_SHARED (else ../shared); without them it says so and ends.
const { spawnSync } = require('node:child_process');
const { existsSync, mkdtempSync, rmSync, statSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const { values: flags } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    targets: { type: 'string', default: '0.2,0.5' },
    runs: { type: 'string' },
  },
});
const root = path.resolve(__dirname, '..');
const shared = process.env.SSD_PRUNE_SHARED ?? path.resolve(root, '..', 'shared');
const folder = path.join(shared, 'models', 'ssd-mobilenet-v1-0.75');
const [model, detector, data] = [
  path.join(folder, 'model.onnx'),
  path.join(folder, 'detector.json'),
  path.join(shared, 'voc'),
];
const pattern = 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0';
if (!existsSync(model) || !existsSync(data)) {
  console.log(`Skipped: there is no model or no data in ${shared} (set SSD_PRUNE_SHARED).`);
  process.exit(0);
}

/** Runs a command of this package and gives its JSON document. */
function run(...args) {
  const main = path.join(root, 'dist', 'lib', 'cli', 'main.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args, '--json', '--quiet'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`ssd-prune ${args.join(' ')} failed (${status}):\n${stderr}`);
  return JSON.parse(stdout);
}

const scratch = mkdtempSync(path.join(tmpdir(), 'ssd-prune-results-'));
try {
  const limit = flags.small ? ['--limit', '16'] : [];
  const rows = [{ name: 'original', file: model }];
  for (const target of flags.targets.split(',')) {
    const file = path.join(scratch, `cut-${target}.onnx`);
    const report = run('prune', model, '-o', file, '--pruned-params', pattern, '--target-ratio', target);
    rows[0].macs = report.macs.before;
    rows[0].parameters = report.parameters.before;
    rows.push({
      name: `--target-ratio ${target}`,
      file,
      macs: report.macs.after,
      parameters: report.parameters.after,
      proof: report.verified,
    });
  }
  for (const row of rows) {
    const found = path.join(scratch, 'detections.json');
    const common = ['--data', data, '--split', 'val', '--bootstrap', '0'];
    const own = ['--detector', detector, '--device', 'cpu', '--detections', found, ...limit];
    row.voc = run('eval', row.file, ...common, ...own, '--protocol', 'voc');
  }
  const runs = flags.runs ?? (flags.small ? '5' : '60');
  const bench = run(
    'bench',
    ...rows.map(({ file }) => file),
    ...['--threads', '1,2', '--batch-sizes', '1', '--runs', runs, '--device', 'cpu'],
  );
  const { cpu, cores, node } = bench.machine;
  console.log(`${cpu}, ${cores} cores, Node ${node}, ONNX Runtime ${bench.runtime}; ${runs} interleaved runs\n`);
  const head = ['model', 'MACs', 'parameters', 'file', 'mAP', 'mAP, ≥ 20 objects', '1 thread ms', '2 threads ms'];
  console.log(`| ${head.join(' | ')} |\n|${head.map(() => '---|').join('')}`);
  const change = (value, base) => (value === base ? '' : ` (−${(100 * (1 - value / base)).toFixed(1)} %)`);
  for (const row of rows) {
    const latency = [1, 2].map((threads) => {
      const { minMilliseconds, medianMilliseconds, ratio } = bench.results.find(
        (result) => result.model === row.file && result.threads === threads,
      );
      const shares = [ratio.min, ratio.median].map((share) => `−${(100 * (1 - share)).toFixed(0)}`).join(' / ');
      const gain = row === rows[0] ? '' : ` (${shares} %)`;
      return `${minMilliseconds.toFixed(1)} / ${medianMilliseconds.toFixed(1)}${gain}`;
    });
    const cells = [
      row.name,
      `${(row.macs / 1e6).toFixed(1)} M${change(row.macs, rows[0].macs)}`,
      `${(row.parameters / 1e6).toFixed(2)} M${change(row.parameters, rows[0].parameters)}`,
      `${(statSync(row.file).size / 2 ** 20).toFixed(1)} MiB`,
      row.voc.map.toFixed(4),
      row.voc.meanOver20.map?.toFixed(4) ?? '–',
      ...latency,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  for (const { name, proof } of rows.slice(1)) {
    console.log(
      `\nproof of ${name}: largest difference ${proof.maxAbsDiff.toExponential(2)} on ${proof.images} pictures`,
    );
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
