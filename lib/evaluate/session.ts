import { existsSync } from 'node:fs';
import path from 'node:path';
import { invalidArgument, SsdPruneError } from '../errors';
import { Connection } from './connection';
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
  /** What errors say to do where memory ran out. */
  memoryAdvice?: string;
}

export interface TimedOutputs {
  outputs: Feeds<OrtData>;
  /** Time of `session.run` alone, without the way to its thread and back. */
  milliseconds: number;
  /** The feeds' buffers again, where they were handed over. */
  feeds?: Feeds;
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
  private readonly connection: Connection<Request, Reply>;

  private constructor(connection: Connection<Request, Reply>, chosen: { device: Device; note?: string }, ready: Reply) {
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
    const name = options.name ?? (typeof model === 'string' ? model : 'the model');
    if (typeof model === 'string' && !existsSync(model)) throw new SsdPruneError('ERR_IO', `${model}: no such file`);
    const chosen = await chooseDevice(device);
    const start: Omit<SessionStart, 'stop'> = {
      model: typeof model === 'string' ? path.resolve(model) : model,
      options: runtimeOptions(chosen.device, { threads, graphOptimization, spinning, profile }),
    };
    const connection = new Connection<Request, Reply>(name, 'evaluate/session-worker', start, options.memoryAdvice);
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

/** Options of ONNX Runtime's `InferenceSession.create`. */
export function runtimeOptions(
  device: Device,
  {
    threads,
    graphOptimization,
    spinning,
    profile,
  }: Required<Pick<SessionOptions, 'threads' | 'graphOptimization' | 'spinning'>> & { profile?: string | undefined },
): object {
  return {
    // The CPU provider behind CUDA takes the operators that CUDA lacks.
    executionProviders: device === 'cuda' ? ['cuda', 'cpu'] : ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: graphOptimization,
    // Fatal only: errors come as exceptions, and their coloured copies would break the JSON lines on stderr.
    logSeverityLevel: 4,
    ...(profile !== undefined && { enableProfiling: true, profileFilePrefix: profile }),
    extra: {
      session: { intra_op: { allow_spinning: spinning ? '1' : '0' }, force_spinning_stop: '1' },
    },
  };
}
