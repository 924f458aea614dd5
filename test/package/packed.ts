import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const root = path.resolve(__dirname, '..', '..');

/** What a user's shell has: nothing of the npm run that started the tests, and no addon from elsewhere. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(package|lifecycle|command|execpath|config_(local_prefix|onnxruntime))|INIT_CWD$|SSD_PRUNE_ADDON$)/i.test(
        name,
      ),
  ),
);

/** A throw-away place with the tarball, consumers' folders, and a cache of its own. */
export class Place {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-package-'));

  at(...parts: string[]): string {
    return path.join(this.folder, ...parts);
  }

  /** Runs a command as a user would, in `folder` of this place. */
  run(folder: string, command: string, args: string[], env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
    mkdirSync(this.at(folder), { recursive: true });
    return spawnSync(command, args, {
      cwd: this.at(folder),
      encoding: 'utf8',
      env: { ...environment, XDG_CACHE_HOME: this.at('cache'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Like {@link run}, and its output; throws with everything that it said where it fails. */
  must(folder: string, command: string, args: string[], env: NodeJS.ProcessEnv = {}): string {
    const { status, stdout, stderr, error } = this.run(folder, command, args, env);
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? status}\n${stdout}\n${stderr}`);
    return stdout;
  }
}
