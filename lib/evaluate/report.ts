import { renderTable } from '../report/table';
import type { ClassResult, EvalResult } from './mean-ap';

/** `ssd-prune.eval/1`, what `eval --json` and `score --json` print. */
export interface EvalReport extends EvalResult {
  schema: 'ssd-prune.eval/1';
  /** Path of the model; `null` where saved detections were scored. */
  model: string | null;
  /** Path of the detections that were scored or saved. */
  detections: string | null;
  device: string | null;
  imagesPerSecond: number | null;
}

/** The report of a result; what ran is `null` where nothing ran. */
export function evalReport(
  result: EvalResult,
  run: Partial<Pick<EvalReport, 'model' | 'detections' | 'device' | 'imagesPerSecond'>>,
): EvalReport {
  const { model = null, detections = null, device = null, imagesPerSecond = null } = run;
  return { schema: 'ssd-prune.eval/1', model, detections, ...result, device, imagesPerSecond };
}

const share = (value: number | null): string => (value === null ? '–' : value.toFixed(4));

/** The report as a table for people, the means below it. */
export function renderEvalReport(report: EvalReport): string {
  const rows = report.classes.map(({ name, ap, positives, detections }: ClassResult) => [
    name,
    share(ap),
    positives.toLocaleString('en'),
    detections.toLocaleString('en'),
  ]);
  const table = renderTable(['class', 'AP', 'positives', 'detections'], rows, 1);
  const between = (interval: [number, number] | null | undefined): string =>
    interval ? `  (95 %: ${share(interval[0])} to ${share(interval[1])})` : '';
  const rules = report.coco
    ? 'overlap 0.50:0.95'
    : `${report.apVersion}, overlap ${report.overlapThreshold}${report.evaluateDifficult ? ', difficult counted' : ''}`;
  const { meanOver20, bootstrap } = report;
  const lines = [table, `mAP ${share(report.map)}${between(bootstrap?.map)}  ${report.protocol}, ${rules}`];
  lines.push(
    `mean of the ${meanOver20.classes} ${meanOver20.classes === 1 ? 'class' : 'classes'} with at least 20 positives ${share(meanOver20.map)}${between(bootstrap?.meanOver20)}`,
  );
  if (report.coco) {
    const numbers = Object.entries(report.coco).map(([name, value]) => `${name} ${share(value)}`);
    lines.push(numbers.slice(0, 6).join('  '), numbers.slice(6).join('  '));
  }
  const speed = report.imagesPerSecond === null ? '' : `, ${report.imagesPerSecond.toFixed(1)} a second`;
  lines.push(`${report.images} pictures${speed}${report.device === null ? '' : ` on ${report.device}`}`);
  return lines.join('\n');
}
