import { dims, percent, whole } from './format';
import { type Html, html } from './html';
import { table } from './table';

/** What reports say of a layer. */
interface CutLayer {
  readonly name: string;
  readonly axis: number;
  readonly shapeBefore: readonly number[];
  readonly shapeAfter: readonly number[];
  readonly macs?: { readonly before: number; readonly after: number } | undefined;
}

/** The cuts of a run, and what is known of it besides. */
interface Cuts {
  readonly cuts: readonly { readonly report: { readonly layers: readonly CutLayer[] } }[];
  /** Of the model that was begun with. */
  readonly macs: { readonly before: number };
  readonly shapes: readonly { readonly name: string; readonly after: readonly number[] | null }[];
}

/** A layer that may have been cut. */
export interface LayerRow {
  name: string;
  shapeBefore: readonly number[];
  shapeAfter: readonly number[];
  /** Channels. */
  before: number;
  after: number;
  /** Shares of the original model's work; null where none was counted. */
  macsBefore: number | null;
  macsAfter: number | null;
}

/** @param total work of the whole model */
export const layerRows = (layers: readonly CutLayer[], total: number): LayerRow[] =>
  layers.map(({ name, axis, shapeBefore, shapeAfter, macs }) => ({
    ...{ name, shapeBefore, shapeAfter },
    ...{ before: shapeBefore[axis] ?? 0, after: shapeAfter[axis] ?? 0 },
    ...{ macsBefore: macs ? macs.before / total : null, macsAfter: macs ? macs.after / total : null },
  }));

/** Layers of all cuts of a run, from what they were before the first to what the last left. */
export function mergedLayers({ cuts, macs, shapes }: Cuts): LayerRow[] {
  const rows = new Map<string, LayerRow>();
  const now = new Map(shapes.map(({ name, after }) => [name, after]));
  cuts.forEach(({ report }, i) => {
    for (const row of layerRows(report.layers, macs.before)) {
      const first = rows.get(row.name) ?? row;
      const shapeAfter = now.get(row.name) ?? row.shapeAfter;
      const { shapeBefore, before, macsBefore } = first;
      rows.set(row.name, { ...row, shapeBefore, before, macsBefore, shapeAfter });
      // A later cut that doesn't name a layer may still have narrowed its inputs: what it does now is not known then.
      if (i === cuts.length - 1) continue;
      const next = cuts.slice(i + 1).some((cut) => cut.report.layers.some(({ name }) => name === row.name));
      if (!next) rows.set(row.name, { ...rows.get(row.name)!, macsAfter: null });
    }
  });
  return [...rows.values()];
}

/** Layers with bars: channels that are left, and the share of the work that was and is theirs. */
export function layerTable(rows: readonly LayerRow[]): Html {
  const most = Math.max(...rows.map(({ macsBefore }) => macsBefore ?? 0), Number.MIN_VALUE);
  const share = (value: number | null): string => (value === null ? '–' : percent(value));
  return table(
    'Layers: channels, and shares of the original model’s MACs',
    [
      { name: 'Layer' },
      { name: 'Shape before' },
      { name: 'after' },
      { name: 'Channels', number: true },
      { name: 'left', number: true },
      { name: 'bars', bar: true },
      { name: 'MACs before', number: true },
      { name: 'after', number: true },
      { name: 'bars', bar: true },
    ],
    rows.map((row) => [
      row.name,
      dims(row.shapeBefore),
      row.after === row.before && String(row.shapeAfter) === String(row.shapeBefore)
        ? 'the same'
        : dims(row.shapeAfter),
      whole(row.before),
      whole(row.after),
      bar([
        ['whole', 1],
        ['after', row.before > 0 ? row.after / row.before : 0],
      ]),
      share(row.macsBefore),
      share(row.macsAfter),
      bar([
        ['before', (row.macsBefore ?? 0) / most],
        ['after', (row.macsAfter ?? 0) / most],
      ]),
    ]),
  );
}

/** Bars one upon the other, each a share of the whole length; the numbers stand beside them. */
export const bar = (parts: readonly (readonly [kind: string, share: number])[]): Html =>
  html`<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${parts.map(
    ([kind, share]) => html`<rect class="${kind}" width="${length(share)}" height="10"/>`,
  )}</svg>`;

/** The same, one below the other. */
export const pair = (before: number, after: number): Html =>
  html`<svg class="pair" viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true"><rect class="before" width="${length(before)}" height="6"/><rect class="after" y="8" width="${length(after)}" height="6"/></svg>`;

const length = (share: number): number => Math.round(10_000 * Math.min(Math.max(share, 0), 1)) / 100;
