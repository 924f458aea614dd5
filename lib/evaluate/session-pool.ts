import { availableParallelism } from 'node:os';
import { chooseDevice, type Device } from './providers';
import {
  checkThreads,
  DetectorSession,
  type Feeds,
  type SessionOptions,
  type TimedOutputs,
  type ValueInfo,
} from './session';

/** What runs batches of pictures: where, how many at a time, and what the model's inputs are. */
export interface BatchRunner {
  readonly device: Device;
  readonly inputs: readonly ValueInfo[];
  readonly lanes: number;
  runHandingOver(feeds: Feeds, outputs?: string[]): Promise<TimedOutputs>;
}

/** More sessions than this cost memory (weights and activations each) and gain little. */
const maxLanes = 16;

/**
 * Sessions of one model side by side, for throughput: on the CPU as many as threads are asked for, each with one
 * thread. Threads that share an operator wait for each other at the end of each, and for a core that decodes a picture
 * meanwhile; sessions that share nothing never wait. On CUDA one session, since the device takes one batch at a time.
 */
export class SessionPool implements BatchRunner {
  private readonly idle: DetectorSession[];
  private readonly waiting: ((session: DetectorSession) => void)[] = [];

  private constructor(private readonly sessions: readonly DetectorSession[]) {
    this.idle = [...sessions];
  }

  /**
   * @param model a file or the bytes of a model
   * @param batches how many there will be: no more sessions than that are made
   * @param options `threads` is that of all sessions together. Defaults to 0: one a core.
   * @throws {SsdPruneError} what {@link DetectorSession.create} throws
   */
  static async create(model: string | Uint8Array, batches: number, options: SessionOptions = {}): Promise<SessionPool> {
    const { threads: asked = 0 } = options;
    checkThreads(asked);
    const threads = asked || availableParallelism();
    const onCpu = (await chooseDevice(options.device ?? 'cpu')).device === 'cpu';
    const less = onCpu ? '--threads 1, with which one batch runs at a time' : '--device cpu';
    // Decoding shares the cores with the sessions: a thread that spins takes them away from it.
    const shared = { spinning: false, memoryAdvice: `Try a smaller --batch-size, or ${less}.`, ...options };
    const lanes = onCpu ? Math.max(1, Math.min(threads, batches || 1, maxLanes)) : 1;
    const each = lanes > 1 ? Math.ceil(threads / lanes) : asked;
    const first = await DetectorSession.create(model, { ...shared, threads: each });
    const more = await Promise.allSettled(
      Array.from({ length: lanes - 1 }, () =>
        DetectorSession.create(model, { ...shared, threads: each, device: 'cpu' }),
      ),
    );
    // One works: where memory does not carry all, the others do.
    const rest = more.flatMap((made) => (made.status === 'fulfilled' ? [made.value] : []));
    return new SessionPool([first, ...rest]);
  }

  get device(): Device {
    return this.sessions[0]!.device;
  }

  /** Why `auto` took the CPU. */
  get note(): string | undefined {
    return this.sessions[0]!.note;
  }

  get inputs(): readonly ValueInfo[] {
    return this.sessions[0]!.inputs;
  }

  get lanes(): number {
    return this.sessions.length;
  }

  /** {@link DetectorSession.runHandingOver} on the first session that is free; runs are begun in the order asked. */
  async runHandingOver(feeds: Feeds, outputs?: string[]): Promise<TimedOutputs> {
    const session = this.idle.pop() ?? (await new Promise<DetectorSession>((resolve) => this.waiting.push(resolve)));
    try {
      return await session.runHandingOver(feeds, outputs);
    } finally {
      const next = this.waiting.shift();
      if (next) next(session);
      else this.idle.push(session);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.sessions.map((session) => session.close()));
  }
}
