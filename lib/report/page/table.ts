import { type Html, html } from './html';

export interface Column {
  name: string;
  /** Numbers stand to the right. */
  number?: boolean;
  /** Bars, which say nothing that numbers beside them don't, have no head. */
  bar?: boolean;
}

/** A table that scrolls by itself where it is wider than the page; the first cell of a row is its head. */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly (Html | string)[])[],
): Html {
  const kind = (i: number): string => (columns[i]!.number ? 'number' : 'name');
  const head = ({ name, bar = false }: Column, i: number): Html =>
    bar ? html`<td></td>` : html`<th scope="col" class="${kind(i)}">${name}</th>`;
  const cell = (content: Html | string, i: number): Html =>
    i === 0 ? html`<th scope="row" class="${kind(i)}">${content}</th>` : html`<td class="${kind(i)}">${content}</td>`;
  return html`<div class="wide" tabindex="0" role="group" aria-label="${caption}">
<table><caption>${caption}</caption>
<thead><tr>${columns.map(head)}</tr></thead>
<tbody>
${rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody></table></div>`;
}

/** Names and what they are, a line each; those without a value are left out. */
export function factTable(
  caption: string,
  facts: readonly (readonly [name: string, value: string | null | undefined])[],
): Html {
  const rows = facts.flatMap(([name, value]) =>
    value === null || value === undefined || value === ''
      ? []
      : [html`<tr><th scope="row">${name}</th><td>${value}</td></tr>\n`],
  );
  return html`<div class="settings"><table><caption>${caption}</caption><tbody>
${rows}</tbody></table></div>`;
}

/** What is looked at on demand. */
export const details = (summary: string, content: Html): Html =>
  html`<details><summary>${summary}</summary>${content}</details>`;
