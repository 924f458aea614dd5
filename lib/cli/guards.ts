import { SsdPruneError } from '../errors';
import { fail } from './ui';

/** Milliseconds that sessions have to end in. */
const patience = 5000;
/** Milliseconds that work has which saves its state first. */
const savingPatience = 60_000;

/** Work that an interruption calls off, and that says its last word itself. */
let calledOff: AbortController | undefined;

/**
 * Runs work that an interruption doesn't end at once: its signal is aborted, and the command ends with what the work
 * then throws, once it has saved what it has.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController();
  calledOff = own;
  try {
    return await work(own.signal);
  } finally {
    if (calledOff === own) calledOff = undefined;
  }
}

/**
 * Gives every way in which the process can end an exit code and one error on stderr: interruption, a reader of stdout
 * that went away, a full disk behind stdout, and errors that nothing caught.
 */
export function guardProcess(json: boolean): void {
  const end = (error: unknown): void => {
    fail(error, json);
    const { endSessions } = require('../evaluate/connection') as typeof import('../evaluate/connection');
    // Half-written files are removed at the exit (lib/files.ts). Who interrupts again doesn't wait for a long run.
    endSessions().finally(() => process.exit());
    setTimeout(() => process.exit(), patience).unref();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      const error = new SsdPruneError('ERR_ABORTED', `Interrupted (${signal}).`);
      if (!calledOff) return end(error);
      calledOff.abort(error);
      setTimeout(() => end(error), savingPatience).unref();
    });
  }
  process.on('uncaughtException', end);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `ssd-prune params model | head`: who reads has what they wanted.
    if (error.code === 'EPIPE') process.exit(0);
    end(new SsdPruneError('ERR_IO', `Can't write to stdout: ${error.message}`, { cause: error }));
  });
  // Notes that nobody reads must not end the work.
  process.stderr.on('error', () => {});
}
