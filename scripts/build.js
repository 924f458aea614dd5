// Compiles the addon with cmake-js: `node scripts/build.js [--if-needed] [--tests] [--out DIR]`.
const { spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, copyFileSync } = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const flags = process.argv.slice(2);
const option = (name) => (flags.includes(name) ? flags[flags.indexOf(name) + 1] : undefined);
const built = path.join(root, 'build', 'Release', 'ssd_prune.node');

/** Names the tools that are missing, so that nobody has to read a CMake trace to find out. */
function missingTools() {
  const wanted = [
    ['cmake', ['cmake']],
    ['make', ['make', 'gmake', 'ninja']],
    ['a C++20 compiler (g++ or clang++)', [process.env.CXX, 'c++', 'g++', 'clang++'].filter(Boolean)],
  ];
  const works = (tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0;
  return wanted.filter(([, tools]) => !tools.some(works)).map(([name]) => name);
}

if (flags.includes('--if-needed') && existsSync(built)) process.exit(0);
const missing = missingTools();
if (missing.length > 0) {
  console.error(`ssd-prune: cannot compile the addon, this machine lacks: ${missing.join(', ')}`);
  process.exit(4);
}
const cmakeJs = path.join(path.dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
const args = [cmakeJs, 'compile', '--directory', path.join(root, 'native'), '--out', path.join(root, 'build')];
args.push(
  '--CDNODE_API_INCLUDE=' +
    spawnSync(process.execPath, [path.join(__dirname, 'sources.js'), '--include'], { encoding: 'utf8' }).stdout.trim(),
);
if (flags.includes('--tests')) args.push('--CDSSD_PRUNE_TESTS=ON');
const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'], cwd: root });
if (status !== 0 || !existsSync(built)) {
  console.error('ssd-prune: compiling the addon failed; the lines above say why');
  process.exit(status || 1);
}
const out = option('--out');
if (out) {
  mkdirSync(out, { recursive: true });
  copyFileSync(built, path.join(out, 'ssd_prune.node'));
}
