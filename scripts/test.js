// Runs jest and closes with one plain line, `N passed, N failed[, N skipped]`, that people and CI read. Arguments are
// jest's. SSD_PRUNE_NO_SKIP=1 counts skipped tests as failures, for a machine that has all that the tests need; only
// those whose names say that they need a GPU may be skipped there.
const { spawnSync } = require('node:child_process');
const { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');

/** Jest's own report: suites that did not even start hold no tests, so they count as one failure each. */
function runJest(args) {
  const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-test-'));
  // As /tmp: tests run commands as users with fewer rights, too.
  chmodSync(folder, 0o1777);
  try {
    const out = path.join(folder, 'results.json');
    const jest = require.resolve('jest/bin/jest');
    // Jest's report for people goes to stderr; with --json its stdout would repeat the file. What tests and their commands
    // leave in the folder for temporary files goes with this one.
    const { status } = spawnSync(process.execPath, [jest, '--json', `--outputFile=${out}`, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, TMPDIR: folder, TEMP: folder, TMP: folder },
    });
    return { status, results: existsSync(out) ? JSON.parse(readFileSync(out, 'utf8')) : undefined };
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

const { status, results } = runJest(process.argv.slice(2));
const tests = (results?.testResults ?? []).flatMap((suite) => suite.assertionResults);
const passed = tests.filter((test) => test.status === 'passed').length;
const skipped = tests.filter(
  (test) => test.status === 'pending' || test.status === 'skipped' || test.status === 'todo',
);
const refused =
  process.env.SSD_PRUNE_NO_SKIP === '1' ? skipped.filter((test) => !/\bGPU\b|CUDA/.test(test.fullName)) : [];
for (const { fullName } of refused) console.log(`skipped, though nothing may be: ${fullName}`);
const kept = skipped.filter((test) => !refused.includes(test));
for (const { fullName } of kept) console.log(`skipped: ${fullName}`);
if (kept.length > 0) {
  console.log('Tests are skipped where the machine lacks what they need: the models and pictures of SSD_PRUNE_SHARED');
  console.log('(else ../shared), GoogleTest, Python, or a GPU.');
}
const broken = results?.numRuntimeErrorTestSuites ?? 1;
let failed = tests.filter((test) => test.status === 'failed').length + broken + refused.length;
// Jest can fail without a failed test, for instance when no test was found.
if (failed === 0 && status !== 0) failed = 1;
const skippedPart = kept.length > 0 ? `, ${kept.length} skipped` : '';
console.log(`${passed} passed, ${failed} failed${skippedPart}`);
process.exitCode = failed > 0 ? 1 : 0;
