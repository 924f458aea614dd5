const { availableParallelism } = require('node:os');

module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  // Not among temporary files, which scripts/test.js removes.
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
  testTimeout: 120_000,
  // Jest's own rule, a worker less than cores, leaves the second of two cores idle while a test waits for a command.
  maxWorkers: Math.max(2, availableParallelism() >> 1),
};
