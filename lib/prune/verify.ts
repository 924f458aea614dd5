import { throwIfAborted } from '../abort';
import { SsdPruneError } from '../errors';
import { DetectorSession, type Feeds, type SessionOptions } from '../evaluate/session';
import { TensorProto_DataType as T } from '../model/onnx_pb';
import type { OnnxModel } from '../model/onnx-model';
import { encodeModel } from '../model/write';
import type { ChannelGraph } from './channel-graph';
import type { CutResult } from './cut';
import { floatCopy } from './float-copy';
import { maskOriginal } from './masked-original';
import { normalNoise } from './noise';
import { comparedTensors, exposeTensors } from './observed-tensors';
import type { Verification } from './report';

// Looked up once, as in random.ts.
const [{ abs, max }, toNumber] = [Math, Number];

/** Difference allowed, relative to the largest value of the masked original's output (at least 1). */
const relativeTolerance = 1e-4;
/** The mask must move an output by this many times what the comparison can tell apart, or it says nothing. */
const vacuousFactor = 100;
/** Rounding of float32 sums, relative to the largest value of an output: smaller differences are noise. */
const relativeNoise = 1e-6;

export interface VerifyOptions {
  /** Noise pictures to compare on. Defaults to `3`. */
  images?: number;
  /** Seed of the noise. Defaults to `0`. */
  seed?: number;
  device?: SessionOptions['device'];
  /** Looked at before each run; ends the proof with ERR_ABORTED. */
  signal?: AbortSignal;
}

/**
 * Proves a cut: the pruned model and the *masked original* (the original with every slice that the cut removes
 * overwritten by zeros) must give equal outputs on noise pictures. Compared are the outputs of the last weighted
 * layers, before any Softmax, box decoding or suppression, and all graph outputs that depend on them smoothly.
 * float16 and quantised models are compared as float32 copies.
 * @throws {SsdPruneError} ERR_VERIFY_FAILED where outputs differ, naming the tensor; ERR_VERIFY_VACUOUS where the mask
 * changes so little that equality would prove nothing; ERR_NO_RUNTIME without onnxruntime-node.
 */
export async function verifyCut(
  graph: ChannelGraph,
  cut: CutResult,
  options: VerifyOptions = {},
): Promise<Verification> {
  const { images = 3, seed = 0 } = options;
  const whole = floatCopy(graph.model);
  const tensors = comparedTensors(graph, whole);
  if (tensors.length === 0) {
    throw new SsdPruneError(
      'ERR_VERIFY_VACUOUS',
      'The proof finds no tensor of the main graph to compare by. Nothing was written. Use --no-verify to cut without a proof.',
    );
  }
  const pictures = Array.from({ length: images }, (_, i) => noiseFeeds(graph, whole, seed + i));
  const outputsOf = async (model: OnnxModel, name: string): Promise<Feeds<ArrayLike<number>>[]> => {
    exposeTensors(model, tensors);
    const session = await DetectorSession.create(encodeModel(model), { device: options.device ?? 'cpu', name });
    try {
      const results: Feeds<ArrayLike<number>>[] = [];
      for (const feeds of pictures) {
        throwIfAborted(options.signal);
        results.push((await session.run(feeds, tensors)) as Feeds<ArrayLike<number>>);
      }
      return results;
    } finally {
      await session.close();
    }
  };
  const masked = maskOriginal(whole.clone(), cut);
  const file = graph.model.file ?? 'the model';
  // The model as it came goes first: what can't be run is then its own fault, and named by its file.
  const original = await outputsOf(whole, file);
  const maskedOutputs = await outputsOf(masked, `${file} with the cut channels masked`);
  const pruned = await outputsOf(floatCopy(cut.model), `${file}, pruned`);
  let [worst, allowed, sharpness] = [0, relativeTolerance, 0];
  maskedOutputs.forEach((outputs, i) => {
    for (const name of tensors) {
      const [a, b, unmasked] = [pruned[i]![name]!.data, outputs[name]!.data, original[i]![name]!.data];
      const tolerance = relativeTolerance * Math.max(1, largest(b));
      const difference = maxDifference(a, b);
      if (!(difference <= tolerance)) {
        throw new SsdPruneError(
          'ERR_VERIFY_FAILED',
          `The cut is wrong: ${JSON.stringify(name)} differs from the masked original by ${difference.toExponential(2)} (allowed ${tolerance.toExponential(2)}) on noise picture ${i}. Nothing was written; please report this model.`,
        );
      }
      if (difference / tolerance >= worst / allowed) [worst, allowed] = [difference, tolerance];
      const moved = maxDifference(unmasked, b);
      const resolution = Math.max(difference, relativeNoise * Math.max(largest(b), moved));
      if (moved > 0) sharpness = Math.max(sharpness, moved / resolution);
    }
  });
  if (sharpness < vacuousFactor) {
    throw new SsdPruneError(
      'ERR_VERIFY_VACUOUS',
      `The proof says nothing: on noise pictures the removed channels change no output by more than ${sharpness.toFixed(1)} times what rounding does (they may be dead). Nothing was written. Use --no-verify to cut without a proof.`,
    );
  }
  return { maxAbsDiff: worst, tolerance: allowed, images, vacuous: false };
}

/**
 * Noise for every input of a float copy of the graph's model: standard normal, or whole numbers from 0 to 255 where the
 * model takes integers.
 */
function noiseFeeds(graph: ChannelGraph, copy: OnnxModel, seed: number): Feeds {
  const feeds: Feeds = {};
  graph.model.graph.input.forEach(({ name, type }, i) => {
    if (graph.model.constant(name)) return;
    const shape = graph.infos.get(name)?.shape;
    if (!shape)
      throw new SsdPruneError(
        'ERR_BAD_MODEL',
        `The shape of input ${JSON.stringify(name)} is not known; use --no-verify.`,
      );
    const data = normalNoise(
      seed,
      name,
      shape.reduce((a, b) => a * b, 1),
    );
    const element = type?.value.case === 'tensorType' ? type.value.value.elemType : T.FLOAT;
    const bytes = !floats.has(element);
    feeds[copy.graph.input[i]!.name] = {
      dims: [...shape],
      data: bytes ? data.map((value) => Math.min(255, Math.floor(64 * Math.abs(value)))) : data,
    };
  });
  return feeds;
}

const floats = new Set<number>([T.FLOAT, T.FLOAT16, T.BFLOAT16, T.DOUBLE]);

function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = max(most, abs(toNumber(values[i])));
  return most;
}

/** Largest difference; infinite where lengths differ or a value is not a number. */
function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = abs(toNumber(a[i]) - toNumber(b[i]));
    if (difference <= most) continue;
    if (!(difference > most)) return Number.POSITIVE_INFINITY;
    most = difference;
  }
  return most;
}
