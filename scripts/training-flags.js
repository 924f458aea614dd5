const { parseArgs } = require('node:util');

/**
 * What the benchmarks of training are told: a model, pictures, and how long.
 * @param small steps of a run for CI
 */
function trainingFlags(small) {
  const { values: flags, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      small: { type: 'boolean', default: false },
      detector: { type: 'string' },
      data: { type: 'string' },
      split: { type: 'string', default: 'train' },
      steps: { type: 'string' },
      batch: { type: 'string', default: '8' },
    },
  });
  const steps = Number(flags.steps ?? (flags.small ? small : 1000));
  return { flags, file: positionals[0], steps, batchSize: Number(flags.batch) };
}

module.exports = { trainingFlags };
