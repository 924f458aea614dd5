import { SsdPruneError } from '../errors';
import { TensorProto_DataType as T } from '../model/onnx_pb';
import type { OnnxModel } from '../model/onnx-model';
import { dequantize, quantizationOf } from '../model/quantization';
import { uniform } from '../model/random';
import { tensorBytes, tensorDims, toFloat32 } from '../model/tensor';
import type { Label } from './channel-atoms';
import type { ChannelProducer } from './channel-graph';
import type { ChannelGroup, ChannelGroups } from './channel-groups';
import { type Criterion, type RankJob, rankChannels, selectKept } from './kernels';
import type { PruneCriterion } from './options';

export interface RankingOptions {
  criterion: PruneCriterion;
  seed: number;
  /** Sums as numpy makes them of float32 (Paddle 1.x) instead of float64 ones in index order. */
  paddle1x: boolean;
}

/** Scores of the members of groups: sums over the layers and channels that a member stands for. */
export class ChannelRanking {
  constructor(
    private readonly groups: ChannelGroups,
    private readonly options: RankingOptions,
  ) {}

  /**
   * Scores of each group's members on the weights as they stand, or only over input channels that `removed` leaves.
   * @throws {SsdPruneError} ERR_UNSUPPORTED_CRITERION where a layer has no BatchNormalization to score by;
   * ERR_BAD_MODEL where weights are not finite.
   */
  scores(groups: readonly ChannelGroup[], removed: ReadonlySet<number> = new Set()): Float64Array[] {
    const producers = [...new Set(groups.flatMap((group) => group.layers.map((layer) => layer.producer)))];
    const perLayer = new Map<ChannelProducer, Float64Array>();
    const { criterion, paddle1x } = this.options;
    if (criterion === 'random') {
      for (const producer of producers) perLayer.set(producer, this.random(producer));
    } else {
      const jobs = producers.map((producer) =>
        criterion === 'bn_scale'
          ? this.scaleJob(producer)
          : this.job(producer, paddle1x ? 'l1_paddle1x' : criterion, removed),
      );
      const scores = rankChannels(jobs);
      producers.forEach((producer, i) => {
        perLayer.set(producer, scores[i]!);
      });
    }
    return groups.map((group) => {
      const sums = new Float64Array(group.classes.length);
      for (const { producer, channels } of group.layers) {
        const scores = perLayer.get(producer)!;
        channels.forEach((places, member) => {
          for (const place of places) sums[member]! += scores[place]!;
        });
      }
      return sums;
    });
  }

  private random({ name, label }: ChannelProducer): Float64Array {
    const score = uniform(this.options.seed, name);
    return Float64Array.from(label, (_, channel) => score(channel));
  }

  private job(producer: ChannelProducer, criterion: Criterion, removed: ReadonlySet<number>): RankJob {
    const { model, atoms } = this.groups.graph;
    const tensor = model.constant(producer.name)!;
    const dims = tensorDims(tensor);
    const keepOther = this.inputLabels(producer).flatMap(({ axis, label }) => {
      const indexes = Int32Array.from(label.keys()).filter((i) => label[i]! < 0 || !removed.has(atoms.find(label[i]!)));
      return indexes.length < label.length ? [{ axis, indexes }] : [];
    });
    return { name: producer.name, dims, axis: producer.axis, criterion, keepOther, ...weightBytes(model, producer) };
  }

  /** Labels of the weight's other axes. */
  private inputLabels({ name, axis }: ChannelProducer): { axis: number; label: Label }[] {
    const use = this.groups.graph.sharedConstant(name)!;
    return use.labels.flatMap((label, i) => (i !== axis && label ? [{ axis: i, label }] : []));
  }

  /** |scale| of the BatchNormalization that reads the layer's output. */
  private scaleJob(producer: ChannelProducer): RankJob {
    const { model } = this.groups.graph;
    const output = producer.node.output[0]!;
    const normalization = model.consumers(output).find((node) => node.opType === 'BatchNormalization');
    const scale = normalization && model.constant(normalization.input[1]!);
    if (!scale) {
      throw new SsdPruneError(
        'ERR_UNSUPPORTED_CRITERION',
        `${producer.name}: --criterion bn_scale needs a BatchNormalization behind ${model.where(producer.node)}; this model has none there (it was folded into the weights). Use l1_norm, l2_norm or geometry_median.`,
      );
    }
    const values = toFloat32(scale);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return {
      name: normalization.input[1]!,
      bytes,
      dataType: 'float32',
      dims: [values.length],
      axis: 0,
      criterion: 'values',
    };
  }
}

/**
 * The members that stay when `keep` are wanted: the locked ones, then the best. Where scores are equal within 1e-6
 * the lower index stays.
 */
export function keptMembers(group: ChannelGroup, scores: Float64Array, keep: number): Int32Array {
  const free = Int32Array.from(group.locks.keys()).filter((member) => !group.locks[member]);
  const locked = Int32Array.from(group.locks.keys()).filter((member) => group.locks[member]);
  const chosen = selectKept(
    Float64Array.from(free, (member) => scores[member]!),
    keep - locked.length,
  );
  return Int32Array.from([...locked, ...Array.from(chosen, (i) => free[i]!)]).sort();
}

const floatTypes = new Map<number, RankJob['dataType']>([
  [T.FLOAT, 'float32'],
  [T.FLOAT16, 'float16'],
  [T.BFLOAT16, 'bfloat16'],
  [T.DOUBLE, 'float64'],
]);

/** A weight's bytes for ranking; a quantised one stands for the numbers that its reader sees. */
function weightBytes(
  model: OnnxModel,
  producer: ChannelProducer,
): { bytes: Uint8Array; dataType: RankJob['dataType'] } {
  const tensor = model.constant(producer.name)!;
  const dataType = floatTypes.get(tensor.dataType);
  if (dataType) return { bytes: tensorBytes(tensor), dataType };
  const values = dequantize(tensor, quantizationOf(model, producer.name) ?? { scale: [], zero: [], axis: 0 });
  return { bytes: new Uint8Array(values.buffer), dataType: 'float32' };
}
