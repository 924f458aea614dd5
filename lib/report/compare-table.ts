import type { ComparedRow, CompareReport, Pair } from './compare';
import { renderTable } from './table';

/** The comparison for people: what differs in the making, the totals, then row by row. */
export function renderCompareReport(report: CompareReport): string {
  const { a, b, kind, settings, totals, rows } = report;
  const parts = [`a: ${a}\nb: ${b}\n(${kind})`];
  const shown = (value: unknown): string => (value === null ? '–' : String(value));
  if (settings.length > 0) {
    const lines = settings.map(({ name, a: one, b: other }) => [name, shown(one), shown(other)]);
    parts.push(renderTable(['made with', 'a', 'b'], lines, 1));
  }
  const entries = Object.entries(totals).filter(([, { a: one, b: other }]) => one !== null || other !== null);
  if (entries.length > 0) {
    const lines = entries.map(([name, pair]) => [name, ...cells(name, pair)]);
    parts.push(renderTable(['total', 'a', 'b', 'b - a', 'b / a'], lines, 1));
  }
  if (rows.length > 0) parts.push(rowTable(rows));
  return parts.join('\n');
}

function rowTable(rows: readonly ComparedRow[]): string {
  const labels = Object.keys(rows[0]!.of);
  const figures = Object.keys(rows[0]!.values);
  const head = [...labels, ...figures.flatMap((name) => [`${name} a`, 'b', 'b / a'])];
  const lines = rows.map(({ of, values }) => [
    ...labels.map((label) => String(of[label])),
    ...figures.flatMap((name) => {
      const [one, other, , ratio] = cells(name, values[name]!);
      return [one, other, ratio];
    }),
  ]);
  return renderTable(head, lines, labels.length);
}

/** a, b, difference and ratio as text; small and fractional figures have their places behind the point. */
function cells(name: string, { a, b, difference, ratio }: Pair): [string, string, string, string] {
  const whole = [a, b].every((value) => value === null || Number.isInteger(value)) && !/ms|AP|\/s/.test(name);
  const places = whole ? 0 : Math.max(a ?? 0, b ?? 0) > 1 ? 2 : 4;
  const show = (value: number | null): string =>
    value === null ? '–' : value.toLocaleString('en', { minimumFractionDigits: places, maximumFractionDigits: places });
  const signed = difference !== null && difference > 0 ? `+${show(difference)}` : show(difference);
  return [show(a), show(b), signed, ratio === null ? '–' : ratio.toFixed(3)];
}
