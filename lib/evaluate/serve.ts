import { parentPort, workerData } from 'node:worker_threads';
import { SsdPruneError } from '../errors';
import { describeError } from './runtime-errors';

/** What a thread does for the one that started it. */
export interface Service<Request, Reply> {
  /** What the thread says first. */
  readonly ready: Reply;
  /** An answer, and the buffers that go with it instead of being copied. */
  answer(request: Request): Promise<{ reply: Reply; transfer?: ArrayBuffer[] }>;
  /** Gives back what the service holds, for a thread that ends. */
  close(): Promise<void>;
}

/**
 * Serves the requests of a Connection (connection.ts) until it is closed, one at a time and in order: a run awaits, and
 * what came after it must not overtake it.
 * @param begin makes the service of what the thread was started with; `stopped` says whether no further run may begin
 */
export async function serve<
  Start extends { stop: Int32Array },
  Request extends { kind: string; id: number },
  Reply extends { kind: string; id: number },
>(begin: (start: Start, stopped: () => boolean) => Promise<Service<Request, Reply>>): Promise<void> {
  const port = parentPort!;
  const start = workerData as Start;
  const stopped = (): boolean => Atomics.load(start.stop, 0) === 1;
  const fail = (id: number, error: unknown): void => port.postMessage({ kind: 'failed', id, ...describeError(error) });
  let service: Service<Request, Reply>;
  try {
    service = await begin(start, stopped);
  } catch (error) {
    fail(0, error);
    port.close();
    return;
  }
  port.postMessage(service.ready);

  const handle = async (request: Request | { kind: 'close' }): Promise<void> => {
    if (!('id' in request)) {
      await service.close();
      port.close();
      return;
    }
    try {
      if (stopped()) throw new SsdPruneError('ERR_ABORTED', 'The session was ended.');
      const { reply, transfer = [] } = await service.answer(request);
      port.postMessage(reply, transfer);
    } catch (error) {
      fail(request.id, error);
    }
  };
  let last = Promise.resolve();
  port.on('message', (request: Request | { kind: 'close' }) => {
    last = last.then(() => handle(request));
  });
}
