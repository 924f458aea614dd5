import type { LatencyReport } from '../../lib/latency/report';
import { renderLatency } from '../../lib/latency/table';

test('one of a kind is not several', () => {
  const time = { minMilliseconds: 2, medianMilliseconds: 2 };
  const report = {
    ...{ target: { share: 0.5, milliseconds: null }, before: time, after: time, share: 0.5, standardError: 0 },
    ...{ kernelShare: 0.5, reached: true, runs: 1, threads: 1, runtime: '1', machine: { cpu: 'one', cores: 1 } },
    table: { predictedShare: 0.5, models: 1, cached: false },
    iterations: [{}],
  } as unknown as LatencyReport;
  const text = renderLatency(report);
  expect(text).toContain('1 width tried, the table of layers foretold 50.0 % (1 model timed); 1 run each');
  expect(renderLatency({ ...report, iterations: [...report.iterations, ...report.iterations] })).toContain('2 widths');
});
