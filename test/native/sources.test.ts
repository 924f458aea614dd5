import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(__dirname, '..', '..');
const native = path.join(root, 'native');

/** Flags that pick an instruction set, of every source that a build file compiles: `path from the root -> flags`. */
type Units = Record<string, string[]>;

const isaFlags = (flags: string[]) => flags.filter((flag) => /^-m(avx|fma|f16c|sse)/.test(flag)).sort();

/** Runs `<!@(command)` of binding.gyp as gyp does. */
function expand(entry: string): string[] {
  const command = /^<!@\((.*)\)$/.exec(entry)?.[1];
  if (!command) return [entry];
  return execFileSync('sh', ['-c', command], { cwd: root, encoding: 'utf8' }).split(/\s+/).filter(Boolean);
}

interface GypTarget {
  sources: string[];
  cflags_cc?: string[];
}

function gypUnits(): Units {
  const text = readFileSync(path.join(root, 'binding.gyp'), 'utf8').replace(/^#.*$/gm, '');
  const gyp = JSON.parse(text) as { targets: GypTarget[]; conditions: [string, { targets: GypTarget[] }][] };
  const units: Units = {};
  for (const target of [...gyp.targets, ...gyp.conditions.flatMap(([, then]) => then.targets)]) {
    for (const file of target.sources.flatMap(expand)) units[file] = isaFlags(target.cflags_cc ?? []);
  }
  return units;
}

/** What CMake would compile, read from its own list of commands: configured only, nothing is compiled. */
function cmakeUnits(): Units {
  const out = mkdtempSync(path.join(tmpdir(), 'ssd-prune-cmake-'));
  try {
    execFileSync('cmake', ['-S', native, '-B', out, '-DCMAKE_EXPORT_COMPILE_COMMANDS=ON'], { stdio: 'pipe' });
    const commands = JSON.parse(readFileSync(path.join(out, 'compile_commands.json'), 'utf8')) as {
      file: string;
      command: string;
    }[];
    return Object.fromEntries(
      commands.map(({ file, command }) => [path.relative(root, file), isaFlags(command.split(/\s+/))]),
    );
  } finally {
    rmSync(out, { recursive: true });
  }
}

const hasCmake = spawnSync('cmake', ['--version']).status === 0;
const onX64 = process.arch === 'x64' && process.platform !== 'win32';

test('every C++ file is in native/sources.json once, and every entry is a file', () => {
  const lists = JSON.parse(readFileSync(path.join(native, 'sources.json'), 'utf8')) as Record<string, string[]>;
  const files = readdirSync(native, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.cc'));
  expect(Object.values(lists).flat().sort()).toEqual(files.sort());
});

(hasCmake && onX64 ? test : test.skip)(
  'binding.gyp and CMakeLists.txt compile the same files for the same instruction sets (needs CMake, x64)',
  () => {
    const cmake = cmakeUnits();
    expect(gypUnits()).toEqual(cmake);
    expect(cmake['native/prune/distance_avx2.cc']).toContain('-mavx2');
    expect(cmake['native/kernels/isa.cc']).toEqual([]);
  },
);
