import { type ChildProcess, type SpawnSyncOptions, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const root = path.resolve(__dirname, '..', '..');
export const main = path.join(root, 'dist', 'lib', 'cli', 'main.js');
export const graph = (name: string): string => path.join(root, 'test', 'graphs', `${name}.onnx`);
export const temporary = (): string => mkdtempSync(path.join(tmpdir(), 'ssd-prune-cli-'));

type Result = SpawnSyncReturns<string>;

/** Runs the command line as users do. */
export const command = (args: string[], options: SpawnSyncOptions = {}, file = main): Result =>
  spawnSync(process.execPath, [file, ...args], { ...options, encoding: 'utf8' });

export type Ended = Pick<Result, 'status' | 'stdout' | 'stderr'>;

/** The same without holding this process up, for commands that run side by side or talk to a server of the test's. */
export const run = (args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> => started(args, env, () => {});

/** The same, interrupted by SIGINT once its stderr matches. */
export function interrupted(args: string[], when: RegExp, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  let sent = false;
  return started(args, env, (child, stderr) => {
    if (sent || !when.test(stderr)) return;
    sent = true;
    child.kill('SIGINT');
  });
}

/** The same, and `look` is given all that stderr has said so far, each time it says more. */
export const followed = (args: string[], look: (stderr: string) => void): Promise<Ended> =>
  started(args, {}, (_, stderr) => look(stderr));

/** @param onStderr told of all that stderr has said so far */
function started(
  args: string[],
  env: NodeJS.ProcessEnv,
  onStderr: (child: ChildProcess, stderr: string) => void,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env } });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      onStderr(child, stderr);
    });
    child.on('error', reject).on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** JSON lines of stderr. */
export const events = ({ stderr }: Pick<Ended, 'stderr'>): Record<string, unknown>[] =>
  stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** Exit status, error code of the last line of stderr, and stdout: what every failure with --json must get right. */
export const failure = (result: Ended): { status: number | null; code: unknown; stdout: string } => {
  const last = events(result).at(-1) as { error?: { code: string; message: string } } | undefined;
  return { status: result.status, code: last?.error?.code, stdout: result.stdout };
};

/** The error that a command with `--json` ended with. */
export const errorOf = (result: Ended): { code: string; message: string } =>
  events(result).at(-1)!.error as { code: string; message: string };

export const messageOf = (result: Ended): string => errorOf(result).message;

/**
 * A copy of the package in a folder of its own, without a compiled addon: its command line, and an environment whose
 * cache is empty too.
 */
export function copyPackage(): { folder: string; main: string; cache: string; env: NodeJS.ProcessEnv } {
  const base = temporary();
  const folder = path.join(base, 'package');
  mkdirSync(folder);
  for (const part of ['package.json', 'dist', 'scripts', 'native']) {
    cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
  }
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  const cache = path.join(base, 'cache');
  const env: NodeJS.ProcessEnv = { ...process.env, XDG_CACHE_HOME: cache };
  delete env.SSD_PRUNE_ADDON;
  return { folder, main: path.join(folder, 'dist', 'lib', 'cli', 'main.js'), cache, env };
}
