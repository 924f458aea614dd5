import { SsdPruneError } from '../errors';
import { fromFloat16, toFloat16 } from './float16';
import { loadRuntime, type Ort, type OrtData, type OrtSession, type OrtTensor } from './runtime';
import { type Service, serve } from './serve';
import type { Feeds, Reply, Request, SessionStart } from './session-protocol';

/**
 * The thread that holds one session. `session.run` blocks the thread it is called on and a session's memory comes
 * back only when its thread ends, so every session has its own.
 */
class SessionService implements Service<Request, Reply> {
  readonly ready: Reply;
  private readonly types: Map<string, string>;
  private readonly outputs: Set<string>;

  constructor(
    private readonly ort: Ort,
    private readonly session: OrtSession,
    private readonly stopped: () => boolean,
  ) {
    const { inputMetadata, outputMetadata } = session;
    const values = (all: OrtSession['inputMetadata']) =>
      all.map(({ name, type, shape }) => ({ name, type: type ?? '', dims: [...(shape ?? [])] }));
    this.ready = { kind: 'ready', id: 0, inputs: values(inputMetadata), outputs: values(outputMetadata) };
    this.types = new Map(inputMetadata.map(({ name, type }) => [name, type ?? '']));
    this.outputs = new Set(outputMetadata.map(({ name }) => name));
  }

  async answer(request: Request): Promise<{ reply: Reply; transfer?: ArrayBuffer[] }> {
    const feeds = toTensors(this.ort, this.types, request.feeds);
    return request.kind === 'time' ? this.time(request, feeds) : this.run(request, feeds);
  }

  close(): Promise<void> {
    return this.session.release();
  }

  private async time(
    { id, warmup, runs }: Extract<Request, { kind: 'time' }>,
    feeds: Record<string, OrtTensor>,
  ): Promise<{ reply: Reply }> {
    const { session, stopped } = this;
    for (let i = 0; i < warmup && !stopped(); i++) await session.run(feeds);
    const milliseconds: number[] = [];
    for (let i = 0; i < runs && !stopped(); i++) milliseconds.push(await timed(() => session.run(feeds)));
    return { reply: { kind: 'times', id, milliseconds } };
  }

  private async run(
    request: Extract<Request, { kind: 'run' }>,
    feeds: Record<string, OrtTensor>,
  ): Promise<{ reply: Reply; transfer: ArrayBuffer[] }> {
    const { session } = this;
    for (const name of request.outputs ?? []) {
      if (this.outputs.has(name)) continue;
      throw new SsdPruneError('ERR_USAGE', `Output '${name}' is not one of the model's (${[...this.outputs]})`);
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
    return { reply, transfer: [...transfer] };
  }
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
      return [name, tensorOf(ort, name, type, ofType(name, type, data), dims)];
    }),
  );
}

function tensorOf(ort: Ort, name: string, type: string, data: OrtData, dims: number[]): OrtTensor {
  try {
    return new ort.Tensor(type, data, dims);
  } catch (error) {
    throw new Error(`Input '${name}': ${(error as Error).message}`, { cause: error });
  }
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

void serve(async ({ model, options }: SessionStart, stopped) => {
  const ort = loadRuntime();
  return new SessionService(ort, await ort.InferenceSession.create(model, options), stopped);
});
