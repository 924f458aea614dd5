import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { SsdPruneError } from '../errors';
import { makeFolder } from '../files';
import { addonCandidates, packageRoot } from '../native/addon';
import { probeAddon } from './probe';

/** What `build --json` prints. */
export interface BuildReport {
  schema: 'ssd-prune.build/1';
  /** The compiled file. */
  addon: string;
  /** Whether it lies in the cache folder, because the package's own is read-only. */
  cached: boolean;
  instructionSets: string[];
  seconds: number;
}

/**
 * Compiles the addon by scripts/build.js of the package: into the package's build/ as npm's install script would, or
 * where that folder can't be written into the user's cache folder; the package finds it in both.
 * @throws {SsdPruneError} ERR_ADDON_MISSING where tools are missing, naming them; ERR_INTERNAL where compiling fails;
 * ERR_IO where neither folder can be written
 */
export async function buildAddon(options: { onOutput?: (line: string) => void } = {}): Promise<BuildReport> {
  const started = performance.now();
  const cached = !canWrite(path.join(packageRoot, 'build')) || !canWrite(packageRoot);
  const cachedAddon = addonCandidates().at(-1)!;
  const addon = cached ? cachedAddon : path.join(packageRoot, 'build', 'Release', 'ssd_prune.node');
  const buildFolder = path.join(path.dirname(cachedAddon), 'build');
  const args = [path.join(packageRoot, 'scripts', 'build.js')];
  if (cached) {
    await makeFolder(path.dirname(addon));
    args.push('--build-dir', buildFolder, '--out', path.dirname(addon));
  }
  const { code, lines } = await run(args, options.onOutput);
  if (code === 4) throw new SsdPruneError('ERR_ADDON_MISSING', lines.join('\n').replace(/^ssd-prune: /, ''));
  if (code !== 0) {
    throw new SsdPruneError('ERR_INTERNAL', `Compiling the addon failed:\n${lines.slice(-20).join('\n')}`);
  }
  if (cached) rmSync(buildFolder, { recursive: true, force: true });
  const result = await probeAddon(addon);
  if (!('value' in result)) {
    throw new SsdPruneError('ERR_ADDON_MISSING', `${addon} was compiled but does not work: ${result.reason}`);
  }
  const seconds = (performance.now() - started) / 1000;
  return { schema: 'ssd-prune.build/1', addon, cached, instructionSets: result.value.instructionSets, seconds };
}

/** True for a folder that can be written, and for one that isn't there. */
function canWrite(folder: string): boolean {
  if (!existsSync(folder)) return true;
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs Node on a script; lines of stdout and stderr as they come. */
function run(args: string[], onOutput?: (line: string) => void): Promise<{ code: number; lines: string[] }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: packageRoot, stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = (): void => {
      child.kill();
    };
    process.once('exit', stop);
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        onOutput?.(line);
      });
    }
    child.once('error', reject);
    child.once('close', (code) => {
      process.removeListener('exit', stop);
      resolve({ code: code ?? 1, lines });
    });
  });
}
