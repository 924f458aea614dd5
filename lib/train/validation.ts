import type { Dataset, Sample } from '../data/dataset';
import type { DetectorSettings } from '../model/detector';
import type { OnnxModel } from '../model/onnx-model';
import type { DetectorNetwork } from './network';
import { writeParameters } from './parameters';

/** The network's model with other weights; the model it was read from stays as it is. */
export function modelWithWeights(network: DetectorNetwork, weights: Float32Array): OnnxModel {
  const model = network.model.clone();
  writeParameters(model, network.plan, weights);
  return model;
}

/**
 * Mean average precision of weights on pictures, by ONNX Runtime on the CPU: as the finished model will be run.
 * @param threads 0: one a core
 */
export async function evaluateWeights(
  network: DetectorNetwork,
  detector: DetectorSettings,
  dataset: Pick<Dataset, 'classes'>,
  samples: readonly Sample[],
  weights: Float32Array,
  { threads = 0, signal }: { threads?: number; signal?: AbortSignal | undefined } = {},
): Promise<number> {
  const { encodeModel } = require('../model/write') as typeof import('../model/write');
  const { evaluateModel } = require('../evaluate/evaluate') as typeof import('../evaluate/evaluate');
  const bytes = encodeModel(modelWithWeights(network, weights));
  const pictures = { ...dataset, samples } as Dataset;
  const { result } = await evaluateModel(bytes, detector, pictures, {
    device: 'cpu',
    threads,
    name: network.model.file ?? 'the model in training',
    bootstrap: { resamples: 0 },
    ...(signal && { signal }),
  });
  return result.map ?? 0;
}
