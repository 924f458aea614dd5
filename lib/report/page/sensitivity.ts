import type { CurvesPart, SensitivityPart } from './document';
import { duration, percent, whole } from './format';
import { type Html, html, trusted } from './html';
import { factTable, table } from './table';

const share = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : percent(value, 2);

/** The drawn curves of a report. */
export function curvesFigure(report: CurvesPart, label: string): Html {
  const { drawCurves } = require('../../sensitivity/curve-plot') as typeof import('../../sensitivity/curve-plot');
  const svg = drawCurves(report).replace(/^<\?xml[^>]*>\s*/, '');
  return html`<figure class="card sensitivity"><div class="wide" tabindex="0" role="img" aria-label="${label}">${trusted(svg)}</div></figure>`;
}

/** What a report counts work in. */
export const workIn = ({ count }: CurvesPart): string => (count === 'macs' ? 'MACs' : 'Paddle 1.x FLOPs');

/** The curves, what each layer loses, and what was measured. */
export function sensitivitySection(report: SensitivityPart): Html {
  const { layers, targetRatio } = report;
  const work = workIn(report);
  const label =
    'Channels kept against the error of the layers that read them, a curve a layer; the table has the numbers.';
  const ratios = [0.25, 0.5, 0.75];
  const blind = layers.some(({ reason }) => reason !== undefined);
  const rows = layers.map(({ name, channels, share: own, cuts, chosen, reason }) => [
    name,
    whole(channels),
    share(own),
    ...ratios.map((ratio) => {
      const near = cuts.toSorted((a, b) => Math.abs(a.ratio - ratio) - Math.abs(b.ratio - ratio))[0];
      return near ? `${near.kept}: ${share(near.errorKept)}` : '–';
    }),
    ...(targetRatio === null ? [] : [chosen ? whole(chosen.kept) : '–', share(chosen?.errorKept)]),
    ...(blind ? [reason ?? ''] : []),
  ]);
  const number = (name: string) => ({ name, number: true });
  const columns = [
    { name: 'Layer' },
    ...[number('Channels'), number(`Share of ${work}`)],
    ...ratios.map((ratio) => number(`−${percent(ratio, 0)}: error`)),
    ...(targetRatio === null ? [] : [number('Chosen'), number('Error')]),
    ...(blind ? [{ name: 'Not measured' }] : []),
  ];
  return html`${curvesFigure(report, label)}
${table('Error: share of their output’s variance that readers miss when refitted, each layer cut alone', columns, rows)}
${factTable('What was measured', [
  ['Model', report.model],
  ['Parameters selected by', report.prunedParams],
  ['Pictures', `${report.images} of ${report.pictures}${report.split === null ? '' : `, ${report.split}`}`],
  ['Target', targetRatio === null ? null : `−${percent(targetRatio)} of ${work}`],
  ['Together the chosen widths save', report.cut === null ? null : share(report.cut)],
  ['Left as they are', report.skipped.map(({ name, reason }) => `${name}: ${reason}`).join('; ')],
  ['Time', duration(report.seconds)],
])}`;
}
