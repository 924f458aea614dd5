import type {
  FinetunePart,
  MapSensitivityPart,
  PrunePart,
  RunPart,
  SensitivityPart,
} from '../../lib/report/page/document';
import type { StepMean } from '../../lib/report/step-means';

/** Two layers cut to 3/4 and 1/2 of their channels, of a model of 2000 MACs. */
export const pruneDocument: PrunePart = {
  schema: 'ssd-prune.prune/1',
  model: 'models/ssd.onnx',
  output: 'small.onnx',
  prunedParams: 'conv_[12]',
  criterion: 'l1_norm',
  allocation: 'uniform',
  targetRatio: 0.25,
  macs: { before: 2000, after: 1500 },
  paddleFlops: { before: 4000, after: 3000 },
  parameters: { before: 100, after: 60 },
  skipped: [{ name: 'conv_9', reason: 'an output of the model' }],
  layers: [
    {
      ...{ name: 'conv_1', axis: 0, shapeBefore: [16, 3, 3, 3], shapeAfter: [12, 3, 3, 3] },
      macs: { before: 800, after: 600 },
    },
    {
      ...{ name: 'conv_2', axis: 0, shapeBefore: [32, 16, 1, 1], shapeAfter: [16, 12, 1, 1] },
      macs: { before: 400, after: 150 },
    },
  ],
  verified: { maxAbsDiff: 1.5e-7, images: 3, vacuous: false },
  latency: null,
  seconds: 1.25,
};

const secondCut: PrunePart = {
  ...pruneDocument,
  macs: { before: 1500, after: 1200 },
  skipped: [],
  layers: [
    {
      ...{ name: 'conv_1', axis: 0, shapeBefore: [12, 3, 3, 3], shapeAfter: [8, 3, 3, 3] },
      macs: { before: 600, after: 400 },
    },
  ],
};

/** Cut before the first and before the second of three epochs. */
export const runDocument: RunPart = {
  schema: 'ssd-prune.run/1',
  configuration: 'compress.yaml',
  model: 'models/ssd.onnx',
  output: 'out/small.onnx',
  teacher: 'models/ssd.onnx',
  data: {
    ...{ folder: 'VOC2007', train: 'train', trained: 90, heldBack: 10 },
    ...{ leftOut: 1, evaluation: 'val', evaluated: 20 },
  },
  recipe: { batchSize: 9, stepsPerEpoch: 10, optimizer: { rule: 'adamw', maxNorm: 10 }, explosion: null },
  epochs: 3,
  steps: 30,
  warnings: ['metric_name: acc_top1 is mAP here'],
  resumed: null,
  cuts: [
    { strategy: 'first', epoch: 0, step: 0, report: pruneDocument },
    { strategy: 'second', epoch: 1, step: 10, report: secondCut },
  ],
  metrics: [
    { stage: 'start', epoch: 0, step: 0, map: 0.75, meanOver20: null },
    { stage: 'cut', epoch: 0, step: 0, map: 0.5, meanOver20: null },
    { stage: 'epoch', epoch: 1, step: 10, map: 0.625, meanOver20: null },
    { stage: 'cut', epoch: 1, step: 10, map: 0.5625, meanOver20: null },
    { stage: 'epoch', epoch: 2, step: 20, map: 0.6875, meanOver20: null },
    { stage: 'epoch', epoch: 3, step: 30, map: 0.6875, meanOver20: null },
  ],
  heldBack: [
    { step: 0, epoch: 0, map: 0.25 },
    { step: 10, epoch: 1, map: 0.375 },
  ],
  ...{ kept: 'best', keptAt: { step: 10, epoch: 1, map: 0.375 } },
  macs: { before: 2000, after: 1200 },
  parameters: { before: 100, after: 50 },
  map: 0.6875,
  shapes: [
    { name: 'conv_1', before: [16, 3, 3, 3], after: [8, 3, 3, 3] },
    { name: 'conv_2', before: [32, 16, 1, 1], after: [16, 8, 1, 1] },
    { name: 'bias', before: [32], after: [32] },
  ],
  seconds: 75,
};

