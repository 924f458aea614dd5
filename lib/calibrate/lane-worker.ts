import { loadRuntime, type Ort, type OrtSession } from '../evaluate/runtime';
import { type Service, serve } from '../evaluate/serve';
import type { Feeds } from '../evaluate/session-protocol';
import { addon } from '../native/addon';
import { sliceTensors } from '../prune/kernels';
import type { LaneReply, LaneRequest, LaneStart, LayerSamples, StageStart, TrackStage } from './lane-protocol';
import { takeSamples } from './samples';

/** One model's session for a stage. */
interface OpenTrack {
  stage: TrackStage;
  session: OrtSession | undefined;
}

/**
 * A thread that runs some of the batches through the models of one stage after the other. Activations stay here: what
 * a model carries from one stage to the next, and all others until samples are taken of them.
 */
class Lane implements Service<LaneRequest, LaneReply> {
  readonly ready: LaneReply = { kind: 'ready', id: 0 };
  private readonly ort: Ort = loadRuntime();
  /** By key of the track, then by batch. */
  private readonly carried = new Map<string, Map<number, Feeds>>();
  private tracks: OpenTrack[] = [];
  private layers: LayerSamples[] = [];
  private seed = 0;

  constructor(private readonly start: LaneStart) {}

  async answer(request: LaneRequest): Promise<{ reply: LaneReply }> {
    await this.carryOut(request);
    return { reply: { kind: 'done', id: request.id } };
  }

  close(): Promise<void> {
    return this.finish();
  }

  private async carryOut(request: LaneRequest): Promise<void> {
    switch (request.kind) {
      case 'stage':
        return this.open(request);
      case 'batch':
        return this.batch(request.index, request.first, request.last, request.feeds);
      case 'finish':
        return this.finish();
      case 'cut':
        return this.cut(request.key, request.keep);
      case 'drop':
        this.carried.delete(request.key);
    }
  }

  private async finish(): Promise<void> {
    for (const { session } of this.tracks) await session?.release();
    this.tracks = [];
  }

  private async open({ tracks, layers, seed }: StageStart): Promise<void> {
    this.layers = layers;
    this.seed = seed;
    for (const stage of tracks) {
      const session = stage.model && (await this.ort.InferenceSession.create(stage.model, this.start.options));
      this.tracks.push({ stage, session });
    }
  }

  private async batch(index: number, first: number, last: number, fresh: Feeds | undefined): Promise<void> {
    const left = this.tracks.map(({ stage }) => this.carried.get(stage.key)?.get(index) ?? {});
    const made: Feeds[] = [];
    for (const track of this.tracks) made.push(await this.run(track, index, fresh));
    const [y, x = y] = made;
    for (const layer of this.layers) takeSamples(layer, this.seed, first, last, x!, y!);
    this.giveBack(index, [...made, ...left, fresh ?? {}]);
  }

  /** Frees what is through: the garbage collector would let gigabytes pile up. Tensors may share a buffer. */
  private giveBack(index: number, through: readonly Feeds[]): void {
    const buffersOf = (feeds: readonly Feeds[]): ArrayBuffer[] =>
      feeds.flatMap((named) => Object.values(named).map(({ data }) => data.buffer as ArrayBuffer));
    const free = new Set(buffersOf(through));
    const kept = this.tracks.map(({ stage }) => this.carried.get(stage.key)?.get(index) ?? {});
    for (const buffer of buffersOf(kept)) free.delete(buffer);
    for (const buffer of free) addon().giveBack(buffer);
  }

  private async run({ stage, session }: OpenTrack, index: number, fresh: Feeds | undefined): Promise<Feeds> {
    const batches = this.carried.get(stage.key) ?? new Map<number, Feeds>();
    const from = batches.get(index) ?? fresh!;
    const outputs: Feeds = Object.fromEntries(stage.passing.map((name) => [name, from[name]!]));
    if (session) {
      const { Tensor } = this.ort;
      const feeds = stage.inputs.map((name) => [name, new Tensor('float32', from[name]!.data, from[name]!.dims)]);
      for (const [name, tensor] of Object.entries(await session.run(Object.fromEntries(feeds)))) {
        outputs[name] = { dims: [...tensor.dims], data: tensor.data as Float32Array };
      }
    }
    if (stage.keep) {
      batches.set(index, Object.fromEntries(stage.keep.map((name) => [name, outputs[name]!])));
      this.carried.set(stage.key, batches);
    }
    return outputs;
  }

  private cut(key: string, keep: Record<string, Int32Array>): void {
    for (const feeds of this.carried.get(key)?.values() ?? []) {
      const names = Object.keys(feeds).filter((name) => keep[name]);
      const slices = sliceTensors(
        names.map((name) => {
          const { dims, data } = feeds[name]!;
          const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
          return { bytes, elementSize: 4, dims, keep: dims.map((_, axis) => (axis === 1 ? keep[name]! : null)) };
        }),
      );
      names.forEach((name, i) => {
        const { buffer, byteOffset, byteLength } = slices[i]!;
        const dims = feeds[name]!.dims.map((dim, axis) => (axis === 1 ? keep[name]!.length : dim));
        feeds[name] = { dims, data: new Float32Array(buffer, byteOffset, byteLength / 4) };
      });
    }
  }
}

void serve(async (start: LaneStart) => new Lane(start));
