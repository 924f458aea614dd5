import { availableParallelism } from 'node:os';
import { throwIfAborted } from '../abort';
import { Connection } from '../evaluate/connection';
import { chooseDevice, type Device, type DeviceChoice } from '../evaluate/providers';
import { runtimeOptions } from '../evaluate/session';
import type { Feeds } from '../evaluate/session-protocol';
import type { LaneReply, LaneRequest, StageStart } from './lane-protocol';

export interface LanesOptions {
  /** Where models run. Defaults to `cpu`. */
  device?: DeviceChoice | undefined;
  /** Threads that run models side by side. Defaults to one a core, at most 8 (each holds models of its own); on CUDA one. */
  lanes?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** What errors say to do where memory ran out: how many pictures there are changes little. */
const memoryAdvice: Record<Device, string> = {
  cpu: 'Each core has pictures of its own in memory: let the command have fewer cores (on Linux taskset -c 0 before it).',
  cuda: 'Try --device cpu.',
};

/** Some pictures that run together. */
export interface Batch {
  index: number;
  first: number;
  last: number;
}

/**
 * Threads that share the batches of every stage, each with sessions of one thread: batches don't wait for each other,
 * and no operator for its slowest part. Which lane runs a batch changes no bit of what comes out.
 */
export class Lanes {
  private constructor(
    /** Where models run. */
    readonly device: Device,
    private readonly connections: readonly Connection<LaneRequest, LaneReply>[],
    private readonly signal: AbortSignal | undefined,
  ) {}

  /**
   * @param name what errors call the model
   * @throws {SsdPruneError} ERR_NO_RUNTIME, ERR_NO_CUDA
   */
  static async open(name: string, { device = 'cpu', lanes, signal }: LanesOptions): Promise<Lanes> {
    const chosen = await chooseDevice(device);
    const count = lanes ?? (chosen.device === 'cuda' ? 1 : Math.min(availableParallelism(), 8));
    const options = runtimeOptions(chosen.device, { threads: 1, graphOptimization: 'all', spinning: false });
    const connections = Array.from(
      { length: count },
      () =>
        new Connection<LaneRequest, LaneReply>(name, 'calibrate/lane-worker', { options }, memoryAdvice[chosen.device]),
    );
    const opened = new Lanes(chosen.device, connections, signal);
    try {
      await Promise.all(connections.map(({ ready }) => ready));
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  /**
   * Runs all batches through a stage. Batches of one index always meet the same lane, where what they carry along is.
   * @param feeds the models' own inputs of a batch, where a track begins with them
   */
  async stage(
    start: StageStart,
    batches: readonly Batch[],
    feeds: ((batch: Batch) => Promise<Feeds>) | undefined,
  ): Promise<void> {
    let failed = false;
    const run = async (connection: Connection<LaneRequest, LaneReply>, lane: number): Promise<void> => {
      const own = batches.filter(({ index }) => index % this.connections.length === lane);
      if (own.length === 0) return;
      await connection.ask((id) => ({ kind: 'stage', id, ...start }));
      let next = feeds?.(own[0]!);
      for (const [i, batch] of own.entries()) {
        const ready = await next;
        if (failed) return;
        throwIfAborted(this.signal);
        // Read while the lane is busy.
        next = own[i + 1] && feeds?.(own[i + 1]!);
        next?.catch(() => {});
        const transfer = ready ? Object.values(ready).map(({ data }) => data.buffer as ArrayBuffer) : [];
        await connection.ask((id) => ({ kind: 'batch', id, ...batch, feeds: ready }), transfer);
      }
      await connection.ask((id) => ({ kind: 'finish', id }));
    };
    const runs = this.connections.map((connection, lane) =>
      run(connection, lane).catch((error) => {
        failed = true;
        throw error;
      }),
    );
    // All of them, also where one failed: a lane in the middle of a run can't be left.
    const ends = await Promise.allSettled(runs);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  /** Slices what is carried under a key. */
  async cut(key: string, keep: Record<string, Int32Array>): Promise<void> {
    await Promise.all(this.connections.map((lane) => lane.ask((id) => ({ kind: 'cut', id, key, keep }))));
  }

  /** Forgets what is carried under a key. */
  async drop(key: string): Promise<void> {
    await Promise.all(this.connections.map((lane) => lane.ask((id) => ({ kind: 'drop', id, key }))));
  }

  async close(): Promise<void> {
    await Promise.all(this.connections.map((connection) => connection.close()));
  }
}
