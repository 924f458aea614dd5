// Checks (or with --write, mends) the format of everything under native/.
const { spawnSync } = require('node:child_process');
const { readdirSync } = require('node:fs');
const path = require('node:path');

const native = path.resolve(__dirname, '..', 'native');
const files = readdirSync(native, { recursive: true })
  .filter((file) => /\.(cc|h)$/.test(file))
  .map((file) => path.join(native, file));
const flags = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '--Werror'];
const tool = path.join(path.dirname(require.resolve('clang-format/package.json')), 'index.js');
const { status } = spawnSync(process.execPath, [tool, ...flags, ...files], { stdio: 'inherit' });
process.exit(status ?? 1);
