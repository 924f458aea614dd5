import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { command, errorOf, events, failure, interrupted, temporary } from './command';

const folder = temporary();
const model = path.join(folder, 'ssd.onnx');
/** Where tables of layers' times are kept. */
let cache = '';

/** A network of some milliseconds, most of them in the layers that are named: the machine may be busy meanwhile. */
beforeAll(() => {
  expect(command(['init', model, '--width', '0.25', '--quiet']).status).toBe(0);
});

const prune = (...args: string[]) =>
  command(['prune', model, '--pruned-params', 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0', '--json', ...args], {
    env: { ...process.env, XDG_CACHE_HOME: cache },
  });

/** A machine may be busy for as long as one model is timed: the first of three runs, each with a table of its own, that hit. */
function undisturbed(run: () => ReturnType<typeof prune>): ReturnType<typeof prune> {
  for (let attempt = 1; ; attempt++) {
    cache = path.join(folder, `cache-${attempt}`);
    const result = run();
    if (result.status !== 0 || attempt === 3) return result;
    const { kernelShare, table } = JSON.parse(result.stdout).latency;
    if ([kernelShare, table.predictedShare].every((share) => share > 0.7 && share < 0.9)) return result;
  }
}

/** Runs for three quarters of what the model takes just now; a machine that gets faster or slower meanwhile has more tries. */
function inMilliseconds(run: (milliseconds: string) => ReturnType<typeof command>) {
  for (let attempt = 1; ; attempt++) {
    const bench = command(['bench', model, '--batch-sizes', '1', '--threads', '1', '--runs', '30', '--json']);
    const target = (0.75 * JSON.parse(bench.stdout).results[0].minMilliseconds).toFixed(3);
    const ended = run(target);
    if (ended.status !== 3 || attempt === 4) return { target, ended };
  }
}

test('prune --target-latency: widths by time, measured beside the original, the table kept for the next run', () => {
  const out = path.join(folder, 'small.onnx');
  const first = undisturbed(() => prune('-o', out, '--force', '--target-latency', '0.8'));
  expect(first.status).toBe(0);
  const report = JSON.parse(first.stdout);
  const { latency } = report;
  expect(report).toMatchObject({ targetRatio: null, verified: { vacuous: false } });
  expect(report.macs.cut).toBeGreaterThan(0);
  expect(latency).toMatchObject({
    target: { share: 0.8, milliseconds: null },
    threads: 1,
    batchSize: 1,
    device: 'cpu',
    table: { cached: false, models: 9 },
  });
  expect(latency.share).toBeCloseTo(latency.after.medianMilliseconds / latency.before.medianMilliseconds, 12);
  expect(latency.after.minMilliseconds).toBeLessThanOrEqual(latency.after.medianMilliseconds);
  expect(latency.iterations.length).toBeGreaterThan(0);
  // Kernels, each the least of many runs, are hardly disturbed by what else runs here; whole runs are.
  expect(latency.kernelShare).toBeGreaterThan(0.7);
  expect(latency.kernelShare).toBeLessThan(0.9);
  expect(latency.table.predictedShare).toBeGreaterThan(0.7);
  expect(latency.table.predictedShare).toBeLessThan(0.9);
  const progress = events(first).filter(({ event }) => event === 'progress');
  expect(new Set(progress.map(({ label }) => label))).toEqual(new Set(['timing layers', 'trying widths', 'timing']));

  const { file } = latency.table;
  expect(path.dirname(file)).toBe(path.join(cache, 'ssd-prune', 'latency'));
  // Milliseconds, for people, by the table that is there now.
  const args = ['prune', model, '--dry-run', '--pruned-params', 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0'];
  const { target, ended: second } = inMilliseconds((milliseconds) =>
    command([...args, '--target-latency', `${milliseconds}ms`], { env: { ...process.env, XDG_CACHE_HOME: cache } }),
  );
  expect([second.status, second.stderr]).toEqual([0, expect.anything()]);
  expect(second.stdout).toContain('kept from an earlier run');
  expect(second.stdout).toContain(`asked for ${Number(target)} ms`);
  expect(second.stdout).toMatch(/median +│ +\d+\.\d\d +│ +\d+\.\d\d +│ +\d+\.\d %/);

  // Out of reach: said with what can be reached. A damaged table is measured anew and kept.
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, 100));
  const far = prune('-o', path.join(folder, 'none.onnx'), '--target-latency', '0.02');
  expect(failure(far)).toEqual({ status: 3, code: 'ERR_TARGET_UNREACHABLE', stdout: '' });
  const reachable = /narrowest widths allowed the model takes (\d+\.\d) %/.exec(errorOf(far).message);
  expect(Number(reachable?.[1])).toBeGreaterThan(2);
  expect(Number(reachable?.[1])).toBeLessThan(90);
  expect(JSON.parse(readFileSync(file, 'utf8')).samples).toHaveLength(9);
  expect(readdirSync(path.dirname(file))).toEqual([path.basename(file)]);

  // Fast enough as it is, and no place to keep the table.
  const near = command([...args, '--target-latency', '60000ms'], { env: { ...process.env, XDG_CACHE_HOME: model } });
  expect([near.status, near.stdout]).toEqual([3, '']);
  expect(near.stderr).toContain('nothing to cut');
  expect(near.stderr).toMatch(/The table of latencies isn't kept for later runs: .*ssd\.onnx/);
  expect(existsSync(path.join(folder, 'none.onnx'))).toBe(false);
}, 600_000);

test.each([
  ['no target', ['--target-latency', 'fast']],
  ['no share', ['--target-latency', '1.5']],
  ['two targets', ['--target-latency', '0.8', '--target-ratio', '0.2']],
  ['ratios, too', ['--target-latency', '0.8', '--ratios', 'conv2d_1.w_0=0.5']],
  ['Paddle’s way', ['--target-latency', '0.8', '--paddle1x']],
  ['threads that no machine has', ['--target-latency', '0.8', '--threads', '-1']],
])('%s is a usage error', (_, args) => {
  expect(failure(prune('--dry-run', ...args))).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
});

test('interrupted while layers are timed, it ends with 130 and leaves no temporary folder', async () => {
  const place = temporary();
  const env = { TMPDIR: place, XDG_CACHE_HOME: path.join(place, 'cache') };
  const args = [
    'prune',
    model,
    '--dry-run',
    '--json',
    '--pruned-params',
    'conv2d_[1-9].w_0',
    '--target-latency',
    '0.8',
  ];
  const ended = await interrupted(args, /"label":"timing layers"/, env);
  expect(failure(ended)).toEqual({ status: 130, code: 'ERR_ABORTED', stdout: '' });
  // ONNX Runtime leaves files of its own there.
  expect(readdirSync(place).filter((name) => name.startsWith('ssd-prune'))).toEqual([]);
});
