import type { DetectorSession as Session } from '../../lib/evaluate/session';
import type { OnnxModel } from '../../lib/model/onnx-model';
import type { PruneReport } from '../../lib/prune/report';

const { DetectorSession } = require('../../dist/lib/evaluate/session') as typeof import('../../lib/evaluate/session');
const { OnnxModel: Model } = require('../../dist/lib/model/onnx-model') as typeof import('../../lib/model/onnx-model');
const { ValueInfoProtoSchema } = require('../../dist/lib/model/onnx_pb') as typeof import('../../lib/model/onnx_pb');
const { elementSize, setTensorBytes, tensorBytes, tensorDims } =
  require('../../dist/lib/model/tensor') as typeof import('../../lib/model/tensor');
const { encodeModel } = require('../../dist/lib/model/write') as typeof import('../../lib/model/write');
const { floatCopy } = require('../../dist/lib/prune/float-copy') as typeof import('../../lib/prune/float-copy');
const { create } = require('@bufbuild/protobuf') as typeof import('@bufbuild/protobuf');

// Looked up once: jest's realm takes its time with each look at a global.
const [{ abs, floor, max }, toNumber] = [Math, Number];

type Slices = Pick<PruneReport, 'layers' | 'tied'>;
type Outputs = Record<string, { dims: number[]; data: ArrayLike<number> }>;

/** What a proof found: the largest difference in units of what is allowed, and how far the mask moved the outputs. */
export interface Proof {
  /** At most 1 where the cut is right. */
  readonly difference: number;
  /** Largest change by the mask over the largest difference of the same output (rounding at least). */
  readonly sharpness: number;
  readonly compared: readonly string[];
}

/** Operators in front of which a zero means "no channel" and not "divide by zero" or "the smallest value". */
const linear = new Set(
  'Conv ConvTranspose Gemm MatMul BatchNormalization InstanceNormalization PRelu Add Sub Mul Identity Cast Reshape Transpose Squeeze Unsqueeze'.split(
    ' ',
  ),
);

/** Runs the float copy of a model, with some inner tensors made outputs. */
class Runner {
  private constructor(
    private readonly session: Session,
    private readonly names: string[],
  ) {}

  static async open(model: OnnxModel, names: string[]): Promise<Runner> {
    for (const name of names) {
      if (!model.graph.output.some((output) => output.name === name)) {
        model.graph.output.push(create(ValueInfoProtoSchema, { name }));
      }
    }
    return new Runner(await DetectorSession.create(encodeModel(model), { threads: 1, spinning: false }), names);
  }

  async run(feeds: Record<string, { dims: number[]; data: Float32Array }>): Promise<Outputs> {
    return (await this.session.run(feeds, this.names)) as unknown as Outputs;
  }

  close(): Promise<void> {
    return this.session.close();
  }
}

/**
 * Masked equality by the report alone: nothing of the pruner's groups is used. The original runs once for any number of
 * cuts.
 */
export class Prover {
  private readonly names: string[];
  private original: Runner | undefined;
  private unmasked: Outputs[] = [];

  constructor(
    private readonly model: OnnxModel,
    private readonly shapes: readonly { name: string; shape: readonly number[]; type: string }[],
    private readonly images = 2,
  ) {
    const copy = floatCopy(model);
    // Logits are sharper than what a Softmax leaves of them.
    const squashed = copy.graph.node.flatMap((node) =>
      ['Softmax', 'Sigmoid', 'NonMaxSuppression', 'TopK'].includes(node.opType) ? node.input.slice(0, 2) : [],
    );
    const inner = squashed.filter((name) => copy.producer(name) && !copy.constant(name));
    this.names = [...new Set([...copy.graph.output.map(({ name }) => name), ...inner])];
  }

  async prove(pruned: OnnxModel, report: Slices): Promise<Proof> {
    if (!this.original) {
      this.original = await Runner.open(floatCopy(this.model), this.names);
      for (let i = 0; i < this.images; i++) this.unmasked.push(await this.original.run(this.noise(i)));
    }
    const masked = await Runner.open(this.masked(report), this.names);
    const cut = await Runner.open(floatCopy(pruned), this.names);
    let [difference, sharpness] = [0, 0];
    const compared = new Set<string>();
    try {
      for (let i = 0; i < this.images; i++) {
        const [want, got] = [await masked.run(this.noise(i)), await cut.run(this.noise(i))];
        for (const name of this.names) {
          const [a, b, whole] = [got[name]!, want[name]!, this.unmasked[i]![name]!];
          const isOutput = this.model.isGraphOutput(name);
          // Inner tensors may have lost channels; outputs never.
          if (a.dims.join() !== b.dims.join() && !isOutput) continue;
          compared.add(name);
          const size = largest(b.data);
          const off = distance(a.data, b.data);
          difference = max(difference, off / (1e-4 * max(1, size)));
          const moved = distance(whole.data, b.data);
          if (moved > 0) sharpness = max(sharpness, moved / max(off, 1e-6 * max(size, moved)));
        }
      }
    } finally {
      await Promise.all([masked.close(), cut.close()]);
    }
    return { difference, sharpness, compared: [...compared] };
  }

