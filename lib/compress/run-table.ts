import type { CountChange } from '../prune/report';
import { renderTable } from '../report/table';
import type { Metric } from './metric';
import type { RunReport } from './run-report';

const shape = (dims: readonly number[] | null): string => (dims ? `(${dims.join(', ')})` : '–');
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const score = (value: number | null): string => (value === null ? '–' : value.toFixed(4));

/** The report for people: every parameter's shape, what went, and what it was worth. */
export function renderRunReport(report: RunReport): string {
  const shapes = report.shapes.map(({ name, before, after }) => {
    const same = String(before) === String(after);
    return [name, shape(before), same ? 'the same' : shape(after)];
  });
  const parts = [renderTable(['parameter', 'before', 'after'], shapes, 1)];
  if (report.metrics.length > 0) {
    const rows = report.metrics.map((metric) => [when(metric), score(metric.map), score(metric.meanOver20)]);
    parts.push(renderTable([`on ${report.data.evaluation}`, 'mAP', 'classes with 20 objects'], rows, 1));
  }
  const count = (name: string, { before, after, cut }: CountChange): string[] => [
    name,
    before.toLocaleString('en'),
    after.toLocaleString('en'),
    percent(cut),
  ];
  const totals = [count('MACs', report.macs), count('parameters', report.parameters)];
  parts.push(renderTable(['total', 'before', 'after', 'cut'], totals, 1));
  const which = report.kept === 'best' ? 'the best weights on the pictures held back' : 'the weights of the last step';
  const worth = report.map === null ? '' : `, mAP ${score(report.map)}`;
  parts.push(`${report.output} holds ${which}${worth}; ${report.seconds.toFixed(0)} s in all`);
  return parts.join('\n');
}

function when({ stage, epoch, step }: Metric): string {
  if (stage === 'start') return 'start';
  if (stage === 'cut') return `cut at step ${step}`;
  return `epoch ${epoch}`;
}