/** Two epochs, the first of which was the better one. */
export const finetuneDocument: FinetunePart = {
  schema: 'ssd-prune.finetune/1',
  ...{ model: 'small.onnx', output: 'tuned.onnx', teacher: null },
  data: { folder: 'VOC2007', split: 'train', trained: 90, heldBack: 10, leftOut: 0 },
  recipe: { batchSize: 9 },
  ...{ finished: true, step: 20, kept: 'best', belowStart: false, imagesPerSecond: 41.25, seconds: 4000 },
  evaluations: [
    { step: 0, epoch: 0, map: 0.5 },
    { step: 10, epoch: 1, map: 0.625 },
    { step: 20, epoch: 2, map: 0.5625 },
  ],
  best: { step: 10, epoch: 1, map: 0.625 },
};

export const sensitivityDocument: SensitivityPart = {
  schema: 'ssd-prune.sensitivity/1',
  model: 'ssd.onnx',
  prunedParams: 'conv_.*',
  measure: 'reconstruction',
  ...{ pictures: 'VOC2007', split: 'train', images: 64, seed: 0, count: 'macs', align: 8, minChannels: 8 },
  ...{ targetRatio: null, cut: null, skipped: [], worst: [], seconds: 2 },
  layers: ['conv_1', 'conv_2'].map((name, i) => {
    const points = [0, 0.25, 0.5, 0.75].map((ratio) => ({
      ...{ kept: 16 * (1 - ratio), ratio, errorKept: (ratio * (i + 1)) / 4, saved: ratio / 10 },
    }));
    return { name, readers: ['next'], channels: 16, share: 0.4, points, cuts: points.slice(1), chosen: null };
  }),
};

export const mapSensitivityDocument: MapSensitivityPart = {
  schema: 'ssd-prune.sensitivity-map/1',
  model: 'ssd.onnx',
  prunedParams: 'conv_.*',
  measure: 'map',
  ...{ data: 'VOC2007', split: 'train, held back', images: 64, count: 'macs', base: 0.625, importedFrom: null },
  ...{ skipped: [], complete: true, seconds: 2 },
  layers: ['conv_1', 'conv_2'].map((name, i) => ({
    ...{ name, channels: 16, share: 0.4 },
    points: [0.25, 0.5].map((ratio) => ({
      ...{
        kept: 16 * (1 - ratio),
        ratio,
        map: 0.625 * (1 - (ratio * (i + 1)) / 4),
        imported: false,
        saved: ratio / 10,
      },
      ...{ loss: (0.625 * ratio * (i + 1)) / 4, relativeLoss: (ratio * (i + 1)) / 4 },
    })),
  })),
};

/** Steps of a run in which the loss halves every epoch. */
export const stepPoints: StepMean[] = Array.from({ length: 30 }, (_, i) => ({
  ...{ step: i + 1, steps: 30, epoch: (i + 1) / 10, rate: 1e-3 * (1 - i / 30), gradientNorm: 5, imagesPerSecond: 40 },
  loss: {
    total: 8 / 2 ** (i / 10),
    classes: 6 / 2 ** (i / 10),
    boxes: 2 / 2 ** (i / 10),
    teacherClasses: 0,
    teacherBoxes: 0,
    teacherFeatures: 0,
  },
}));

/** Names that would run, break out or load something where they weren't escaped. */
export const hostile = [
  '</script><img src=x onerror=alert(1)>',
  '"><svg onload=alert(1)>',
  "' onmouseover='alert(1)",
  '</style><script>alert(1)</script>',
  '<!--',
  ']]>&amp;{{x}}%{y}',
  'javascript:alert(1)\u0000\ud800',
];

/** The document with every string of it, but its schema and keywords, replaced by a hostile one. */
export function madeHostile<T>(document: T): T {
  const keywords = new Set(['schema', 'stage', 'kept', 'count', 'measure']);
  const made = new Map<string, string>();
  const hostileOf = (text: string): string => {
    if (!made.has(text)) made.set(text, `${hostile[made.size % hostile.length]}${made.size}`);
    return made.get(text)!;
  };
  const change = (value: unknown, key?: string): unknown => {
    if (typeof value === 'string') {
      return key !== undefined && keywords.has(key) ? value : hostileOf(value);
    }
    if (Array.isArray(value)) return value.map((entry) => change(entry));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, change(entry, name)]));
  };
  return change(document) as T;
}
