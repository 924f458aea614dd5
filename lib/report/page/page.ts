import type { RunHistory } from '../run-history';
import { scoreCharts, trainingCharts } from './charts';
import { type Contents, contentsOf, isCurves } from './contents';
import type { CurvesPart, PageDocument } from './document';
import { baseName, dims, whole } from './format';
import { frame, type Section } from './frame';
import { type Html, html } from './html';
import { layerTable } from './layer-table';
import { mapSensitivitySection } from './map-sensitivity';
import { type PagePicture, picturesSection } from './pictures';
import { sensitivitySection } from './sensitivity';
import { details, factTable, table } from './table';
import { type TotalsExtras, totalsTable } from './totals';

/** What a page shows besides the report; what isn't there is left out. */
export interface PageExtras extends TotalsExtras {
  /** Steps, evaluations and speed of the run. */
  history?: Pick<RunHistory, 'points'>;
  /** Curves of a sensitivity report of the same model. */
  sensitivity?: CurvesPart;
  /** Sample pictures with what the models before and after find on them. */
  pictures?: readonly PagePicture[];
}

/**
 * A report as one HTML page that needs nothing else: no network, no script. Text of the report is escaped, and a content
 * security policy forbids whatever would run or load all the same.
 */
export function renderPage(document: PageDocument, extras: PageExtras = {}): string {
  const footer = `Made by ssd-prune from a report of ${document.schema}.`;
  if (isCurves(document)) {
    return frame({
      title: `Sensitivity of ${document.model === null ? 'a model' : baseName(document.model)}`,
      subtitle: 'What each layer loses as it gets narrower',
      sections: [sensitivityPart(document)],
      footer,
    });
  }
  const contents = contentsOf(document);
  return frame({ ...contents, sections: modelSections(contents, extras), footer });
}

/** Everything of a model before and after; sections without content are left out. */
export function modelSections(contents: Contents, extras: PageExtras): Section[] {
  const { warnings, layers, shapes, skipped, facts, recipe } = contents;
  const { history, sensitivity, pictures } = extras;
  const parts: { id: string; title: string; content: Html | undefined }[] = [
    {
      ...{ id: 'warnings', title: 'Warnings' },
      content:
        warnings.length > 0
          ? html`<ul class="warnings">${warnings.map((message) => html`<li>${message}</li>`)}</ul>`
          : undefined,
    },
    { id: 'totals', title: 'Before and after', content: totalsTable(contents, extras) },
    { id: 'map', title: 'mAP by epoch', content: scoreCharts(contents) },
    { id: 'training', title: 'Training', content: history && trainingCharts(history, contents.cuts) },
    {
      ...{ id: 'layers', title: 'Layers' },
      content:
        layers.length > 0 || shapes.length > 0 || skipped.length > 0
          ? html`${layers.length > 0 && layerTable(layers)}${skippedTable(skipped)}${shapeTable(shapes)}`
          : undefined,
    },
    ...(sensitivity ? [sensitivityPart(sensitivity)] : []),
    { id: 'detections', title: 'Detections', content: pictures && picturesSection(pictures) },
    {
      ...{ id: 'settings', title: 'Settings' },
      content: facts.length > 0 ? html`${factTable('What was done', facts)}${recipeTable(recipe)}` : undefined,
    },
  ];
  return parts.filter((part): part is Section => part.content !== undefined);
}

const sensitivityPart = (report: CurvesPart): Section => ({
  ...{ id: 'sensitivity', title: 'Sensitivity of layers' },
  content: report.measure === 'map' ? mapSensitivitySection(report) : sensitivitySection(report),
});

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
