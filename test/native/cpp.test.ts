import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';

/**
 * Compiles the C++ tests in a folder of their own, runs them, and shows each GoogleTest case as a test of jest. All of
 * it happens while jest collects, because the cases are known only then.
 */
const root = path.resolve(__dirname, '..', '..');
const buildDir = path.join(root, 'build-tests');
const binary = path.join(buildDir, 'ssd_prune_test');

interface Case {
  name: string;
  skipped: boolean;
  failure: string | undefined;
}

/** As much of GoogleTest's JSON report as is read here. */
interface GoogleTestReport {
  testsuites: {
    name: string;
    testsuite: { name: string; result: string; failures?: { failure: string }[] }[];
  }[];
}

type Outcome = { skipped: string } | { broken: string } | { cases: Case[] };

function run(command: string, args: string[]) {
  const { status, signal, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  return { ok: status === 0, ended: signal ?? `exit code ${status}`, output: `${stdout}${stderr}` };
}

function build(): { skipped: string } | { broken: string } | undefined {
  if (!run('cmake', ['--version']).ok) return { skipped: 'CMake is not installed' };
  const ninja = !existsSync(path.join(buildDir, 'CMakeCache.txt')) && run('ninja', ['--version']).ok;
  const configured = run('cmake', [
    ...['-S', path.join(root, 'native'), '-B', buildDir, ...(ninja ? ['-G', 'Ninja'] : [])],
    ...['-DSSD_PRUNE_ADDON=OFF', '-DSSD_PRUNE_TESTS=ON'],
  ]);
  if (!configured.ok) return { broken: configured.output };
  if (configured.output.includes('GoogleTest not found')) return { skipped: 'GoogleTest is not installed' };
  const parallel = String(availableParallelism());
  const compiled = run('cmake', ['--build', buildDir, '--target', 'ssd_prune_test', '--parallel', parallel]);
  return compiled.ok ? undefined : { broken: compiled.output };
}

function runCases(): Outcome {
  const unbuilt = build();
  if (unbuilt) return unbuilt;
  const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-cpp-'));
  try {
    const report = path.join(folder, 'report.json');
    const { ended, output } = run(binary, [`--gtest_output=json:${report}`]);
    // A case that crashes ends the run before the report is written.
    if (!existsSync(report)) return { broken: `ssd_prune_test ended with ${ended}\n${output.slice(-4000)}` };
    const { testsuites } = JSON.parse(readFileSync(report, 'utf8')) as GoogleTestReport;
    const cases = testsuites.flatMap(({ name, testsuite }) =>
      testsuite.map((test) => ({
        name: `${name}.${test.name}`,
        skipped: test.result === 'SKIPPED',
        failure: test.failures?.map(({ failure }) => failure).join('\n'),
      })),
    );
    return cases.length > 0 ? { cases } : { broken: 'ssd_prune_test holds no test' };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const outcome = runCases();
if ('skipped' in outcome) test.skip(`C++ tests: ${outcome.skipped}`, () => {});
else if ('broken' in outcome) {
  test('C++ tests compile and run to their end', () => {
    throw new Error(outcome.broken);
  });
} else {
  for (const { name, skipped, failure } of outcome.cases) {
    (skipped ? test.skip : test)(name, () => {
      if (failure) throw new Error(failure);
    });
  }
}
