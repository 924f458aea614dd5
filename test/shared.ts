import path from 'node:path';

/** The folder of shared models and pictures, which may not be there: tests that need it skip visibly. */
export const shared = process.env.SSD_PRUNE_SHARED ?? path.resolve(__dirname, '..', '..', 'shared');
