import { percent } from '../percent';
import type { CountChange } from '../prune/report';
import { renderTable } from '../report/table';
import type { Metric } from './metric';
import type { RunReport } from './run-report';

const shape = (dims: readonly number[] | null): string => (dims ? `(${dims.join(', ')})` : '–');
const score = (value: number | null): string => (value === null ? '–' : value.toFixed(4));

/** The report for people: every parameter's shape, what went, and what it was worth. */
export function renderRunReport(report: RunReport): string {
  const shapes = report.shapes.map(({ name, before, after }) => {
    const same = String(before) === String(after);
    return [name, shape(before), same ? 'the same' : shape(after)];
  });
  const parts = [renderTable(['parameter', 'before', 'after'], shapes, 1)];
  if (report.metrics.length > 0) {
    const cuts = report.cuts.values();
    const when = ({ stage, epoch, step }: Metric): string => {
      if (stage === 'start') return 'start';
      // Each cut was measured: two at one step differ by whose they are.
      return stage === 'cut' ? `cut by ${cuts.next().value?.strategy} at step ${step}` : `epoch ${epoch}`;
    };
    const rows = report.metrics.map((metric) => [when(metric), score(metric.map), score(metric.meanOver20)]);
    parts.push(renderTable([`on ${report.data.evaluation}`, 'mAP', 'classes with ≥ 20 objects'], rows, 1));
  }
  const count = (name: string, { before, after, cut }: CountChange): string[] => [
    name,
    before.toLocaleString('en'),
    after.toLocaleString('en'),
    percent(cut),
  ];
  const totals = [count('MACs', report.macs), count('parameters', report.parameters)];
  parts.push(renderTable(['total', 'before', 'after', 'cut'], totals, 1));
  // Hours ago they went by.
  for (const warning of report.warnings) parts.push(`warning: ${warning}`);
  const worth = report.map === null ? '' : `; mAP ${score(report.map)} on ${report.data.evaluation}`;
  parts.push(`${report.output} holds ${keptWeights(report)}${worth}; ${report.seconds.toFixed(0)} s in all`);
  return parts.join('\n');
}

/** Which weights were written, and the mAP that chose them, which is another one than that of the evaluation split. */
function keptWeights({ kept, keptAt, cuts }: RunReport): string {
  const held = keptAt && score(keptAt.map);
  if (kept === 'last') return `the weights of the last step${held ? ` (on the pictures held back: ${held})` : ''}`;
  const { step, epoch } = keptAt!;
  let which = `the weights of epoch ${Number(epoch.toFixed(2))}`;
  if (step === cuts.at(-1)?.step) which = 'the weights that the last cut left';
  else if (step === 0) which = 'the weights it began with';
  return `${which} (best on the pictures held back: ${held})`;
}
