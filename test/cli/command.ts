import { spawn } from 'node:child_process';
import path from 'node:path';

export const root = path.resolve(__dirname, '..', '..');
export const main = path.join(root, 'dist', 'lib', 'cli', 'main.js');

export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the command line as users do. */
export function run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env } });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject).on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** The JSON lines on stderr. */
export const events = ({ stderr }: Ended): Record<string, unknown>[] =>
  stderr
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** The error that a command with `--json` ended with. */
export const errorOf = (ended: Ended): { code: string; message: string } =>
  events(ended).at(-1)!.error as { code: string; message: string };
