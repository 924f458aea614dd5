import type { Dataset } from '../data/dataset';
import type { OnnxModel } from '../model/onnx-model';
import type { RunParts } from './run-parts';

/** What a network was worth on the evaluation split. */
export interface Metric {
  /** When: before anything was done, right behind a cut, or behind an epoch. */
  readonly stage: 'start' | 'cut' | 'epoch';
  /** Epochs that were through. */
  readonly epoch: number;
  readonly step: number;
  readonly map: number;
  /** Mean over classes with at least 20 objects; null where there is none. */
  readonly meanOver20: number | null;
}

/** What a network is worth on pictures, as the configuration measures it. */
export async function evaluateNetwork(
  model: OnnxModel,
  pictures: Pick<Dataset, 'classes' | 'samples'>,
  { inputs, config, signal }: Pick<RunParts, 'inputs' | 'config' | 'signal'>,
): Promise<Pick<Metric, 'map' | 'meanOver20'>> {
  const { encodeModel } = require('../model/write') as typeof import('../model/write');
  const { evaluateModel } = require('../evaluate/evaluate') as typeof import('../evaluate/evaluate');
  const { result } = await evaluateModel(encodeModel(model), inputs.detector, pictures as Dataset, {
    ...config.evaluation,
    ...{ device: config.device.evaluation, threads: config.device.threads, name: 'the network in training' },
    ...(signal && { signal }),
  });
  return { map: result.map ?? 0, meanOver20: result.meanOver20.map };
}
