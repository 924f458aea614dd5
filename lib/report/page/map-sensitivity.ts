import type { MapSensitivityPart } from './document';
import { duration, percent, score, whole } from './format';
import { type Html, html } from './html';
import { curvesFigure, workIn } from './sensitivity';
import { factTable, table } from './table';

/** Curves of mAP lost, a row a point, and what was measured. */
export function mapSensitivitySection(report: MapSensitivityPart): Html {
  const work = workIn(report);
  const label = 'Channels kept against the share of mAP that is lost, a curve a layer; the table has the numbers.';
  const rows = report.layers.flatMap(({ name, channels, share, points }) =>
    points.map(({ kept, ratio, map, relativeLoss, saved, imported }) => [
      name,
      `${whole(kept)} of ${whole(channels)}`,
      `−${percent(ratio, 1)}`,
      ...(imported ? ['–'] : [score(map)]),
      percent(relativeLoss, 2),
      percent(share, 2),
      percent(saved, 2),
    ]),
  );
  const number = (name: string) => ({ name, number: true });
  const columns = [
    { name: 'Layer' },
    ...[number('Channels'), number('Gone'), number('mAP'), number('Loss of mAP')],
    ...[number(`Share of ${work}`), number(`${work} saved`)],
  ];
  return html`${curvesFigure(report, label)}
${table('mAP of the model with one layer cut, and the share of the whole model’s mAP that is lost', columns, rows)}
${factTable('What was measured', [
  ['Model', report.model],
  ['mAP of the whole model', score(report.base)],
  ['Parameters selected by', report.prunedParams],
  ['Pictures', `${report.images} of ${report.data}, ${report.split}`],
  ['Points that were not measured are from', report.importedFrom],
  ['Left as they are', report.skipped.map(({ name, reason }) => `${name}: ${reason}`).join('; ')],
  ['Complete', report.complete ? 'yes' : 'not yet'],
  ['Time', duration(report.seconds)],
])}`;
}
