// Writes what is made from the schema of a run's configuration: the JSON Schema that editors complete by, and the page
// that documents every key.
//   npm run build:ts && node scripts/config-reference.js
const { writeFileSync } = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const { editorSchema } = require(path.join(root, 'dist', 'lib', 'config', 'json-schema.js'));
const { renderReference } = require(path.join(root, 'dist', 'lib', 'config', 'reference.js'));

const folder = path.join(root, 'lib', 'config');
writeFileSync(path.join(folder, 'run.schema.json'), `${JSON.stringify(editorSchema(), null, 2)}\n`);
writeFileSync(path.join(folder, 'REFERENCE.md'), renderReference());
