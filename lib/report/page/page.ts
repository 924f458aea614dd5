import type { BenchReport } from '../../bench/bench';
import type { RunHistory } from '../run-history';
import { scoreCharts, trainingCharts } from './charts';
import { type Contents, contentsOf, type Total } from './contents';
import type { PageDocument, SensitivityPart } from './document';
import { baseName, bytes, changed, dims, milliseconds, score, short, whole } from './format';
import { type Html, html, trusted } from './html';
import { layerTable, pair } from './layer-table';
import { type PagePicture, picturesSection } from './pictures';
import { sensitivitySection } from './sensitivity';
import { style } from './style';
import { details, factTable, table } from './table';

/** What a page shows besides the report; what isn't there is left out. */
export interface PageExtras {
  /** Steps, evaluations and speed of the run. */
  history?: Pick<RunHistory, 'points'>;
  /** Curves of a sensitivity report of the same model. */
  sensitivity?: SensitivityPart;
  /** Sample pictures with what the models before and after find on them. */
  pictures?: readonly PagePicture[];
  /** Both models, timed side by side: the one before first. */
  latency?: BenchReport;
  /** Bytes of the two models' files. */
  bytes?: { before: number | null; after: number | null };
}

interface Section {
  id: string;
  title: string;
  content: Html | undefined;
}

/**
 * A report as one HTML page that needs nothing else: no network, no script. Text of the report is escaped, and a content
 * security policy forbids whatever would run or load all the same.
 */
export function renderPage(document: PageDocument, extras: PageExtras = {}): string {
  const contents = contentsOf(document);
  const sections = allSections(document, contents, extras).filter(
    (section): section is Section & { content: Html } => section.content !== undefined,
  );
  const title = contents?.title ?? sensitivityTitle(document as SensitivityPart);
  const subtitle = contents?.subtitle ?? 'What each layer loses as it gets narrower';
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="ssd-prune">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${trusted(style)}</style>
</head>
<body>
<header><h1>${title}</h1><p>${subtitle}</p></header>
<nav aria-label="Contents"><ul>${sections.map((section) => html`<li><a href="#${section.id}">${section.title}</a></li>`)}</ul></nav>
<main>
${sections.map(
  ({ id, title: head, content }) => html`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${head}</h2>
${content}
</section>
`,
)}</main>
<footer>Made by ssd-prune from a report of ${document.schema}.</footer>
</body>
</html>
`;
  return page.markup;
}

function allSections(document: PageDocument, contents: Contents | null, extras: PageExtras): Section[] {
  const sensitivity = {
    ...{ id: 'sensitivity', title: 'Sensitivity of layers' },
    content: sensitivityOf(document, extras),
  };
  if (!contents) return [sensitivity];
  const { warnings, layers, shapes, skipped } = contents;
  return [
    {
      ...{ id: 'warnings', title: 'Warnings' },
      content:
        warnings.length > 0
          ? html`<ul class="warnings">${warnings.map((message) => html`<li>${message}</li>`)}</ul>`
          : undefined,
    },
    { id: 'totals', title: 'Before and after', content: totalsTable(document, contents, extras) },
    { id: 'map', title: 'mAP by epoch', content: scoreCharts(contents) },
    { id: 'training', title: 'Training', content: extras.history && trainingCharts(extras.history, contents.cuts) },
    {
      ...{ id: 'layers', title: 'Layers' },
      content:
        layers.length > 0 || shapes.length > 0 || skipped.length > 0
          ? html`${layers.length > 0 && layerTable(layers)}${skippedTable(skipped)}${shapeTable(shapes)}`
          : undefined,
    },
    sensitivity,
    { id: 'detections', title: 'Detections', content: extras.pictures && picturesSection(extras.pictures) },
    {
      ...{ id: 'settings', title: 'Settings' },
      content: html`${factTable('What was done', contents.facts)}${recipeTable(contents.recipe)}`,
    },
  ];
}

/** How each figure is written, and whether more of it is better. */
function totalsTable(document: PageDocument, { totals, evaluation }: Contents, extras: PageExtras): Html | undefined {
  const rows = totals.map((total) => {
    const isScore = total.name.startsWith('mAP');
    return totalRow(total, isScore ? score : short, isScore);
  });
  const { bytes: size, latency } = extras;
  if (size) rows.push(totalRow({ name: 'Size of the file', ...size }, bytes));
  for (const { name, before, after } of latencies(document, latency)) {
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
  const better = moreIsBetter ? after >= before : after <= before;
  const most = Math.max(before, after, Number.MIN_VALUE);
  return [
    name,
    shown(before),
    shown(after),
    html`<span class="${better ? 'good' : 'bad'}">${changed(before, after)}</span>`,
    pair(before / most, after / most),
  ];
}

/** Measured for the page, or else when the model was cut. */
function latencies(document: PageDocument, bench: BenchReport | undefined): Total[] {
  if (bench) {
    const [before, after] = bench.results;
    if (!before || !after) return [];
    return [
      { name: 'Latency, median', before: before.medianMilliseconds, after: after.medianMilliseconds },
      { name: 'Latency, least', before: before.minMilliseconds, after: after.minMilliseconds },
    ];
  }
  const latency = document.schema === 'ssd-prune.prune/1' ? document.latency : undefined;
  if (!latency) return [];
  const { before, after } = latency;
  return [{ name: 'Latency, median', before: before.medianMilliseconds, after: after.medianMilliseconds }];
}

function threadsInWords({ results }: BenchReport): string {
  const threads = results[0]?.threads ?? 1;
  if (threads === 0) return 'a thread a core';
  return threads === 1 ? 'one thread' : `${threads} threads`;
}

function skippedTable(skipped: Contents['skipped']): Html | undefined {
  if (skipped.length === 0) return undefined;
  const rows = skipped.map(({ name, reason }) => [name, reason]);
  return details(
    `${skipped.length} left as they are`,
    table('Selected parameters that were left as they are', [{ name: 'Parameter' }, { name: 'Why' }], rows),
  );
}

function shapeTable(shapes: Contents['shapes']): Html | undefined {
  if (shapes.length === 0) return undefined;
  const rows = shapes.map(({ name, before, after }) => [
    name,
    dims(before),
    String(before) === String(after) ? 'the same' : dims(after),
  ]);
  return details(
    `All ${whole(shapes.length)} parameters`,
    table('Shapes of all parameters', [{ name: 'Parameter' }, { name: 'Before' }, { name: 'After' }], rows),
  );
}

function recipeTable(recipe: Contents['recipe']): Html | undefined {
  return recipe ? details('Training recipe', factTable('Training recipe', flattened(recipe))) : undefined;
}

/** Settings within settings by their path: optimizer.rule. */
function flattened(settings: object, path = ''): [string, string][] {
  return Object.entries(settings).flatMap(([key, value]): [string, string][] => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return flattened(value, `${path}${key}.`);
    return [[path + key, typeof value === 'string' ? value : JSON.stringify(value)]];
  });
}

function sensitivityOf(document: PageDocument, { sensitivity }: PageExtras): Html | undefined {
  const report = document.schema === 'ssd-prune.sensitivity/1' ? document : sensitivity;
  return report && sensitivitySection(report);
}

const sensitivityTitle = ({ model }: SensitivityPart): string =>
  `Sensitivity of ${model === null ? 'a model' : baseName(model)}`;
