import { type AugmentSettings, paddleAugmentation } from '../train/augmentation';

/**
 * For training on scenes: Paddle's, but pictures shrink and are cropped little. Scenes show whole shapes that are large;
 * a detector for them has no prior boxes for what fourfold expansion leaves of one.
 */
export const sceneAugmentation: AugmentSettings = {
  ...paddleAugmentation,
  expand: { probability: 0.25, maxRatio: 1.5 },
  samplers: [
    paddleAugmentation.samplers[0]!,
    { maxSample: 1, maxTrial: 20, scale: [0.6, 1], aspectRatio: [0.75, 1.33], overlap: [0.3, 0] },
  ],
};
