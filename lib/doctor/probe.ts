import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { addonCandidates, packageRoot } from '../native/addon';

/** A compiled addon that works here. */
export interface WorkingAddon {
  file: string;
  /** Best first. */
  instructionSets: string[];
  /** Whether products of bfloat16 run. */
  bfloat16: boolean;
}

/** What a script in a process of its own has printed as JSON, or why it printed nothing. */
export type ProbeResult<T> = { value: T } | { reason: string };

/**
 * Runs a script of one line in a child process, in this package's folder so that it finds the same modules: a library
 * that crashes takes nothing with it.
 */
export function probe<T>(script: string, ...args: string[]): Promise<ProbeResult<T>> {
  return new Promise((resolve) => {
    const options = { cwd: packageRoot, env: { ...process.env, NODE_OPTIONS: '' }, timeout: 60_000 };
    execFile(process.execPath, ['-e', script, ...args], options, (error, stdout, stderr) => {
      if (!error) resolve({ value: JSON.parse(stdout) as T });
      else if (error.signal) resolve({ reason: `the process that tried it died of ${error.signal}` });
      else resolve({ reason: stderr.match(/^\w*Error: (.*)$/m)?.[1] ?? error.message });
    });
  });
}

/** Tries one file as the addon. */
export async function probeAddon(file: string): Promise<ProbeResult<WorkingAddon>> {
  if (!existsSync(file)) return { reason: 'not there' };
  const script =
    'const addon = require(process.argv[1]);' +
    'console.log(JSON.stringify({ instructionSets: addon.instructionSets(), bfloat16: addon.hasBfloat16() }))';
  const result = await probe<Omit<WorkingAddon, 'file'>>(script, file);
  return 'value' in result ? { value: { file, ...result.value } } : result;
}

/** The addon that `addon()` of lib/native/addon.ts would take, or what became of each place where one may lie. */
export async function findAddon(): Promise<{ found: WorkingAddon | null; tried: string[] }> {
  const tried: string[] = [];
  for (const file of addonCandidates()) {
    const result = await probeAddon(file);
    if ('value' in result) return { found: result.value, tried };
    tried.push(`${file}: ${result.reason}`);
  }
  return { found: null, tried };
}
