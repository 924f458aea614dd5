import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const script = path.resolve(__dirname, '..', '..', 'scripts', 'toolchain.js');
const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-tools-'));
afterAll(() => rmSync(folder, { recursive: true }));

let machines = 0;
/** A machine with these tools alone, each a line of shell. */
function examine(tools: Record<string, string>, env: NodeJS.ProcessEnv = {}) {
  const bin = mkdtempSync(path.join(folder, `machine-${machines++}-`));
  for (const [name, line] of Object.entries(tools)) {
    writeFileSync(path.join(bin, name), `#!/bin/sh\n${line}\n`);
    chmodSync(path.join(bin, name), 0o755);
  }
  symlinkSync(process.execPath, path.join(bin, 'node'));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    encoding: 'utf8',
    env: { PATH: bin, ...env },
  });
  return { status, stdout, stderr, missing: stderr.split('\n').filter((line) => /^ {2}\S/.test(line)) };
}

const make = { make: 'exit 0' };
const newCmake = { cmake: 'echo cmake version 3.19.0' };
const newCompiler = { 'c++': 'echo c++ 13.1' };
const oldCompiler = 'case "$*" in *c++20*) exit 1;; *) echo g++ 7.5.0;; esac';

test.each<[string, Record<string, string>, NodeJS.ProcessEnv, RegExp[]]>([
  ['all there', { ...make, ...newCmake, ...newCompiler }, {}, []],
  ['ninja for make', { ninja: 'exit 0', ...newCmake, 'clang++': 'exit 0' }, {}, []],
  ['a later major version', { ...make, ...newCompiler, cmake: 'echo cmake version 4.0.1' }, {}, []],
  ['nothing', {}, {}, [/^ {2}CMake 3.19 or later$/, /^ {2}make \(or ninja\)$/, /^ {2}a C\+\+20 compiler/]],
  [
    'an old CMake',
    { ...make, ...newCompiler, cmake: 'echo cmake version 3.18.4' },
    {},
    [/CMake 3\.19 or later \(found 3\.18\.4\)/],
  ],
  ['an old compiler', { ...make, ...newCmake, 'c++': oldCompiler }, {}, [/c\+\+ is too old \(g\+\+ 7\.5\.0\)/]],
  ['CXX that is not there', { ...make, ...newCmake, ...newCompiler }, { CXX: 'g++-42' }, [/CXX is set to g\+\+-42/]],
  ['CXX with a launcher', { ...make, ...newCmake, launch: 'exit 0' }, { CXX: 'launch g++' }, []],
])('%s', (_, tools, env, expected) => {
  const { status, stdout, stderr, missing } = examine(tools, env);
  expect([status, stdout]).toEqual([expected.length > 0 ? 4 : 0, '']);
  expect(missing).toHaveLength(expected.length);
  expected.forEach((text, i) => {
    expect(missing[i]).toMatch(text);
  });
  // Each comes with the way to get it.
  expect(stderr.match(/apt install/g) ?? []).toHaveLength(expected.length);
});
