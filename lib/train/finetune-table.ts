import { counted } from '../counted';
import type { FinetuneReport } from './finetune-file';

/** The report as lines for people. */
export function renderFinetuneReport(report: FinetuneReport): string {
  const { data, evaluations, best, kept, recipe } = report;
  const lines = evaluations.map(({ step, epoch, map }) => {
    const what = step === 0 ? 'start' : `epoch ${Number(epoch.toFixed(2))}`;
    return `${what.padEnd(12)} mAP ${map.toFixed(4)}${step === best?.step ? '  best' : ''}`;
  });
  const by = recipe.labels === 'none' ? "by the teacher's own detections " : '';
  if (evaluations.length > 0)
    lines.push(`${by}on ${counted(data.heldBack, 'held-back picture')} of ${data.split ?? data.folder}`);
  const speed = report.imagesPerSecond > 0 ? `, ${report.imagesPerSecond.toFixed(1)} images/s` : '';
  lines.push(`${report.step} of ${recipe.steps} steps of ${recipe.batchSize} of ${data.trained} pictures${speed}`);
  if (report.output !== null) {
    const which = {
      start: 'the weights it began with',
      best: `the weights of step ${best?.step}`,
      last: 'the weights after the last step',
    };
    lines.push(`${report.output} holds ${which[kept ?? 'last']}`);
  } else {
    lines.push(`not finished: go on from ${report.state} with --resume`);
  }
  return lines.join('\n');
}
