import { parentPort, workerData } from 'node:worker_threads';
import { SsdPruneError } from '../errors';
import { describeError } from './connection';
import { fromFloat16, toFloat16 } from './float16';
import { loadRuntime, type Ort, type OrtData, type OrtSession, type OrtTensor } from './runtime';
import type { Feeds, Reply, Request, SessionStart } from './session-protocol';

/**
 * The thread that holds one session. `session.run` blocks the thread it is called on and a session's memory comes
 * back only when its thread ends, so every session has its own.
 */
async function serve(start: SessionStart): Promise<void> {
  const port = parentPort!;
  const stopped = (): boolean => Atomics.load(start.stop, 0) === 1;
  let ort: Ort;
  let session: OrtSession;
  try {
    ort = loadRuntime();
    session = await ort.InferenceSession.create(start.model, start.options);
  } catch (error) {
    port.postMessage({ kind: 'failed', id: 0, ...describeError(error) } satisfies Reply);
    port.close();
    return;
  }
  const types = new Map(session.inputMetadata.map(({ name, type }) => [name, type ?? '']));
  const values = (all: OrtSession['inputMetadata']) =>
    all.map(({ name, type, shape }) => ({ name, type: type ?? '', dims: [...(shape ?? [])] }));
  const ready: Reply = {
    kind: 'ready',
    id: 0,
    inputs: values(session.inputMetadata),
    outputs: values(session.outputMetadata),
  };
  port.postMessage(ready);

  const answer = async (request: Request): Promise<void> => {
    if (request.kind === 'close') {
      await session.release();
      port.close();
      return;
    }
    try {
      if (stopped()) throw new SsdPruneError('ERR_ABORTED', 'The session was ended.');
      const feeds = toTensors(ort, types, request.feeds);
      if (request.kind === 'time') {
        for (let i = 0; i < request.warmup && !stopped(); i++) await session.run(feeds);
        const milliseconds: number[] = [];
        for (let i = 0; i < request.runs && !stopped(); i++) milliseconds.push(await timed(() => session.run(feeds)));
        port.postMessage({ kind: 'times', id: request.id, milliseconds } satisfies Reply);
        return;
      }
      let results: Record<string, OrtTensor> = {};
      const milliseconds = await timed(async () => {
        results = request.outputs ? await session.run(feeds, request.outputs) : await session.run(feeds);
      });
      const outputs: Feeds<OrtData> = {};
      const transfer = new Set<ArrayBuffer>();
      for (const [name, { dims, data, type }] of Object.entries(results)) {
        const values = type === 'float16' ? fromFloat16(data as Uint16Array) : data;
        outputs[name] = { dims: [...dims], data: values };
        if (!Array.isArray(values)) transfer.add(values.buffer as ArrayBuffer);
      }
      const reply: Reply = { kind: 'outputs', id: request.id, outputs, milliseconds };
      if (request.giveBack) {
        reply.feeds = request.feeds;
        for (const { data } of Object.values(request.feeds)) transfer.add(data.buffer as ArrayBuffer);
      }
      port.postMessage(reply, [...transfer]);
    } catch (error) {
      port.postMessage({ kind: 'failed', id: request.id, ...describeError(error) } satisfies Reply);
    }
  };
  // One at a time and in order: a run awaits, and a close that came after it must not overtake it.
  let last = Promise.resolve();
  port.on('message', (request: Request) => {
    last = last.then(() => answer(request));
  });
}

/** Milliseconds that `work` takes on this thread; no message passing is in it. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - begin) / 1e6;
}

function toTensors(ort: Ort, types: Map<string, string>, feeds: Feeds): Record<string, OrtTensor> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { dims, data }]) => {
      const type = types.get(name);
      if (type === undefined) throw new Error(`Input '${name}' is not one of the model's (${[...types.keys()]})`);
      return [name, new ort.Tensor(type, ofType(name, type, data), dims)];
    }),
  );
}

/** Values of a feed, which are numbers always, as ONNX Runtime wants those of an input's type. */
function ofType(name: string, type: string, data: Float32Array): OrtData {
  switch (type) {
    case 'float32':
      return data;
    case 'float16':
      return toFloat16(data);
    case 'float64':
      return Float64Array.from(data);
    case 'uint8':
    case 'bool':
      return Uint8Array.from(data);
    case 'int32':
      return Int32Array.from(data);
    case 'int64':
      return BigInt64Array.from(data, (value) => BigInt(value));
    default:
      throw new SsdPruneError('ERR_UNSUPPORTED_OP', `Input '${name}' holds ${type}, which can't be fed here.`);
  }
}

void serve(workerData as SessionStart);
