/** Of checkpoints: ascending numbers tell which is the newest; the rest is for people. */
export const names = /^(\d{6})-epoch-\d+-step-\d+$/;

/** What strategies keep of unfinished work; a strategy's name may be none for a file. */
export const workFiles = /^unfinished-[0-9a-f]{16}\.json$/;

/** Of the process that writes into the folder. */
export const lockFile = '.lock';

/** What the page's curves are drawn from, where no log is asked for. */
export const historyFile = 'history.jsonl';

/** Folder of tables of latencies. */
export const latencyFolder = 'latency';

/** Whether a file or folder of this name in the folder of checkpoints is a run's own, written or to come. */
export const isCheckpointFile = (name: string): boolean =>
  [lockFile, historyFile, latencyFolder].includes(name) || names.test(name.replace(/^\./, '')) || workFiles.test(name);
