/** Exit codes of the command line; the README documents them as a table. */
export const ExitCode = { done: 0, failed: 1, usage: 2, refused: 3, missing: 4, interrupted: 130 } as const;

/** Every failure this package reports, and the exit code that the command line gives it. */
const exitCodes = {
  ERR_USAGE: ExitCode.usage,
  ERR_BAD_CONFIG: ExitCode.usage,
  ERR_BAD_PATTERN: ExitCode.usage,
  ERR_OUTPUT_EXISTS: ExitCode.usage,
  ERR_NO_MATCH: ExitCode.refused,
  ERR_TARGET_UNREACHABLE: ExitCode.refused,
  ERR_LAYER_EMPTIED: ExitCode.refused,
  ERR_LOCKED_CHANNELS: ExitCode.refused,
  ERR_TIED_CHANNELS: ExitCode.refused,
  ERR_UNSUPPORTED_OP: ExitCode.refused,
  ERR_UNSUPPORTED_CRITERION: ExitCode.refused,
  ERR_BAD_MODEL: ExitCode.failed,
  ERR_BAD_DATA: ExitCode.failed,
  ERR_VERIFY_FAILED: ExitCode.failed,
  ERR_VERIFY_VACUOUS: ExitCode.failed,
  ERR_DIVERGED: ExitCode.failed,
  ERR_IO: ExitCode.failed,
  ERR_INTERNAL: ExitCode.failed,
  ERR_ADDON_MISSING: ExitCode.missing,
  ERR_NO_RUNTIME: ExitCode.missing,
  ERR_NO_CUDA: ExitCode.missing,
  ERR_NO_BF16: ExitCode.missing,
  ERR_ABORTED: ExitCode.interrupted,
} as const;

export type ErrorCode = keyof typeof exitCodes;

/** All codes there are. */
export const errorCodes = Object.keys(exitCodes) as ErrorCode[];

/**
 * The one error class of the package. `code` is stable, the message is for people: it says what went wrong, where
 * (file, line, layer) and what to do about it.
 */
export class SsdPruneError extends Error {
  readonly code: ErrorCode;
  /** The argument that was refused, as the message names it; the command line puts its option there. */
  argument?: string;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SsdPruneError';
    this.code = code;
  }

  get exitCode(): number {
    return exitCodes[this.code];
  }
}

/**
 * For functions whose options can't all be left off: callers without types may give none.
 * @throws {SsdPruneError} ERR_USAGE
 */
export function checkOptions(options: unknown, needed: string): void {
  if (typeof options !== 'object' || options === null)
    throw invalidArgument('options', `an object with ${needed}`, options);
}

/**
 * An error that ends a run behind some steps, with where the state is that it leaves: a diverged one takes the same steps
 * again, any other goes on.
 * @param more of what is left, sentences
 */
export function withState(
  error: SsdPruneError,
  step: number,
  place: string,
  more: readonly string[] = [],
): SsdPruneError {
  const message = /[.!?]$/.test(error.message) ? error.message : `${error.message}.`;
  const goOn = error.code === 'ERR_DIVERGED' ? '' : ': go on with --resume';
  const after = `The state after step ${step} is in ${place}${goOn}.`;
  return new SsdPruneError(error.code, [message, ...more, after].join(' '), { cause: error });
}

/** "Expected … for NAME but received V of type T": the wording of every refused argument. */
export function invalidArgument(name: string, expected: string, received: unknown): SsdPruneError {
  const shown = typeof received === 'string' ? JSON.stringify(received) : String(received);
  const error = new SsdPruneError(
    'ERR_USAGE',
    `Expected ${expected} for ${name} but received ${shown} of type ${typeof received}`,
  );
  error.argument = name;
  return error;
}
