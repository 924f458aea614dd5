import { renderTable } from '../report/table';
import type { BenchReport } from './bench';

/** The report as a table for people, what it was measured on below. */
export function renderBenchReport(report: BenchReport): string {
  const { machine, results } = report;
  const head = ['model', 'threads', 'batch', 'min ms', 'median ms', 'images/s', 'min, of first', 'median, of first'];
  const rows = results.map(({ model, threads, batchSize, minMilliseconds, medianMilliseconds, ...rest }) => [
    model,
    threads === 0 ? 'all' : String(threads),
    String(batchSize),
    minMilliseconds.toFixed(2),
    medianMilliseconds.toFixed(2),
    rest.imagesPerSecond.toFixed(1),
    rest.ratio ? rest.ratio.min.toFixed(3) : '–',
    rest.ratio ? rest.ratio.median.toFixed(3) : '–',
  ]);
  const where = report.device === 'cuda' ? `${machine.gpu ?? 'CUDA'}, ${machine.cpu}` : machine.cpu;
  return [
    renderTable(head, rows, 1),
    ...(report.models.length > 1 ? ['of first: the time as a share of the first model’s, below 1 is faster'] : []),
    `${report.runs} runs each after ${report.warmup} to warm up, models taking turns; images/s from the median`,
    `${where}, ${machine.cores} cores, Node ${machine.node}, ONNX Runtime ${report.runtime ?? 'of unknown version'}`,
  ].join('\n');
}
