import type { AugmentationName } from '../train/augmentation';

/** The pattern of the original job: all but the first and the last width of the backbone. */
export const demoPattern = 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0';

/** Scenes that are calibrated on, where so many are drawn. */
export const calibrationImages = 128;

/** How what is left is fine-tuned. */
export const finetuning = {
  rule: 'sgd',
  // The original is no better than what it was trained on: scenes teach more than it does.
  teacherClasses: 0.05,
  teacherFeatures: 0,
  batchSize: 16,
  rate: 5e-3,
  average: 0.98,
  // Scenes show whole shapes that are large; there are no prior boxes for what fourfold expansion leaves of one.
  augment: 'light' satisfies AugmentationName,
  // As the original was trained: few prior boxes overlap an object by half.
  overlap: 0.4,
} as const;

/** How latency is measured. */
export const benchmark = { batchSizes: [1], threads: [1, 2], runs: 100, warmup: 10 };
