// Runs the tests and closes with one plain line, `N passed, N failed, N skipped`, that people and CI read.
const { spawnSync } = require('node:child_process');
const { mkdtempSync, readFileSync, existsSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');

const out = path.join(mkdtempSync(path.join(tmpdir(), 'ssd-prune-test-')), 'results.json');
const jest = require.resolve('jest/bin/jest');
const { status } = spawnSync(process.execPath, [jest, '--json', `--outputFile=${out}`, ...process.argv.slice(2)], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
if (!existsSync(out)) process.exit(status || 1);
const results = JSON.parse(readFileSync(out, 'utf8'));
const passed = results.numPassedTests;
const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
console.log(`${passed} passed, ${failed} failed, ${results.numPendingTests} skipped`);
process.exit(status || (failed > 0 ? 1 : 0));
