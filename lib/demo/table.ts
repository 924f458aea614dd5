import { renderTable } from '../report/table';
import type { DemoModel, DemoReport } from './demo';

/** The demo's models side by side, and what to look at and to type next. */
export function renderDemoReport(report: DemoReport): string {
  const { models, pictures, commands, machine, scenes } = report;
  const original = models[0]!;
  const threads = original.latency.map(({ threads: count }) => `${count} thread${count === 1 ? '' : 's'} ms`);
  const head = ['model', 'MACs', 'parameters', 'file', 'mAP', ...threads];
  const rows = models.map((model) => [
    model.name,
    `${(model.macs / 1e6).toFixed(1)} M${change(model.macs, original.macs)}`,
    `${(model.parameters / 1e6).toFixed(2)} M${change(model.parameters, original.parameters)}`,
    `${(model.bytes / 2 ** 20).toFixed(1)} MiB`,
    model.map.toFixed(3),
    ...model.latency.map((latency, i) => milliseconds(latency, original.latency[i]!)),
  ]);
  const widths = report.layers.map(({ name, channels, cut, calibrated }) => [
    name,
    ...[channels, cut, calibrated].map(String),
  ]);
  return [
    renderTable(['layer', 'channels', 'cut', 'calibrated'], widths, 1),
    renderTable(head, rows, 1),
    `mAP by the VOC devkit's rules on ${scenes.val} scenes that no model has seen; latency at batch 1, median of runs in turns`,
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ONNX Runtime ${report.runtime ?? 'of unknown version'}; ${report.seconds.toFixed(0)} s in all`,
    '',
    'Boxes on one scene, before and after:',
    ...pictures.map((file) => `  ${file}`),
    '',
    'The same step by step:',
    ...commands.map((command) => `  ${command}`),
  ].join('\n');
}

const change = (value: number, before: number): string =>
  value === before ? '' : ` (−${Math.round(100 * (1 - value / before))} %)`;

function milliseconds({ medianMilliseconds: own }: DemoModel['latency'][number], before: DemoModel['latency'][number]) {
  const share = own / before.medianMilliseconds - 1;
  const sign = share < 0 ? '−' : '+';
  return share === 0 ? own.toFixed(2) : `${own.toFixed(2)} (${sign}${Math.abs(100 * share).toFixed(0)} %)`;
}
