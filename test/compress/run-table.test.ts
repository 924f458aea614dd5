import type { RunReport } from '../../lib/compress/run-report';
import { renderRunReport } from '../../lib/compress/run-table';

const cut = (strategy: string, epoch: number, step: number) =>
  ({ strategy, epoch, step, report: {} }) as RunReport['cuts'][number];

/** Two cuts, of which each left its own network to be judged. */
const report = {
  ...{ schema: 'ssd-prune.run/1', configuration: 'run.yaml', model: 'in.onnx', output: 'out.onnx', teacher: null },
  data: { folder: 'voc', train: 'train', trained: 32, heldBack: 8, leftOut: 0, evaluation: 'val', evaluated: 12 },
  ...{ epochs: 3, steps: 24, warnings: [], resumed: null },
  cuts: [cut('first', 0, 0), cut('second', 1, 8)],
  metrics: [
    { stage: 'start', epoch: 0, step: 0, map: 0.5, meanOver20: null },
    { stage: 'cut', epoch: 0, step: 0, map: 0.1, meanOver20: null },
    { stage: 'cut', epoch: 1, step: 8, map: 0.01, meanOver20: null },
    { stage: 'epoch', epoch: 3, step: 24, map: 0.02, meanOver20: null },
  ],
  heldBack: [
    { step: 8, epoch: 1, map: 0.125 },
    { step: 16, epoch: 2, map: 0.3423 },
    { step: 24, epoch: 3, map: 0.25 },
  ],
  kept: 'best',
  keptAt: { step: 16, epoch: 2, map: 0.3423 },
  macs: { before: 2000, after: 1000, cut: 0.5 },
  parameters: { before: 100, after: 50, cut: 0.5 },
  map: 0.02,
  shapes: [],
  seconds: 75,
} as unknown as RunReport;

test('rows of cuts say whose they are', () => {
  const { metrics, cuts } = report;
  const atOnce = { metrics: metrics.slice(0, 3).map((metric) => ({ ...metric, step: 0 })), cuts };
  const rows = renderRunReport({ ...report, ...atOnce }).match(/(?<=│ )cut[^│]*\d/g);
  expect(rows).toEqual(['cut by first at step 0', 'cut by second at step 0']);
});

test('warnings of the run are told again above it', () => {
  const lines = renderRunReport({ ...report, warnings: ['first', 'second'] }).split('\n');
  expect(lines.slice(-3, -1)).toEqual(['warning: first', 'warning: second']);
});

const lastLine = (more: object): string =>
  renderRunReport({ ...report, ...more })
    .split('\n')
    .at(-1)!;

describe('the last line says which weights were written, and of which pictures each mAP is', () => {
  test.each<[string, object, string]>([
    ['the best ones', {}, 'the weights of epoch 2 (best on the pictures held back: 0.3423); mAP 0.0200 on val; 75 s'],
    [
      'the best ones, nothing evaluated',
      { data: { ...report.data, evaluation: null }, map: null, metrics: [] },
      'the weights of epoch 2 (best on the pictures held back: 0.3423); 75 s',
    ],
    [
      'those behind the last cut',
      { keptAt: { step: 8, epoch: 1, map: 0.125 } },
      'the weights that the last cut left (best on the pictures held back: 0.1250); mAP 0.0200 on val; 75 s',
    ],
    [
      'those of the model, nothing cut',
      { keptAt: { step: 0, epoch: 0, map: 0.5 }, cuts: [] },
      'the weights it began with (best on the pictures held back: 0.5000); mAP 0.0200 on val; 75 s',
    ],
    [
      'the last ones',
      { kept: 'last', keptAt: { step: 24, epoch: 3, map: 0.25 } },
      'the weights of the last step (on the pictures held back: 0.2500); mAP 0.0200 on val; 75 s',
    ],
    [
      'the last ones, nothing held back',
      { kept: 'last', keptAt: null },
      'the weights of the last step; mAP 0.0200 on val; 75 s',
    ],
  ])('%s', (_, more, holds) => {
    expect(lastLine(more)).toBe(`out.onnx holds ${holds} in all`);
  });
});
