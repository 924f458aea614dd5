import type { BenchReport } from '../../bench/bench';
import type { Contents, Total } from './contents';
import { bytes, changed, milliseconds, score, short } from './format';
import { type Html, html } from './html';
import { pair } from './layer-table';
import { table } from './table';

/** Figures that no report has. */
export interface TotalsExtras {
  /** Both models, timed side by side: the one before first. */
  latency?: BenchReport;
  /** Bytes of the two models' files. */
  bytes?: { before: number | null; after: number | null };
}

/** Figures before and after, with bars, and what they were measured on. */
export function totalsTable(contents: Contents, extras: TotalsExtras): Html | undefined {
  const { totals, evaluation } = contents;
  const rows = totals.map((total) => {
    const isScore = total.name.startsWith('mAP');
    return totalRow(total, isScore ? score : short, isScore);
  });
  const { bytes: size, latency } = extras;
  if (size) rows.push(totalRow({ name: 'Size of the file', ...size }, bytes));
  for (const { name, before, after } of latencies(contents, latency)) {
    rows.push(totalRow({ name, before, after }, milliseconds));
  }
  if (rows.length === 0) return undefined;
  const columns = [
    { name: 'Figure' },
    { name: 'Before', number: true },
    { name: 'After', number: true },
    { name: 'Change', number: true },
    { name: 'bars', bar: true },
  ];
  const notes = [
    ...(evaluation === null ? [] : [`mAP on ${evaluation}.`]),
    ...(latency
      ? [
          `Latency: ${latency.runs} runs of each model taking turns, batch 1, ${threadsInWords(latency)}, ${latency.device === 'cuda' ? (latency.machine.gpu ?? 'CUDA') : latency.machine.cpu}, ONNX Runtime ${latency.runtime ?? 'of unknown version'}.`,
        ]
      : []),
  ];
  return html`${table('The model before and after', columns, rows)}${notes.length > 0 && html`<p class="muted">${notes.join(' ')}</p>`}`;
}

function totalRow(
  { name, before, after }: Total,
  write: (value: number) => string,
  moreIsBetter = false,
): (Html | string)[] {
  const shown = (value: number | null): string => (value === null ? '–' : write(value));
  if (before === null || after === null) return [name, shown(before), shown(after), '', ''];
  // Less than a hundredth is neither: timing alone differs by that.
  const same = Math.abs(after - before) < 0.01 * before;
  const better = moreIsBetter ? after > before : after < before;
  const most = Math.max(before, after, Number.MIN_VALUE);
  return [
    name,
    shown(before),
    shown(after),
    html`<span class="${same ? 'same' : better ? 'good' : 'bad'}">${changed(before, after)}</span>`,
    pair(before / most, after / most),
  ];
}

/** Measured for the page, or else when the model was cut. */
function latencies(contents: Contents, bench: BenchReport | undefined): readonly Total[] {
  if (!bench) return contents.latency;
  const [before, after] = bench.results;
  if (!before || !after) return [];
  return [
    { name: 'Latency, median', before: before.medianMilliseconds, after: after.medianMilliseconds },
    { name: 'Latency, least', before: before.minMilliseconds, after: after.minMilliseconds },
  ];
}

function threadsInWords({ results }: BenchReport): string {
  const threads = results[0]?.threads ?? 1;
  if (threads === 0) return 'a thread a core';
  return threads === 1 ? 'one thread' : `${threads} threads`;
}
