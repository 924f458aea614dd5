import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Worker } from 'node:worker_threads';
import { SsdPruneError } from '../errors';
import { fromThread, type ThreadError } from './runtime-errors';

const connections = new Set<{ end(): Promise<void> }>();

/**
 * Ends all sessions of the process once the runs under way are done, for a process that is to exit:
 * onnxruntime-node aborts the whole process where its thread is ended in the middle of a run.
 */
export async function endSessions(): Promise<void> {
  await Promise.all([...connections].map((connection) => connection.end()));
}

interface Waiting<Reply> {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** The answer of a thread that could not do what it was asked; with id 0, that it could not begin. */
export interface Failed extends ThreadError {
  kind: 'failed';
  id: number;
}

/**
 * The message channel to a thread that runs ONNX Runtime: pairs answers with questions, and fails them all when it
 * dies. The thread's first message, with id 0, says that it is ready. An idle thread does not keep the process alive.
 */
export class Connection<Request, Reply extends { kind: string; id: number }> {
  readonly ready: Promise<Exclude<Reply, Failed>>;
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting<Exclude<Reply, Failed>>>();
  private readonly ended: Promise<void>;
  private readonly stop = new Int32Array(new SharedArrayBuffer(4));
  private failure: Error | undefined;
  private closing = false;
  private nextId = 1;

  /**
   * @param name what errors call the model
   * @param file the thread's module, without its extension, relative to lib
   * @param start what the thread is started with; a shared `stop` is added, which becomes 1 to have no further run begun
   * @param memoryAdvice what errors say to do where memory ran out
   */
  constructor(
    private readonly name: string,
    file: string,
    start: object,
    private readonly memoryAdvice?: string,
  ) {
    const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
    this.worker = new Worker(workerFile(file), { workerData: { ...start, stop: this.stop } });
    connections.add(this);
    this.ready = new Promise((resolve, reject) => this.waiting.set(0, { resolve, reject }));
    this.ended = new Promise((resolve) => this.worker.once('exit', () => resolve()));
    this.worker.on('message', (reply: Reply | Failed) => this.receive(reply));
    // What the thread itself did not catch is no word of ONNX Runtime's.
    this.worker.on('error', ({ message, stack = '' }) => this.die(this.errorOf({ message, fault: stack }, true)));
    this.worker.on('exit', () => {
      connections.delete(this);
      this.die(new SsdPruneError('ERR_INTERNAL', `The session of ${this.name} has ended; make a new one.`));
    });
  }

  ask(request: (id: number) => Request, transfer: ArrayBuffer[] = []): Promise<Exclude<Reply, Failed>> {
    // Asked first: a thread that was told to end has no failure to tell of.
    if (this.closing) return Promise.reject(new SsdPruneError('ERR_USAGE', `The session of ${this.name} is closed.`));
    if (this.failure) return Promise.reject(this.failure);
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.ref();
      this.worker.postMessage(request(id), transfer);
    });
  }

  /** {@link close} that leaves out all runs but the one under way. */
  end(): Promise<void> {
    Atomics.store(this.stop, 0, 1);
    return this.close();
  }

  async close(): Promise<void> {
    if (!this.closing && !this.failure) {
      this.closing = true;
      this.worker.ref();
      this.worker.postMessage({ kind: 'close' });
    }
    await this.ended;
  }

  private receive(reply: Reply | Failed): void {
    const { id } = reply;
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (isFailed(reply)) waiting?.reject(this.errorOf(reply, id === 0));
    else waiting?.resolve(reply as Exclude<Reply, Failed>);
    if (this.waiting.size === 0 && !this.closing) this.worker.unref();
  }

  private errorOf(error: ThreadError, loading: boolean): SsdPruneError {
    return fromThread(this.name, error, loading, this.memoryAdvice);
  }

  private die(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.waiting.values()) reject(this.failure);
    this.waiting.clear();
  }
}

const isFailed = (reply: { kind: string }): reply is Failed => reply.kind === 'failed';

/** The compiled worker; from TypeScript sources (the tests) the one that `npm run build:ts` made. */
function workerFile(file: string): string {
  const beside = path.resolve(__dirname, '..', `${file}.js`);
  return existsSync(beside) ? beside : path.resolve(__dirname, '..', '..', 'dist', 'lib', `${file}.js`);
}
