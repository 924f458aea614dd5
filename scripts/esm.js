// Writes dist/index.mjs: the named exports of the CommonJS build, for `import`.
const { writeFileSync } = require('node:fs');
const path = require('node:path');

const dist = path.resolve(__dirname, '..', 'dist');
const names = Object.keys(require(path.join(dist, 'lib', 'index.js'))).filter((name) => name !== '__esModule');
writeFileSync(
  path.join(dist, 'index.mjs'),
  `import api from './lib/index.js';\nexport const {\n  ${names.join(',\n  ')},\n} = api;\nexport default api;\n`,
);
writeFileSync(path.join(dist, 'index.d.mts'), "export * from './lib/index.js';\n");
