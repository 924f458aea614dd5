import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Worker } from 'node:worker_threads';
import { type ErrorCode, invalidArgument, SsdPruneError } from '../errors';
import { chooseDevice, type Device, type DeviceChoice } from './providers';
import type { OrtData } from './runtime';
import type { Feeds, Reply, Request, SessionStart, ValueInfo } from './session-protocol';

export type { Feeds, ValueInfo } from './session-protocol';
export type GraphOptimization = 'disabled' | 'basic' | 'extended' | 'all';

/** More threads than this no machine has; ONNX Runtime would try to start them. */
const maxThreads = 1024;

/** @throws {SsdPruneError} ERR_USAGE */
export function checkThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 0 || threads > maxThreads) {
    throw invalidArgument('threads', `an integer from 0 to ${maxThreads}`, threads);
  }
}

export interface SessionOptions {
  /** Defaults to `cpu`. `auto` takes CUDA where a trial in a child process shows that it works. */
  device?: DeviceChoice;
  /** Threads inside an operator. Defaults to 0: as many as the machine has cores. */
  threads?: number;
  /** How far ONNX Runtime may rewrite the graph. Defaults to `all`. */
  graphOptimization?: GraphOptimization;
  /**
   * Whether threads that wait for work inside a run spin. Faster where the session has the cores for itself, slower
   * where it shares them. Defaults to true; they never spin between runs.
   */
  spinning?: boolean;
  /**
   * Where ONNX Runtime writes how long each of its kernels took: the beginning of a file's name, the rest is its own.
   * The file is complete when {@link DetectorSession.close} is through.
   */
  profile?: string;
  /** What errors call the model. Defaults to the path, or `the model`. */
  name?: string;
}

export interface TimedOutputs {
  outputs: Feeds<OrtData>;
  /** Time of `session.run` alone, without the way to its thread and back. */
  milliseconds: number;
  /** The feeds' buffers again, where they were handed over. */
  feeds?: Feeds;
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/**
 * A model ready to run in ONNX Runtime, in a thread of its own (onnxruntime-node's `run` blocks the thread that calls
 * it, and only the thread's end gives the memory back). Runs are served in the order they are asked for. An idle
 * session does not keep the process alive.
 */
export class DetectorSession {
  readonly device: Device;
  /** Why `auto` took the CPU. */
  readonly note: string | undefined;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  private readonly connection: Connection;

  private constructor(connection: Connection, chosen: { device: Device; note?: string }, ready: Reply) {
    if (ready.kind !== 'ready') throw new SsdPruneError('ERR_INTERNAL', `Unexpected answer ${ready.kind}`);
    this.connection = connection;
    this.device = chosen.device;
    this.note = chosen.note;
    this.inputs = ready.inputs;
    this.outputs = ready.outputs;
  }

  /**
   * @param model a file (external data lies beside it) or the bytes of a model
   * @throws {SsdPruneError} ERR_NO_RUNTIME, ERR_NO_CUDA, ERR_BAD_MODEL, ERR_UNSUPPORTED_OP, ERR_IO (no such file)
   */
  static async create(model: string | Uint8Array, options: SessionOptions = {}): Promise<DetectorSession> {
    const { device = 'cpu', threads = 0, graphOptimization = 'all', spinning = true, profile } = options;
    checkThreads(threads);
    if (!['auto', 'cuda', 'cpu'].includes(device)) throw invalidArgument('device', 'auto, cuda or cpu', device);
    const name = options.name ?? (typeof model === 'string' ? model : 'the model');
    if (typeof model === 'string' && !existsSync(model)) throw new SsdPruneError('ERR_IO', `${model}: no such file`);
    const chosen = await chooseDevice(device);
    const connection = new Connection(name, {
      model: typeof model === 'string' ? path.resolve(model) : model,
      options: {
        // The CPU provider behind CUDA takes the operators that CUDA lacks.
        executionProviders: chosen.device === 'cuda' ? ['cuda', 'cpu'] : ['cpu'],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: graphOptimization,
        // Fatal only: errors come as exceptions, and their coloured copies would break the JSON lines on stderr.
        logSeverityLevel: 4,
        ...(profile !== undefined && { enableProfiling: true, profileFilePrefix: profile }),
        extra: {
          session: { intra_op: { allow_spinning: spinning ? '1' : '0' }, force_spinning_stop: '1' },
        },
      },
    });
    return new DetectorSession(connection, chosen, await connection.ready);
  }

  /**
   * One run. Feeds are copied to the session's thread; float16 inputs and outputs are converted from and to float32.
   * @param outputs names of the outputs wanted. Defaults to all.
   * @throws {SsdPruneError} ERR_USAGE (feeds that do not fit the model), ERR_BAD_MODEL (an operator failed)
   */
  async run(feeds: Feeds, outputs?: string[]): Promise<Feeds<OrtData>> {
    return (await this.request(feeds, outputs, false)).outputs;
  }

  /**
   * One run that hands the feeds' buffers over instead of copying them: they are detached here, and come back in the
   * answer for the next batch.
   */
  runHandingOver(feeds: Feeds, outputs?: string[]): Promise<TimedOutputs> {
    return this.request(feeds, outputs, true);
  }

