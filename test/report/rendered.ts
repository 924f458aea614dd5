import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { PageDocument } from '../../lib/report/page/document';
import type { PageExtras } from '../../lib/report/page/page';

const page = path.resolve(__dirname, '..', '..', 'dist', 'lib', 'report', 'page', 'page.js');
const script = `const { readFileSync } = require('node:fs');
  const revive = (key, value) => (value?.type === 'Buffer' ? Buffer.from(value.data) : value);
  const { document, extras } = JSON.parse(readFileSync(0, 'utf8'), revive);
  process.stdout.write(require(${JSON.stringify(page)}).renderPage(document, extras));`;

/** What `renderPage` gives in plain Node: jest can't require Plot's modules, which Node can. */
export const rendered = (document: PageDocument, extras: PageExtras = {}): string =>
  execFileSync(process.execPath, ['-e', script], {
    ...{ input: JSON.stringify({ document, extras }), encoding: 'utf8', maxBuffer: 1e8 },
  });
