import {
  groupParameters,
  nativeOptimizer,
  type OptimizerSettings,
  paddleGroups,
  paddleOptimizer,
  type TrainedParameter,
} from '../../lib/train/optimizer';

test('settings in the terms of the addon', () => {
  const rest = { matrixMomentum: 0, average: false };
  expect(nativeOptimizer({ rule: 'sgd' })).toEqual({ rule: 0, momentum: 0.9, decay: 0, epsilon: 0, ...rest });
  expect(nativeOptimizer({ rule: 'sgd', momentum: 0.8, nesterov: true, average: 0.99 })).toEqual({
    ...{ rule: 1, momentum: 0.8, decay: 0, epsilon: 0, matrixMomentum: 0 },
    average: true,
  });
  expect(nativeOptimizer(paddleOptimizer)).toEqual({ rule: 2, momentum: 0, decay: 0.95, epsilon: 1e-6, ...rest });
  const muon = { rule: 4, momentum: 0.9, decay: 0.999, epsilon: 1e-8, ...rest, matrixMomentum: 0.95 };
  expect(nativeOptimizer({ rule: 'muon' })).toEqual(muon);
  expect(nativeOptimizer({ rule: 'adamw' })).toEqual({ rule: 3, momentum: 0.9, decay: 0.999, epsilon: 1e-8, ...rest });
});

test.each<[string, OptimizerSettings]>([
  ['momentum', { rule: 'sgd', momentum: 1 }],
  ['rho', { rule: 'rmsprop', rho: -0.1 }],
  ['epsilon', { rule: 'rmsprop', epsilon: 0 }],
  ['beta2', { rule: 'adamw', beta2: Number.NaN }],
  ['momentum', { rule: 'muon', momentum: 1 }],
  ['beta1', { rule: 'muon', beta1: -1 }],
  ['average', { rule: 'adamw', average: 1 }],
  ['maxNorm', { rule: 'sgd', maxNorm: 0 }],
  ['rule', { rule: 'adam' } as never],
])('%s that makes no sense is refused', (name, settings) => {
  const refused = { code: 'ERR_USAGE', message: expect.stringContaining(`for ${name} `) };
  expect(() => nativeOptimizer(settings)).toThrow(expect.objectContaining(refused));
});

const parameters: TrainedParameter[] = [
  { name: 'conv2d_1.w_0', role: 'weight', head: false },
  { name: 'conv2d_10.w_0', role: 'weight', head: false },
  { name: 'batch_norm_0.w_0', role: 'scale', head: false },
  { name: 'batch_norm_0.w_1', role: 'statistic', head: false },
  { name: 'conv2d_22.w_0', role: 'weight', head: true },
  { name: 'conv2d_22.b_0', role: 'bias', head: true },
  { name: 'factor', role: 'constant', head: false },
];

test("Paddle's groups: filters outside the heads at a tenth, decay on all that is trained", () => {
  const groups = groupParameters(parameters, paddleGroups);
  expect(groups.map(({ multiplier }) => multiplier)).toEqual([0.1, 0.1, 1, 0, 1, 1, 0]);
  expect(groups.map(({ weightDecay }) => weightDecay)).toEqual([5e-5, 5e-5, 5e-5, 0, 5e-5, 5e-5, 0]);
  expect(groups.map(({ head }) => head)).toEqual([false, false, false, false, true, true, false]);
});

test('by default only filters decay; rates go by whole names', () => {
  const rates = [
    { pattern: 'conv2d_1|conv2d_1.w_0', multiplier: 0 },
    { pattern: 'conv2d_.*', multiplier: 0.5 },
  ];
  const groups = groupParameters(parameters, { rates });
  expect(groups.map(({ multiplier }) => multiplier)).toEqual([0, 0.5, 1, 0, 0.5, 0.5, 0]);
  expect(groups.map(({ weightDecay }) => weightDecay)).toEqual([5e-4, 5e-4, 0, 0, 5e-4, 0, 0]);
});

test('negative rates and decays are refused', () => {
  expect(() => groupParameters([], { weightDecay: -1 })).toThrow(/weightDecay/);
  expect(() => groupParameters([], { rates: [{ pattern: 'x', multiplier: -1 }] })).toThrow(/rate of x/);
});
