import { renderTable } from '../report/table';
import {
  type LayerSensitivity,
  nearestPoint,
  type SensitivityReport,
  sensitivityRatios,
  workOf,
  worstFirst,
} from './sensitivity';

const percent = (share: number | null): string => (share === null ? '–' : `${(100 * share).toFixed(2)} %`);

/** What the report says for people: the error of each layer, and where it hurts. */
export function renderSensitivityReport(report: SensitivityReport): string {
  const { layers, skipped, images, seconds } = report;
  const parts = report.targetRatio === null ? cutParts(report) : targetParts(report, report.targetRatio);
  const reasons = layers.flatMap(({ name, reason }) => (reason === undefined ? [] : [`  ${name}: ${reason}`]));
  if (reasons.length > 0) parts.push(`not measured, or not all of its readers:\n${reasons.join('\n')}`);
  if (skipped.length > 0) {
    parts.push(`left as they are:\n${skipped.map(({ name, reason }) => `  ${name}: ${reason}`).join('\n')}`);
  }
  parts.push(`measured on ${images} pictures in ${seconds.toFixed(2)} s`);
  return parts.join('\n');
}

const unit =
  'error: share of their output’s variance that the readers miss when refitted (the mean of them), each layer cut alone';

/** Without a target: each layer at the same shares of its channels. */
function cutParts(report: SensitivityReport): string[] {
  const { layers } = report;
  const rows = layers.map((layer) => [
    layer.name,
    String(layer.readers.length),
    String(layer.channels),
    percent(layer.share),
    ...sensitivityRatios.map((ratio) => {
      const point = nearestPoint(layer, ratio);
      return point ? `${point.kept}: ${percent(point.errorKept)}` : '–';
    }),
  ]);
  const head = sensitivityRatios.map((ratio) => `−${100 * ratio} %: error`);
  return [renderTable(['layer', 'readers', 'channels', `share of ${workOf(report)}`, ...head], rows, 1), unit];
}

/** With a target: each layer at the width that the target gives it, and a table of those that lose most. */
function targetParts(report: SensitivityReport, target: number): string[] {
  const { layers, cut } = report;
  const work = workOf(report);
  const rows = layers.map(({ name, readers, channels, share, chosen }) => [
    name,
    String(readers.length),
    String(channels),
    String(chosen!.kept),
    percent(chosen!.ratio),
    percent(share),
    percent(chosen!.saved),
    percent(chosen!.errorKept),
  ]);
  const parts = [
    renderTable(['layer', 'readers', 'channels', 'keeps', 'cut', `share of ${work}`, 'saved alone', 'error'], rows, 1),
    unit,
    `together these widths save ${percent(cut)} of ${work}`,
  ];
  const worst = worstFirst(layers).slice(0, 5);
  if (worst.length > 0) {
    const title = `−${+(100 * target).toFixed(2)} % hurts most behind`;
    parts.push(renderTable([title, 'of all error', 'error', `error a % of ${work}`], worst.map(worstRow), 1));
  }
  return parts;
}

const worstRow = ({ name, chosen }: LayerSensitivity): string[] => [
  name,
  percent(chosen!.errorShare),
  percent(chosen!.errorKept),
  percent(chosen!.price === null ? null : chosen!.price / 100),
];
