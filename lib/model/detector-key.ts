/** Where detector settings lie in a model's metadata. */
export const detectorKey = 'ssd-prune.detector';
