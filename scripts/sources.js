// One a line, for both build files: the native sources under a key of native/sources.json (`node scripts/sources.js
// KEY`, paths from the package's root), or the folders of Node-API's headers (`--include`).
const path = require('node:path');
const sources = require('../native/sources.json');

/** Paths of the sources under `key`, from the package's root. */
function sourcesOf(key) {
  if (!Object.hasOwn(sources, key)) throw new Error(`native/sources.json has no list "${key}"`);
  return sources[key].map((file) => `native/${file}`);
}

function includeFolders() {
  // node-addon-api quotes its path for gyp; CMake takes bare ones.
  const folders = [path.dirname(require.resolve('node-addon-api/napi.h')), require('node-api-headers').include_dir];
  return folders.map((folder) => path.resolve(folder));
}

module.exports = { includeFolders, sourcesOf };

if (require.main === module) {
  const [what] = process.argv.slice(2);
  console.log((what === '--include' ? includeFolders() : sourcesOf(what)).join('\n'));
}
