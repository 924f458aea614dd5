// Compiles the addon with cmake-js. Needs no network: the headers of Node-API are a dependency.
//   node scripts/build.js [--if-needed] [--tests] [--build-dir DIR] [--out DIR]
//   --if-needed   does nothing where the addon is compiled already, loads, and is newer than its sources
//   --tests       compiles the C++ tests beside it, where GoogleTest is installed
//   --build-dir   compiles there, for a package folder that is read-only (default: build/ in the package)
//   --out         puts ssd_prune.node there as well
//   --install     as npm's install script: where the package is a dependency, a failure is a warning, because
//                 `ssd-prune build` can repair it later; in a source tree it fails
// Exit codes: 0 compiled, 1 the compiler failed, 2 wrong usage, 4 a tool is missing.
const { spawnSync } = require('node:child_process');
const { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } = require('node:fs');
const { availableParallelism } = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { compiler, describeMissing } = require('./toolchain');

const root = path.resolve(__dirname, '..');
const native = path.join(root, 'native');

function parseFlags() {
  try {
    return parseArgs({
      options: {
        'if-needed': { type: 'boolean' },
        install: { type: 'boolean' },
        tests: { type: 'boolean' },
        'build-dir': { type: 'string' },
        out: { type: 'string' },
      },
    }).values;
  } catch (error) {
    console.error(`ssd-prune: scripts/build.js: ${error.message}`);
    process.exit(2);
  }
}

const flags = parseFlags();
const buildDir = path.resolve(flags['build-dir'] ?? path.join(root, 'build'));
const release = path.join(buildDir, 'Release');
const built = path.join(release, 'ssd_prune.node');

function loads(file) {
  const { status } = spawnSync(process.execPath, ['-e', 'require(process.argv[1])', file], { stdio: 'ignore' });
  return status === 0;
}

/** True if the compiled addon works and no source was touched since. */
function isUpToDate() {
  if (!existsSync(built)) return false;
  const compiledAt = statSync(built).mtimeMs;
  const sources = readdirSync(native, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.parentPath !== path.join(native, 'test'))
    .map((entry) => path.join(entry.parentPath, entry.name));
  return sources.every((file) => statSync(file).mtimeMs <= compiledAt) && loads(built);
}

/** Runs cmake-js; what it prints goes to stderr, so that a caller's stdout holds results only. */
function cmakeJs(command) {
  const { includeFolders } = require('./sources');
  const tool = path.join(path.dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
  const args = [tool, command, '--directory', native, '--out', buildDir];
  args.push('--parallel', String(availableParallelism()));
  args.push(`--CDNODE_API_INCLUDE=${includeFolders().join(';')}`, `--CDCMAKE_LIBRARY_OUTPUT_DIRECTORY=${release}`);
  args.push(`--CDSSD_PRUNE_TESTS=${flags.tests ? 'ON' : 'OFF'}`);
  const onPath = (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0;
  // cmake-js refuses to start without one of these names, though CMake would find the compiler.
  if (process.platform !== 'win32' && !onPath('g++') && !onPath('clang++')) {
    const [name] = compiler();
    args.push('--cxx', name, '--cc', name);
  }
  return spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2], cwd: root }).status === 0;
}

/** Configures anew every time, so that a tree made with other flags follows; forgets what CMake can't carry over. */
function configure() {
  if (cmakeJs('configure')) return true;
  const cache = path.join(buildDir, 'CMakeCache.txt');
  if (!existsSync(cache)) return false;
  console.error('ssd-prune: configuring again without the old CMakeCache.txt (moved folder or other generator?)');
  rmSync(cache);
  rmSync(path.join(buildDir, 'CMakeFiles'), { recursive: true, force: true });
  return cmakeJs('configure');
}

/** Renamed into place: writing over a library that a running process has mapped would crash it. */
function copyTo(folder) {
  mkdirSync(folder, { recursive: true });
  const partial = path.join(folder, `ssd_prune.node.${process.pid}`);
  copyFileSync(built, partial);
  renameSync(partial, path.join(folder, 'ssd_prune.node'));
}

/** Compiles as the flags say. Returns the exit code. */
function build() {
  if (!(flags['if-needed'] && !flags.tests && isUpToDate())) {
    const missing = describeMissing();
    if (missing) {
      console.error(`ssd-prune: ${missing}`);
      return 4;
    }
    if (!configure() || !cmakeJs('build') || !loads(built)) {
      console.error('ssd-prune: compiling the addon failed; the lines above say why');
      return 1;
    }
  }
  if (flags.out) copyTo(path.resolve(flags.out));
  return 0;
}

const exitCode = build();
// The packed package holds no tsconfig.json: it tells a dependency from a source tree.
if (exitCode !== 0 && flags.install && !existsSync(path.join(root, 'tsconfig.json'))) {
  console.error('ssd-prune: installed without its addon; `npx ssd-prune build` compiles it later');
} else process.exitCode = exitCode;
