// Prints what binding.gyp asks for: `core` or `addon` sources, or `--include` for the Node-API header folders.
const path = require('node:path');

const sources = require('../native/sources.json');

const what = process.argv[2] ?? 'all';
if (what === '--include') {
  // node-addon-api quotes the path for gyp; CMake takes a list of bare ones.
  const folders = [path.dirname(require.resolve('node-addon-api/napi.h')), require('node-api-headers').include_dir];
  console.log(folders.map((folder) => path.resolve(folder)).join(';'));
} else {
  const files = what === 'all' ? [...sources.core, ...sources.addon] : sources[what];
  console.log(files.map((file) => `native/${file}`).join('\n'));
}
