import type * as PlotLibrary from '@observablehq/plot' with { 'resolution-mode': 'import' };
import { drawSvg } from '../svg';
import { plain } from './format';
import { type Html, html, trusted } from './html';
import { details, table } from './table';

export interface ChartPoint {
  x: number;
  y: number;
  /** What it is of, for the table of numbers: there may be several at one place. */
  what?: string | undefined;
}

export interface ChartSeries {
  name: string;
  points: readonly ChartPoint[];
  /** Mark each point. */
  dots?: boolean;
}

export interface ChartOptions {
  title: string;
  /** What the axes are of. */
  x: string;
  y: string;
  series: readonly ChartSeries[];
  /** Upright lines: something happened there. */
  marks?: readonly { x: number; label: string }[];
  /** How values are written in the table of numbers. Defaults to four digits. */
  format?: (value: number) => string;
}

const size = { width: 480, height: 270 };
const dashes = [undefined, '6 3', '2 2', '9 3 2 3', '12 4'];

/**
 * A figure with lines over a common axis, drawn in the colours of the page, its legend, and its numbers as a table. Empty
 * where no series has a point.
 */
export function lineChart({ title, x, y, series, marks = [], format = plain }: ChartOptions): Html | undefined {
  const shown = series
    .map((one) => ({ ...one, points: one.points.filter((point) => Number.isFinite(point.y)) }))
    .filter(({ points }) => points.length > 0);
  if (shown.length === 0) return undefined;
  const xs = [...shown.flatMap(({ points }) => points.map((point) => point.x)), ...marks.map((mark) => mark.x)];
  const top = Math.max(...shown.flatMap(({ points }) => points.map((point) => point.y)));
  const right = Math.max(...xs);
  const left = Math.min(...xs);
  const { ruleX, ruleY, text, line, dot, gridY } =
    // Loaded here, once there is something to draw.
    require('@observablehq/plot') as typeof PlotLibrary;
  const svg = drawSvg({
    ...size,
    ...{ marginLeft: 60, marginRight: 14, marginTop: 26, marginBottom: 38, style: 'font-size: 13px' },
    x: {
      domain: [left, right > left ? right : left + 1],
      label: x,
      labelAnchor: 'center',
      labelArrow: 'none',
      ticks: 6,
    },
    y: { domain: [0, top > 0 ? top * 1.05 : 1], label: y, labelArrow: 'none', ticks: 5 },
    marks: [
      gridY({ ticks: 5 }),
      ruleY([0], { strokeOpacity: 0.5 }),
      ruleX(marks, { x: 'x', stroke: 'var(--muted)', strokeDasharray: '3 3', title: 'label', className: 'marks' }),
      text(marks, {
        ...{ x: 'x', text: 'label', frameAnchor: 'top', rotate: -90, dx: 4, dy: 2, fontSize: 11.5 },
        ...{ textAnchor: 'end', lineAnchor: 'top', fill: 'var(--muted)', stroke: 'var(--sheet)', strokeWidth: 3 },
      }),
      ...shown.map(({ points }, i) =>
        line(points, { x: 'x', y: 'y', strokeWidth: 1.8, ...styleOf(i), className: 'line' }),
      ),
      ...shown.flatMap(({ points, dots, name }, i) =>
        dots || points.length === 1
          ? dot(points, {
              ...{ x: 'x', y: 'y', r: 3, fill: styleOf(i).stroke, className: 'dots' },
              title: (point: ChartPoint) => `${name}: ${format(point.y)} at ${plain(point.x)}`,
            })
          : [],
      ),
    ],
  });
  const label = `${title}. ${shown.map((one) => summary(one, format)).join('; ')}`;
  return html`<figure class="card"><figcaption>${title}</figcaption>
<ul class="legend">${shown.map(({ name }, i) => html`<li>${swatch(i)}${name}</li>`)}</ul>
<div role="img" aria-label="${label}">${trusted(svg.replace('<svg ', '<svg aria-hidden="true" '))}</div>
${numbers(title, x, shown, format)}</figure>`;
}

const styleOf = (i: number) => {
  const dash = dashes[i % dashes.length];
  return { stroke: `var(--hue${(i % 5) + 1})`, ...(dash !== undefined && { strokeDasharray: dash }) };
};

function swatch(i: number): Html {
  const { stroke, strokeDasharray = 'none' } = styleOf(i) as { stroke: string; strokeDasharray?: string };
  return html`<svg viewBox="0 0 22 10" aria-hidden="true"><line x1="0" y1="5" x2="22" y2="5" stroke="${stroke}" stroke-width="2.5" stroke-dasharray="${strokeDasharray}"/></svg>`;
}

const summary = ({ name, points }: ChartSeries, format: (value: number) => string): string =>
  `${name} from ${format(points[0]!.y)} to ${format(points.at(-1)!.y)}`;

/** Rows of the table of numbers, at most; curves with more points are thinned there. */
const mostRows = 60;

function numbers(title: string, x: string, series: readonly ChartSeries[], format: (value: number) => string): Html {
  const told = series.some(({ points }) => points.some(({ what }) => what !== undefined));
  const columns = [
    { name: x },
    ...(told ? [{ name: 'of' }] : []),
    ...series.map(({ name }) => ({ name, number: true })),
  ];
  const longest = Math.max(...series.map(({ points }) => points.length));
  const every = Math.ceil(longest / mostRows);
  // Points of several series at the same place, in the same turn, share a row.
  const merged = new Map<string, { x: number; what: string; cells: string[] }>();
  series.forEach(({ points }, column) => {
    const turns = new Map<number, number>();
    points.forEach((point, i) => {
      const turn = turns.get(point.x) ?? 0;
      turns.set(point.x, turn + 1);
      if (i % every !== 0 && i !== points.length - 1) return;
      const key = `${point.x} ${turn}`;
      const row = merged.get(key) ?? { x: point.x, what: point.what ?? '', cells: series.map(() => '–') };
      row.cells[column] = format(point.y);
      merged.set(key, row);
    });
  });
  const sorted = [...merged.values()].sort((a, b) => a.x - b.x);
  const body = sorted.map(({ x: place, what, cells }) => [plain(place), ...(told ? [what] : []), ...cells]);
  return details(
    'The numbers',
    table(`${title}: numbers${every > 1 ? `, one of ${every} points` : ''}`, columns, body),
  );
}
