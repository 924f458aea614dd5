import { counted } from '../counted';
import { renderTable } from '../report/table';
import type { LatencyReport } from './report';

/** What the smaller model takes, how certain that is, and what it was measured on. */
export function renderLatency(report: LatencyReport): string {
  const { target, before, after, share, standardError, machine, table, threads } = report;
  const percent = (value: number, digits = 1): string => `${(100 * value).toFixed(digits)} %`;
  const row = (name: string, key: 'minMilliseconds' | 'medianMilliseconds'): string[] => [
    name,
    before[key].toFixed(2),
    after[key].toFixed(2),
    percent(after[key] / before[key]),
  ];
  const asked =
    target.milliseconds === null ? percent(target.share) : `${target.milliseconds} ms (${percent(target.share)})`;
  const certain = `${percent(share)} ± ${percent(2 * standardError)} (kernels alone ${percent(report.kernelShare)})`;
  return [
    renderTable(
      ['latency, ms', 'before', 'after', 'share'],
      [row('median', 'medianMilliseconds'), row('least', 'minMilliseconds')],
      1,
    ),
    `asked for ${asked}, measured ${certain}${report.reached ? '' : '; that is more than 3 % off: try again when the machine is less busy'}`,
    `${counted(report.iterations.length, 'width')} tried, the table of layers foretold ${percent(table.predictedShare)} (${table.cached ? 'kept from an earlier run' : `${counted(table.models, 'model')} timed`}); ${counted(report.runs, 'run')} each, taking turns, ${threads === 0 ? 'all' : threads} thread${threads === 1 ? '' : 's'}, batch 1`,
    `${machine.cpu}, ${machine.cores} cores, ONNX Runtime ${report.runtime ?? 'of unknown version'}`,
  ].join('\n');
}
