import { spawnSync } from 'node:child_process';
import path from 'node:path';

const script = path.resolve(__dirname, '..', '..', 'scripts', 'kill-runs.js');

// The script itself kills fifty times.
test('killed in mid-epoch, in a checkpoint and in an evaluation, a run goes on to the same bytes', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--kills', '3'], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  for (const moment of ['in mid-epoch', 'while a checkpoint is written', 'while it is evaluated']) {
    expect(stdout).toContain(`  1 kills ${moment}\n`);
  }
  expect(Number(/^(\d+) times it went on from a checkpoint;/m.exec(stdout)![1])).toBeGreaterThanOrEqual(1);
  expect(stdout).toMatch(/\n3 kills, \d runs: each ended with the bytes of the run that nobody killed\n$/);
}, 300_000);
