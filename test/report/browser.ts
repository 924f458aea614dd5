import { spawnSync } from 'node:child_process';
import type { Browser, Locator, Page } from 'playwright-core';

/** The browser of the development dependency, unpacked, or why it does not start here. */
function findBrowser(): { file: string } | { missing: string } {
  const unpack =
    "import('@sparticuz/chromium').then((found) => found.default.executablePath()).then((file) => process.stdout.write(file))";
  const unpacked = spawnSync(process.execPath, ['-e', unpack], { cwd: __dirname, encoding: 'utf8' });
  if (unpacked.status !== 0) return { missing: unpacked.stderr.trim().split('\n').slice(-3).join(' ') };
  const version = spawnSync(unpacked.stdout, ['--version'], { encoding: 'utf8' });
  return version.status === 0 ? { file: unpacked.stdout } : { missing: version.error?.message ?? version.stderr };
}

const found = findBrowser();

/** Why browser tests are skipped; undefined where they run. */
export const missing = 'missing' in found ? found.missing : undefined;
if (missing !== undefined) process.stderr.write(`no browser here, its tests are skipped: ${missing}\n`);

export function launch(): Promise<Browser> {
  const { chromium } = require('playwright-core') as typeof import('playwright-core');
  if ('missing' in found) throw new Error(found.missing);
  return chromium.launch({ executablePath: found.file, args: ['--no-sandbox'] });
}

/** What the page of an address does that one without scripts and network never does. */
export function watch(page: Page, own: string): string[] {
  const seen: string[] = [];
  page.on('console', (message) => seen.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => seen.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    seen.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => {});
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith('data:') && url !== own) seen.push(`request: ${url}`);
  });
  return seen;
}

/** A picture of a whole page, or of a part; on a busy machine the browser now and then answers that it can't take one. */
export async function screenshot(of: Page | Locator, file?: string): Promise<Buffer> {
  for (let tries = 1; ; tries++) {
    try {
      return await of.screenshot({
        ...('goto' in of && { fullPage: true }),
        ...(file !== undefined && { path: file }),
      });
    } catch (error) {
      if (tries === 5 || !String(error).includes('Unable to capture screenshot')) throw error;
    }
  }
}
