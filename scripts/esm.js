// Finishes the public entry that tsc made: dist/lib/index.js loads each module when something of it is first used (a
// pipeline that prunes shouldn't pay for evaluation), and dist/index.mjs has the same names for `import`.
const { chmodSync, readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const dist = path.resolve(__dirname, '..', 'dist');
const entry = path.join(dist, 'lib', 'index.js');

/** `var a_1 = require("./a"); … return a_1.b;` becomes `… return require("./a").b;`. */
function makeLazy(source) {
  const modules = new Map();
  const withoutRequires = source.replace(/^(?:var|const) (\w+) = require\("([^"]+)"\);\n/gm, (_, name, file) => {
    modules.set(name, file);
    return '';
  });
  const lazy = withoutRequires.replace(/return (\w+)\.(\w+);/g, (whole, name, member) =>
    modules.has(name) ? `return require("${modules.get(name)}").${member};` : whole,
  );
  const left = [...modules.keys()].filter((name) => new RegExp(`\\b${name}\\b`).test(lazy));
  if (left.length > 0) throw new Error(`dist/lib/index.js: tsc has used ${left.join(', ')} in a way that is new here`);
  return lazy;
}

/** Classes and constants must be there when a module is linked; functions can load theirs when they are called. */
function esmExport(name, value) {
  const isFunction = typeof value === 'function' && !/^class\b/.test(Function.prototype.toString.call(value));
  if (!isFunction) return `export const ${name} = api.${name};`;
  return `export function ${name}(...args) {\n  return api.${name}(...args);\n}`;
}

writeFileSync(entry, makeLazy(readFileSync(entry, 'utf8')));
const api = require(entry);
const exported = Object.keys(api).map((name) => esmExport(name, api[name]));
writeFileSync(
  path.join(dist, 'index.mjs'),
  `import api from './lib/index.js';\n\n${exported.join('\n')}\nexport default api;\n`,
);
writeFileSync(
  path.join(dist, 'index.d.mts'),
  "import * as api from './lib/index.js';\n\nexport * from './lib/index.js';\nexport default api;\n",
);

// npm makes commands executable when it links a package, but not one that is linked already and compiled anew.
chmodSync(path.join(dist, 'lib', 'cli', 'main.js'), 0o755);
