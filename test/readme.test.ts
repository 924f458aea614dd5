import { readFileSync } from 'node:fs';
import path from 'node:path';
import { commands } from '../lib/cli/commands';
import { ExitCode, errorCodes, SsdPruneError } from '../lib/errors';

const readme = readFileSync(path.resolve(__dirname, '..', 'README.md'), 'utf8');

/** Cells of the table rows that begin with a code span. */
const rows = [...readme.matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)].map(([, first, rest]) => ({
  first: first!,
  cells: rest!.split('|').map((cell) => cell.trim()),
}));

test('README lists every error code with its exit code, and no other', () => {
  const listed = rows.filter(({ first }) => first.startsWith('ERR_'));
  expect(listed.map(({ first }) => first).sort()).toEqual([...errorCodes].sort());
  for (const { first, cells } of listed) {
    expect([first, Number(cells[0])]).toEqual([first, new SsdPruneError(first as 'ERR_USAGE', '').exitCode]);
  }
});

test('README lists every exit code', () => {
  const listed = [...readme.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  expect(listed).toEqual(Object.values(ExitCode));
});

test('README lists every command', () => {
  const listed = rows.map(({ first }) => first.split(' ')[0]);
  for (const { command } of commands) expect(listed).toContain(command.split(' ')[0]);
});
