import path from 'node:path';
import type * as PlotLibrary from '@observablehq/plot' with { 'resolution-mode': 'import' };
import { drawSvg } from '../report/svg';
import {
  type LayerSensitivity,
  type SensitivityPoint,
  type SensitivityReport,
  workOf,
  worstFirst,
} from './sensitivity';

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
 * The curves as an SVG document: channels kept against the error of the layers that read them, one line a layer, with a
 * dot at the width that a target chose. The error's axis has square root spacing, so that the first per mille and the
 * last half can both be read. With a target the axes end a little behind the narrowest layer.
 */
export function drawCurves(report: SensitivityReport): string {
  // Loaded here, with the two hundred milliseconds that it takes, once there is something to draw.
  const plot = require('@observablehq/plot') as Plot;
  const layers = report.layers
    .filter(({ points }) => points.length > 0)
    .map((layer) => ({ ...layer, name: readable(layer.name) }));
  const narrowest = narrowestShown(layers);
  const shown = layers.flatMap(({ points }) => points.filter((point) => keptShare(point) >= narrowest - 0.05));
  const largest = Math.max(1e-4, ...shown.map(({ errorKept }) => errorKept));
  const ticks = { x: shares.filter((share) => share >= narrowest), y: errorTicks(largest) };
  const width = list.left + Math.max(1, Math.ceil(layers.length / rows)) * columnOf(layers);
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
        word(plot, 'What the layers behind lose as a layer gets narrower', 12, 17, { fontSize: 16, fontWeight: 600 }),
        word(plot, subtitle(report), 12, 37, { fill: grey }),
        word(
          plot,
          'error kept: share of the output variance of the layers that read these channels',
          12,
          frame.top - 20,
        ),
        word(plot, 'channels kept', frame.left + frame.width / 2, frame.top + frame.height + 36, {
          textAnchor: 'middle',
        }),
        curves(plot, layers),
        names(plot, layers, report),
      ],
    },
    { paper: 'white' },
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${svg}\n`;
}

/** Lines, and on top of them all the dots. */
function curves(plot: Plot, layers: readonly LayerSensitivity[]): PlotLibrary.Markish[] {
  const places = { x: keptShare, y: 'errorKept' };
  const lines = layers.map(({ points, name }, i) =>
    plot.line(points, { ...places, strokeWidth: 1.6, title: () => name, clip: true, ...styleOf(i) }),
  );
  const dots = layers.flatMap(({ chosen, name }, i) => {
    if (!chosen) return [];
    const title = (): string => `${name}: ${chosen.kept}`;
    return plot.dot([chosen], { ...places, r: 4.5, fill: styleOf(i).stroke, stroke: 'white', title });
  });
  return [...lines, ...dots];
}

/** Which line is which layer, with its share of all error, or of all work; the three that lose most are bold. */
function names(plot: Plot, layers: readonly LayerSensitivity[], report: SensitivityReport): PlotLibrary.Markish[] {
  const head = report.targetRatio === null ? `of ${workOf(report)}` : 'of all error';
  const worst = new Set(worstFirst(layers).slice(0, 3));
  return layers.flatMap((layer, i) => {
    const x = list.left + Math.floor(i / rows) * columnOf(layers);
    const y = frame.top + (i % rows) * list.row;
    const right = x + columnOf(layers) - list.gap;
    const bold = worst.has(layer) ? { fontWeight: 700 } : {};
    const share = layer.chosen ? layer.chosen.errorShare : layer.share;
    const line = { x1: pixels(x), x2: pixels(x + list.swatch - 7), y1: pixels(y), y2: pixels(y), strokeWidth: 2 };
    const entry = [
      plot.link([0], { ...line, ...styleOf(i) }),
      word(plot, shorten(layer.name), x + list.swatch, y, { title: [layer.name], ...bold }),
      word(plot, share === null ? '–' : `${(100 * share).toFixed(1)} %`, right, y, { textAnchor: 'end', ...bold }),
    ];
    if (i % rows === 0) entry.push(word(plot, head, right, frame.top - 20, { textAnchor: 'end', fill: grey }));
    return entry;
  });
}

/** A word at a place in pixels instead of one on the axes. */
const word = (plot: Plot, text: string, x: number, y: number, style: PlotLibrary.TextOptions = {}) =>
  plot.text([text], { text: [text], x: pixels(x), y: pixels(y), textAnchor: 'start', ...style });

const pixels = (value: number) => ({ value: [value], scale: null });

/** Width of a column of the list. */
const columnOf = (layers: readonly LayerSensitivity[]): number =>
  list.swatch + Math.max(0, ...layers.map(({ name }) => shorten(name).length)) * list.letter + list.value + list.gap;

function styleOf(layer: number) {
  const dash = dashes[Math.floor(layer / hues.length) % dashes.length];
  return { stroke: hues[layer % hues.length]!, ...(dash !== undefined && { strokeDasharray: dash }) };
}

const shares = [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0];
const keptShare = ({ ratio }: Pick<SensitivityPoint, 'ratio'>): number => 1 - ratio;

/** Where the axis of channels ends: a fifth of them behind the narrowest layer of a target. */
function narrowestShown(layers: readonly LayerSensitivity[]): number {
  const least = Math.min(...layers.map(({ chosen }) => (chosen ? keptShare(chosen) : 0)));
  return shares.find((share) => share <= least - 0.2) ?? 0;
}

/** Zero, and 1, 2, 5 · 10ⁿ over the two decades up to the largest. */
function errorTicks(largest: number): number[] {
  const ticks = [0];
  for (let n = Math.floor(Math.log10(largest)) - 2; n <= 0; n++) {
    for (const digit of [1, 2, 5]) ticks.push(digit * 10 ** n);
  }
  return ticks.filter((tick) => tick === 0 || (tick >= largest / 200 && tick <= largest));
}

const percent = (share: number): string => `${+(100 * share).toPrecision(3)} %`;

/** XML has no place for control characters. */
const readable = (name: string): string => name.replace(/\p{Cc}/gu, '\ufffd');

/** The end of a long name says most. */
const shorten = (name: string): string =>
  name.length > longestName ? `…${name.slice(1 - longestName).replace(/^\W+/, '')}` : name;

function subtitle(report: SensitivityReport): string {
  const { model, images, targetRatio } = report;
  const dots = targetRatio === null ? '' : ` · dots: the widths for −${percent(targetRatio)} ${workOf(report)}`;
  return `${model === null ? '' : `${readable(path.basename(model))} · `}each layer cut alone, ${images} pictures${dots}`;
}
