import { createHash } from 'node:crypto';
import { type Html, html, trusted } from './html';
import { style } from './style';

/** A part of a page, with a place in its contents. */
export interface Section {
  id: string;
  title: string;
  content: Html;
}

export interface Frame {
  title: string;
  /** In a line. */
  subtitle: string;
  sections: readonly Section[];
  footer: string;
  /** Runs on the page, and may talk to where the page came from. By default nothing runs and nothing is loaded. */
  script?: string;
}

/** The whole page around its parts. */
export function frame(page: Frame): string {
  const { title, script } = page;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy(script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="ssd-prune">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${trusted(style)}</style>
</head>
<body>
${body(page)}
${script !== undefined && html`<script>${trusted(script)}</script>`}
</body>
</html>
`.markup;
}

/** What of it changes while a run goes on. */
export const body = ({ title, subtitle, sections, footer }: Omit<Frame, 'script'>): Html =>
  html`<header><h1>${title}</h1><p>${subtitle}</p></header>
<nav aria-label="Contents"><ul>${sections.map((section) => html`<li><a href="#${section.id}">${section.title}</a></li>`)}</ul></nav>
<main>
${sections.map(
  ({ id, title: head, content }) => html`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${head}</h2>
${content}
</section>
`,
)}</main>
<footer>${footer}</footer>`;

/** The {@link body} of a whole page without a script. */
export const bodyOf = (page: string): string =>
  page.slice(page.indexOf('<body>') + '<body>'.length, page.lastIndexOf('</body>')).trim();

function policy(script: string | undefined): string {
  const closed = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";
  if (script === undefined) return closed;
  const hash = createHash('sha256').update(script).digest('base64');
  return `${closed}; script-src 'sha256-${hash}'; connect-src 'self'`;
}
