import { ExitCode, SsdPruneError } from '../errors';

/** How a command speaks: results on stdout, everything else on stderr, and nothing else on stdout ever. */
export interface Ui {
  readonly json: boolean;
  /** Prints the command's one result: the document with `--json`, else the rendered text. */
  result(document: unknown, render: () => string): void;
  /** A remark for people (stderr), or `{"event":"note"}`. */
  note(message: string): void;
  /** A warning, shown with `--quiet` too, or `{"event":"warning"}`. */
  warn(message: string): void;
  /** Something that programs want whole and people as a note: the document as a JSON line, else the rendered text. */
  event(document: object, render: () => string): void;
  /** Long work: a bar on a terminal, `{"event":"progress"}` lines with `--json`, nothing into pipes. */
  progress(label: string, total: number): Progress;
}

export interface Progress {
  /** `extra` goes into the JSON line, `detail` behind the bar. */
  update(done: number, extra?: Record<string, unknown>, detail?: string): void;
  stop(): void;
}

/** Set by the first failure, which is the last word: what still runs until the process ends says nothing more. */
let failed = false;

/** Ends the bar on the terminal and gives the cursor back; undefined where there is no bar. */
let stopBar: (() => void) | undefined;

/** A line on stderr; in the place of the bar, where there is one, which comes again below it. */
function say(line: string): void {
  if (failed) return;
  process.stderr.write(stopBar ? `${overBar}${line}\n${underLine}` : `${line}\n`);
}

/** To the begin of the bar's line, which is cleared; lines may wrap, which bars don't. */
const overBar = '\r\x1b[2K\x1b[?7h';
/** Where the bar begins now, for its end; no wrapping again. */
const underLine = '\x1b7\x1b[?7l';

const event = (document: object): void => say(JSON.stringify(document));

/** The {@link Ui} that the common flags ask for. */
export function makeUi({ json, quiet }: { json: boolean; quiet: boolean }): Ui {
  return {
    json,
    result(document, render) {
      if (failed) return;
      stopBar?.();
      process.stdout.write(`${json ? JSON.stringify(document) : render().trimEnd()}\n`);
    },
    note(message) {
      if (quiet) return;
      if (json) event({ event: 'note', message });
      else say(message);
    },
    warn(message) {
      if (json) event({ event: 'warning', message });
      else say(`warning: ${message}`);
    },
    event(document, render) {
      if (json && !quiet) event(document);
      else this.note(render());
    },
    progress(label, total) {
      if (quiet) return { update() {}, stop() {} };
      return json ? jsonProgress(label, total) : barProgress(label, total);
    },
  };
}

/** At most ten lines a second, and always the last one. */
function jsonProgress(label: string, total: number): Progress {
  let last = 0;
  return {
    update(done, extra) {
      const now = Date.now();
      if (done < total && now - last < 100) return;
      last = now;
      event({ event: 'progress', label, done, total, ...extra });
    },
    stop() {},
  };
}

function barProgress(label: string, total: number): Progress {
  if (!process.stderr.isTTY) return { update() {}, stop() {} };
  const { SingleBar, Presets } = require('cli-progress') as typeof import('cli-progress');
  const { duration } = require('../report/page/format') as typeof import('../report/page/format');
  const bar = new SingleBar(
    {
      format: `${label} {bar} {value}/{total}{left}{detail}`,
      stream: process.stderr,
      hideCursor: true,
      // Lines come between: what it drew last may be gone.
      forceRedraw: true,
      // Its own handler would swallow an interruption; fail() stops the bar.
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  const stop = (): void => {
    stopBar = undefined;
    bar.stop();
  };
  stopBar = stop;
  const begun = Date.now();
  // What is done at the first call was done before, by a run that goes on.
  let before: number | undefined;
  // Nothing is said of the time left before there is something to judge by.
  const left = (done: number): string => {
    before ??= done;
    const seconds = (Date.now() - begun) / 1000;
    const own = done - before;
    return own > 0 && seconds >= 2 ? ` · ${duration((seconds / own) * (total - done))} left` : '';
  };
  bar.start(total, 0, { left: '', detail: '' });
  return { update: (done, _extra, detail = '') => bar.update(done, { left: left(done), detail }), stop };
}

/** Reports a failure and sets the exit code; the process ends by itself once its handles are closed. */
export function fail(error: unknown, json: boolean): void {
  if (failed) return;
  stopBar?.();
  const known = error instanceof SsdPruneError;
  const code = known ? error.code : 'ERR_INTERNAL';
  const message = error instanceof Error ? error.message : String(error);
  if (json) event({ error: { code, message } });
  else process.stderr.write(`ssd-prune: ${message} [${code}]\n`);
  if (!known && error instanceof Error && process.env.SSD_PRUNE_DEBUG) process.stderr.write(`${error.stack}\n`);
  process.exitCode = known ? error.exitCode : ExitCode.failed;
  failed = true;
}