  async close(): Promise<void> {
    await this.original?.close();
  }

  private noise(seed: number): Record<string, { dims: number[]; data: Float32Array }> {
    const copy = floatCopy(new Model(this.model.proto));
    const fed = copy.graph.input.filter(({ name }) => !copy.constant(name));
    return Object.fromEntries(
      fed.map(({ name }, input) => {
        const { shape, type } = this.shapes[input]!;
        let state = 12345 + 7 * seed + input;
        const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
          // Park and Miller's generator.
          state = (state * 48271) % 2147483647;
          const uniform = state / 2147483647;
          return type.startsWith('float') ? 3.4 * (uniform - 0.5) : floor(256 * uniform);
        });
        return [name, { dims: [...shape], data }];
      }),
    );
  }

  /** The original with what the report says is gone overwritten by zeros. */
  private masked({ layers, tied }: Slices): OnnxModel {
    const model = floatCopy(this.model);
    const divided = new Set(tied.flatMap(({ copyOf }) => copyOf ?? []));
    for (const entry of [...layers, ...tied]) {
      const { name, axis, kept } = entry;
      if (divided.has(name) || ('copyOf' in entry && entry.copyOf)) continue;
      if (!model.consumers(name).every((node) => linear.has(node.opType))) continue;
      const tensor = model.constant(name)!;
      const dims = tensorDims(tensor);
      const inner = dims.slice(axis + 1).reduce((a, b) => a * b, elementSize(tensor.dataType));
      const bytes = Uint8Array.from(tensorBytes(tensor));
      const stays = new Set(kept);
      for (let at = 0, place = 0; at < bytes.length; at += inner, place = (place + 1) % dims[axis]!) {
        if (!stays.has(place)) bytes.fill(0, at, at + inner);
      }
      setTensorBytes(tensor, dims, bytes);
    }
    model.invalidate();
    return model;
  }
}

/**
 * What is wrong with a cut file by its report: each named tensor must hold exactly the kept slices of the original,
 * bit for bit, all others (but shapes) must be as they were.
 */
export function wrongSlices(original: OnnxModel, pruned: OnnxModel, { layers, tied }: Slices): string[] {
  const wrong: string[] = [];
  const cuts = new Map<string, { source: string; axes: Map<number, readonly number[]> }>();
  for (const entry of [...layers, ...tied]) {
    const source = ('copyOf' in entry && entry.copyOf) || entry.name;
    const cut = cuts.get(entry.name) ?? { source, axes: new Map() };
    cut.axes.set(entry.axis, entry.kept);
    cuts.set(entry.name, cut);
  }
  for (const [name, { source, axes }] of cuts) {
    const [before, after] = [original.constant(source), pruned.constant(name)];
    if (!before || !after) {
      wrong.push(`${name} is missing`);
      continue;
    }
    const dims = tensorDims(before);
    const keep = dims.map((dim, axis) => axes.get(axis) ?? [...Array(dim).keys()]);
    const size = elementSize(before.dataType);
    const [from, to] = [Buffer.from(tensorBytes(before)), Buffer.from(tensorBytes(after))];
    let places = [0];
    dims.forEach((dim, axis) => {
      places = places.flatMap((place) => keep[axis]!.map((index) => place * dim + index));
    });
    const expected = Buffer.concat(places.map((place) => from.subarray(place * size, (place + 1) * size)));
    if (tensorDims(after).join() !== keep.map((kept) => kept.length).join() || !expected.equals(to)) wrong.push(name);
  }
  for (const before of original.graph.initializer) {
    const after = pruned.constant(before.name);
    if (cuts.has(before.name) || !after || before.dims.length <= 1 || elementSize(before.dataType) === 8) continue;
    if (!Buffer.from(tensorBytes(before)).equals(Buffer.from(tensorBytes(after)))) wrong.push(`${before.name} changed`);
  }
  return wrong;
}

function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = max(most, abs(toNumber(values[i])));
  return most;
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const apart = abs(toNumber(a[i]) - toNumber(b[i]));
    if (!(apart <= most)) most = apart > most ? apart : Number.POSITIVE_INFINITY;
  }
  return most;
}