  /** Milliseconds of each of `runs` runs after `warmup` more, taken on the session's thread around the run alone. */
  async time(feeds: Feeds, { runs = 1, warmup = 0 }: { runs?: number; warmup?: number } = {}): Promise<number[]> {
    const reply = await this.connection.ask((id) => ({ kind: 'time', id, feeds, warmup, runs }));
    return reply.kind === 'times' ? reply.milliseconds : [];
  }

  /** Ends the session's thread once the runs asked for are done, which gives its memory back. May be called again. */
  close(): Promise<void> {
    return this.connection.close();
  }

  private async request(feeds: Feeds, outputs: string[] | undefined, handOver: boolean): Promise<TimedOutputs> {
    const transfer = handOver ? Object.values(feeds).map(({ data }) => data.buffer as ArrayBuffer) : [];
    const reply = await this.connection.ask(
      (id) => ({ kind: 'run', id, feeds, giveBack: handOver, ...(outputs && { outputs }) }),
      transfer,
    );
    if (reply.kind !== 'outputs') throw new SsdPruneError('ERR_INTERNAL', `Unexpected answer ${reply.kind}`);
    return reply;
  }
}

const connections = new Set<Connection>();

/**
 * Ends all sessions of the process once the runs under way are done, for a process that is to exit:
 * onnxruntime-node aborts the whole process where its thread is ended in the middle of a run.
 */
export async function endSessions(): Promise<void> {
  await Promise.all([...connections].map((connection) => connection.end()));
}

/** The message channel to a session's thread: pairs answers with questions, and fails them all when it dies. */
class Connection {
  readonly ready: Promise<Reply>;
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private readonly ended: Promise<void>;
  private readonly stop = new Int32Array(new SharedArrayBuffer(4));
  private failure: Error | undefined;
  private closing = false;
  private nextId = 1;

  constructor(
    private readonly name: string,
    start: Omit<SessionStart, 'stop'>,
  ) {
    const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
    this.worker = new Worker(workerFile(), { workerData: { ...start, stop: this.stop } satisfies SessionStart });
    connections.add(this);
    this.ready = new Promise((resolve, reject) => this.waiting.set(0, { resolve, reject }));
    this.ended = new Promise((resolve) => this.worker.once('exit', () => resolve()));
    this.worker.on('message', (reply: Reply) => this.receive(reply));
    this.worker.on('error', (error) => this.die(this.translate(error.message, undefined, true)));
    this.worker.on('exit', () => {
      connections.delete(this);
      this.die(new SsdPruneError('ERR_INTERNAL', `The session of ${this.name} has ended; make a new one.`));
    });
  }

  ask(request: (id: number) => Request, transfer: ArrayBuffer[] = []): Promise<Reply> {
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
      this.worker.postMessage({ kind: 'close' } satisfies Request);
    }
    await this.ended;
  }

  private receive(reply: Reply): void {
    const id = reply.kind === 'ready' ? 0 : reply.id;
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (reply.kind === 'failed') waiting?.reject(this.translate(reply.message, reply.code, id === 0));
    else waiting?.resolve(reply);
    if (this.waiting.size === 0 && !this.closing) this.worker.unref();
  }

  private die(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.waiting.values()) reject(this.failure);
    this.waiting.clear();
  }

  /** What ONNX Runtime said, as an error of this package that names the model. */
  private translate(message: string, code: string | undefined, loading: boolean): SsdPruneError {
    if (code) return new SsdPruneError(code as ErrorCode, message);
    const text = message.trim().replace(/^Load model from .*? failed:/, '');
    if (/allocat|out of memory|bad_alloc|heap/i.test(text)) {
      return new SsdPruneError('ERR_INTERNAL', `${this.name}: memory ran out (${text}). Try a smaller batch.`);
    }
    if (
      /NOT_IMPLEMENTED|Could not find an implementation|not a registered function\/op|opset \d+ is under/i.test(text)
    ) {
      return new SsdPruneError('ERR_UNSUPPORTED_OP', `${this.name}: ONNX Runtime cannot run this model: ${text}`);
    }
    if (
      !loading &&
      /input|feeds|dimension.* for input|invalid (rank|dimension)/i.test(text) &&
      !/running .* node/.test(text)
    ) {
      return new SsdPruneError('ERR_USAGE', `${this.name}: the input does not fit the model: ${text}`);
    }
    const what = loading ? 'ONNX Runtime cannot load this model' : 'ONNX Runtime failed while running this model';
    return new SsdPruneError('ERR_BAD_MODEL', `${this.name}: ${what}: ${text}`);
  }
}

/** The compiled worker; from TypeScript sources (the tests) the one that `npm run build:ts` made. */
function workerFile(): string {
  const beside = path.join(__dirname, 'session-worker.js');
  return existsSync(beside)
    ? beside
    : path.resolve(__dirname, '..', '..', 'dist', 'lib', 'evaluate', 'session-worker.js');
}
