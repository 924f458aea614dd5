// What compiling the addon needs: CMake, make or ninja, and a compiler that takes C++20. Says what this machine lacks
// and how to get it: `node scripts/toolchain.js` exits 4 where something is missing. Needs no dependency, so that it
// can run before `npm ci`.
const { spawnSync } = require('node:child_process');

/** string(JSON) of CMakeLists.txt came with this release. */
const cmakeAtLeast = [3, 19];

/** Parts of C++20 that native/ uses: GCC 11, clang 14 with its library, or newer. */
const cpp20 = `#include <bit>
#include <numbers>
#include <span>
int main() { return std::bit_cast<int>(0.0F) + static_cast<int>(std::span<int>().size() + std::numbers::pi) - 3; }
`;

const waysToGet = {
  cmake: 'apt install cmake | dnf install cmake | apk add cmake | brew install cmake',
  make: 'apt install make | dnf install make | apk add make | xcode-select --install',
  compiler: 'apt install g++ | dnf install gcc-c++ | apk add g++ | xcode-select --install',
};

function run(command, args, input) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', input: input ?? '' });
  return { works: status === 0, stdout, stderr };
}

function missingCmake() {
  const { works, stdout } = run('cmake', ['--version']);
  const wanted = `CMake ${cmakeAtLeast.join('.')} or later`;
  if (!works) return { name: wanted, get: waysToGet.cmake };
  const [, version, major, minor] = /version ((\d+)\.(\d+)\S*)/.exec(stdout) ?? [];
  const enough = Number(major) > cmakeAtLeast[0] || (Number(major) === cmakeAtLeast[0] && minor >= cmakeAtLeast[1]);
  return enough ? undefined : { name: `${wanted} (found ${version})`, get: waysToGet.cmake };
}

function missingMake() {
  if (['ninja', 'make'].some((tool) => run(tool, ['--version']).works)) return undefined;
  return { name: 'make (or ninja)', get: waysToGet.make };
}

/** The compiler that CMake would take, as a command line: CXX may hold a launcher, as in "ccache g++". */
function compiler() {
  const asked = process.env.CXX?.trim();
  const commands = asked ? [asked] : ['c++', 'g++', 'clang++'];
  return commands.map((command) => command.split(/\s+/)).find(([tool]) => run(tool, ['--version']).works);
}

function missingCompiler() {
  const wanted = 'a C++20 compiler (GCC 11, clang 14, or later)';
  const found = compiler();
  const asked = process.env.CXX ? `; CXX is set to ${process.env.CXX}` : '';
  if (!found) return { name: wanted + asked, get: waysToGet.compiler };
  const [tool, ...args] = found;
  if (run(tool, [...args, '-std=c++20', '-fsyntax-only', '-x', 'c++', '-'], cpp20).works) return undefined;
  const version = run(tool, ['--version']).stdout.split('\n')[0];
  return { name: `${wanted}: ${found.join(' ')} is too old (${version})${asked}`, get: waysToGet.compiler };
}

/** What is missing here, as `{name, get}`: the tool, and the commands that install it. Visual Studio is left to CMake. */
function missingTools() {
  const checks = process.platform === 'win32' ? [missingCmake] : [missingCmake, missingMake, missingCompiler];
  return checks.map((check) => check()).filter(Boolean);
}

/** The text for people, or undefined where nothing is missing. */
function describeMissing() {
  const missing = missingTools();
  if (missing.length === 0) return undefined;
  const lines = missing.map(({ name, get }) => `  ${name}\n    ${get}`);
  return `compiling the addon needs tools that this machine lacks:\n${lines.join('\n')}`;
}

module.exports = { compiler, describeMissing };

if (require.main === module) {
  const missing = describeMissing();
  if (missing) {
    console.error(`ssd-prune: ${missing}`);
    process.exitCode = 4;
  }
}
