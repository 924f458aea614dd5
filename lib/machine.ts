import { execFile } from 'node:child_process';
import { availableParallelism, cpus, totalmem } from 'node:os';

/** What a measurement was taken on, as reports say it. */
export interface Machine {
  /** The processor's name as the system gives it. */
  cpu: string;
  /** Processors that this process may use. */
  cores: number;
  memoryBytes: number;
  platform: string;
  arch: string;
  /** Version of Node, without the v. */
  node: string;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: process.platform,
    arch: process.arch,
    node: process.versions.node,
  };
}

/** Name and driver of the first NVIDIA GPU, as its own tool tells them; null where there is no tool or no GPU. */
export function describeGpu(): Promise<{ name: string; driver: string } | null> {
  return new Promise((resolve) => {
    const args = ['--query-gpu=name,driver_version', '--format=csv,noheader'];
    execFile('nvidia-smi', args, { timeout: 20_000 }, (error, stdout) => {
      const [name, driver] = stdout
        .split('\n')[0]!
        .split(',')
        .map((part) => part.trim());
      resolve(error || !name ? null : { name, driver: driver ?? 'unknown' });
    });
  });
}
