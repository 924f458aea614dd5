import type { Dataset } from '../data/dataset';
import { detectorDigest, modelDigest, samplesDigest } from '../digests';
import type { NmsOverrides } from '../evaluate/decode';
import { checkEvaluateOptions, type EvaluateOptions } from '../evaluate/mean-ap';
import type { Device } from '../evaluate/providers';
import type { DetectorSettings } from '../model/detector';
import type { OnnxModel } from '../model/onnx-model';
import type { PrunePlanOptions } from '../prune/options';

/** All that the mAP of a point hangs on, in the words that a difference is told in. */
export interface MapSettings {
  /** SHA-256 of the model, of the detector settings, and of the pictures' names with their annotations. */
  readonly modelChecksum: string;
  readonly detectorChecksum: string;
  readonly dataChecksum: string;
  readonly criterion: string;
  /** Of the criterion `random`, else null. */
  readonly seed: number | null;
  readonly protocol: string;
  readonly apVersion: string | null;
  readonly overlapThreshold: number | null;
  readonly evaluateDifficult: boolean;
  readonly scoreThreshold: number;
  readonly iouThreshold: number;
  readonly topK: number;
  readonly keepTopK: number;
  readonly orient: boolean;
  readonly device: Device;
}

export interface MapSettingsOf {
  model: OnnxModel;
  detector: DetectorSettings;
  dataset: Dataset;
  plan: Pick<PrunePlanOptions, 'criterion' | 'seed'>;
  metric: EvaluateOptions;
  nms: NmsOverrides;
  orient: boolean;
  device: Device;
}

/** @throws {SsdPruneError} what {@link checkEvaluateOptions} throws */
export function mapSettings({ model, detector, dataset, plan, metric, nms, ...run }: MapSettingsOf): MapSettings {
  const { protocol, apVersion, overlapThreshold, evaluateDifficult } = checkEvaluateOptions(metric);
  const coco = protocol === 'coco';
  // Suppression stands below by itself, as it was overridden.
  const { nms: own, ...settings } = detector;
  const suppression = { ...own, ...nms };
  return {
    modelChecksum: modelDigest(model),
    detectorChecksum: detectorDigest(settings),
    dataChecksum: samplesDigest(dataset.samples),
    criterion: plan.criterion,
    seed: plan.criterion === 'random' ? plan.seed : null,
    protocol,
    apVersion: coco ? null : apVersion,
    overlapThreshold: coco ? null : overlapThreshold,
    evaluateDifficult,
    scoreThreshold: suppression.scoreThreshold,
    iouThreshold: suppression.iouThreshold,
    topK: suppression.topK,
    keepTopK: suppression.keepTopK,
    ...run,
  };
}

/** What is not the same, one phrase each: `criterion l2_norm, now l1_norm`. */
export function differences(before: MapSettings, now: MapSettings): string[] {
  return (Object.keys(now) as (keyof MapSettings)[])
    .filter((key) => before[key] !== now[key])
    .map((key) => (key.endsWith('Checksum') ? changed[key]! : `${key} ${before[key]}, now ${now[key]}`));
}

const changed: Partial<Record<keyof MapSettings, string>> = {
  modelChecksum: 'another model',
  detectorChecksum: 'other detector settings',
  dataChecksum: 'other pictures or annotations',
};
