import type * as PlotLibrary from '@observablehq/plot' with { 'resolution-mode': 'import' };
import { drawSvg } from '../report/svg';
import { type ChartLine, type ChartPoint, type CurveChart, chartOf, type DrawnReport, percent } from './curve-charts';

/** Hues, and the patterns that tell layers of the same hue apart. */
const hues = [
  '#4269d0',
  '#e8590c',
  '#2f9e44',
  '#d6336c',
  '#7048e8',
  '#0c8599',
  '#a8650c',
  '#e64980',
  '#66a80f',
  '#495057',
];
const dashes = [undefined, '7 3', '2 2.5', '9 3 2 3', '14 4', '4 2 1 2'];

/** Pixels: the axes, and the list of layers to the right of them. */
const frame = { left: 58, top: 76, width: 620, height: 470, bottom: 44 };
const list = { left: 704, row: 15, swatch: 33, letter: 7, value: 52, gap: 26 };
const rows = Math.floor((frame.height + frame.bottom) / list.row);
const longestName = 27;
const grey = '#57606a';

type Plot = typeof PlotLibrary;

/**
 * The curves as an SVG document: channels kept against what is lost, the error of the layers that read them or mAP, one
 * line a layer, with a dot at the width that a target chose, or at every width that was evaluated. The axis of losses has
 * square root spacing, so that the first per mille and the last half can both be read. With a target the axes end a
 * little behind the narrowest layer.
 */
export function drawCurves(report: DrawnReport): string {
  // Loaded here, with the two hundred milliseconds that it takes, once there is something to draw.
  const plot = require('@observablehq/plot') as Plot;
  const chart = chartOf(report);
  const { lines } = chart;
  const narrowest = narrowestShown(chart);
  const shown = lines.flatMap(({ points }) => points.filter((point) => keptShare(point) >= narrowest - 0.05));
  const largest = Math.max(1e-4, ...shown.map(({ lost }) => lost));
  const ticks = { x: shares.filter((share) => share >= narrowest), y: lossTicks(largest) };
  const width = list.left + Math.max(1, Math.ceil(lines.length / rows)) * columnOf(lines);
  const svg = drawSvg(
    {
      width,
      height: frame.top + frame.height + frame.bottom,
      marginLeft: frame.left,
      marginTop: frame.top,
      marginRight: width - frame.left - frame.width,
      marginBottom: frame.bottom,
      x: { domain: [1, narrowest] },
      y: { type: 'sqrt', domain: [0, largest] },
      style: 'font-size: 11px',
      marks: [
        plot.gridX({ ticks: ticks.x }),
        plot.gridY({ ticks: ticks.y }),
        plot.axisX({ ticks: ticks.x, tickFormat: percent, label: null }),
        plot.axisY({ ticks: ticks.y, tickFormat: percent, label: null }),
        word(plot, chart.title, 12, 17, { fontSize: 16, fontWeight: 600 }),
        word(plot, chart.subtitle, 12, 37, { fill: grey }),
        word(plot, chart.unit, 12, frame.top - 20),
        word(plot, 'channels kept', frame.left + frame.width / 2, frame.top + frame.height + 36, {
          textAnchor: 'middle',
        }),
        curves(plot, lines),
        names(plot, chart),
      ],
    },
    { paper: 'white' },
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${svg}\n`;
}

/** Lines, and on top of them all the dots. */
function curves(plot: Plot, shown: readonly ChartLine[]): PlotLibrary.Markish[] {
  const places = { x: keptShare, y: 'lost', clip: true } as const;
  const lines = shown.map(({ points, name }, i) =>
    plot.line(points, { ...places, strokeWidth: 1.6, title: () => name, ...styleOf(i) }),
  );
  const dots = shown.flatMap(({ dots, name }, i) => {
    if (dots.length === 0) return [];
    const title = ({ kept }: ChartPoint): string => `${name}: ${kept}`;
    return plot.dot(dots, { x: keptShare, y: 'lost', r: 4.5, fill: styleOf(i).stroke, stroke: 'white', title });
  });
  return [...lines, ...dots];
}

/** Which line is which layer, with the number that its share is. */
function names(plot: Plot, { lines, shareOf }: CurveChart): PlotLibrary.Markish[] {
  return lines.flatMap(({ name, share, bold }, i) => {
    const x = list.left + Math.floor(i / rows) * columnOf(lines);
    const y = frame.top + (i % rows) * list.row;
    const right = x + columnOf(lines) - list.gap;
    const weight = bold ? { fontWeight: 700 } : {};
    const line = { x1: pixels(x), x2: pixels(x + list.swatch - 7), y1: pixels(y), y2: pixels(y), strokeWidth: 2 };
    const entry = [
      plot.link([0], { ...line, ...styleOf(i) }),
      word(plot, shorten(name), x + list.swatch, y, { title: [name], ...weight }),
      word(plot, share === null ? '–' : `${(100 * share).toFixed(1)} %`, right, y, { textAnchor: 'end', ...weight }),
    ];
    if (i % rows === 0) entry.push(word(plot, shareOf, right, frame.top - 20, { textAnchor: 'end', fill: grey }));
    return entry;
  });
}

/** A word at a place in pixels instead of one on the axes. */
const word = (plot: Plot, text: string, x: number, y: number, style: PlotLibrary.TextOptions = {}) =>
  plot.text([text], { text: [text], x: pixels(x), y: pixels(y), textAnchor: 'start', ...style });

const pixels = (value: number) => ({ value: [value], scale: null });

/** Width of a column of the list. */
const columnOf = (lines: readonly ChartLine[]): number =>
  list.swatch + Math.max(0, ...lines.map(({ name }) => shorten(name).length)) * list.letter + list.value + list.gap;

function styleOf(layer: number) {
  const dash = dashes[Math.floor(layer / hues.length) % dashes.length];
  return { stroke: hues[layer % hues.length]!, ...(dash !== undefined && { strokeDasharray: dash }) };
}

const shares = [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0];
const keptShare = ({ ratio }: Pick<ChartPoint, 'ratio'>): number => 1 - ratio;

/** Where the axis of channels ends: a fifth of them behind the narrowest layer of a target. */
function narrowestShown({ narrowest = 0 }: CurveChart): number {
  return shares.find((share) => share <= narrowest - 0.2) ?? 0;
}

/** Zero, and 1, 2, 5 · 10ⁿ over the two decades up to the largest. */
function lossTicks(largest: number): number[] {
  const ticks = [0];
  for (let n = Math.floor(Math.log10(largest)) - 2; n <= 0; n++) {
    for (const digit of [1, 2, 5]) ticks.push(digit * 10 ** n);
  }
  return ticks.filter((tick) => tick === 0 || (tick >= largest / 200 && tick <= largest));
}

/** The end of a long name says most. */
const shorten = (name: string): string =>
  name.length > longestName ? `…${name.slice(1 - longestName).replace(/^\W+/, '')}` : name;
