import { renderTable } from '../report/table';
import type { MapSensitivityReport } from './map-report';
import { nearestPoint, workOf } from './sensitivity';

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`.replace('-', '−');

/** What the report says for people: the mAP that is lost behind each layer at the ratios that were asked for. */
export function renderMapSensitivity(report: MapSensitivityReport): string {
  const { layers, ratios, base, images, split, skipped, seconds } = report;
  const rows = layers.map((layer) => [
    layer.name,
    String(layer.channels),
    percent(layer.share),
    ...ratios.map((ratio) => {
      // Where the whole layer is nearest there is nothing to lose.
      const whole = { kept: layer.channels, relativeLoss: 0 };
      const { kept, relativeLoss } = nearestPoint({ ...layer, points: [whole, ...layer.points] }, ratio)!;
      return kept === layer.channels ? '–' : `${kept}: ${percent(relativeLoss)}`;
    }),
  ]);
  const head = ratios.map((ratio) => `−${+(100 * ratio).toFixed(2)} %: loss`);
  const parts = [
    renderTable(['layer', 'channels', `share of ${workOf(report)}`, ...head], rows, 1),
    `loss: share of the whole model’s mAP, ${base.toFixed(4)}, each layer cut alone to the width before it`,
  ];
  if (skipped.length > 0) {
    parts.push(`left as they are:\n${skipped.map(({ name, reason }) => `  ${name}: ${reason}`).join('\n')}`);
  }
  const points = layers.flatMap((layer) => layer.points);
  const imported = points.filter((point) => point.imported).length;
  const given = imported > 0 ? `, ${imported} of them from ${report.importedFrom}` : '';
  parts.push(`${points.length} points${given}, on ${images} pictures of ${split} each, in ${seconds.toFixed(2)} s`);
  return parts.join('\n');
}
