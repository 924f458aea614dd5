/** Markup: nothing but {@link html} and {@link trusted} make it, so that whatever is text is escaped. */
export class Html {
  constructor(readonly markup: string) {}

  toString(): string {
    return this.markup;
  }
}

type Piece = Html | string | number | false | null | undefined | readonly Piece[];

/** A template of markup; what is put into it is escaped, in text and in quoted attributes, unless it is markup itself. */
export function html(parts: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  return new Html(parts.reduce((markup, part, i) => markup + rendered(pieces[i - 1]) + part));
}

/** Markup that something else made, such as a drawing of this package's own. */
export const trusted = (markup: string): Html => new Html(markup);

function rendered(piece: Piece): string {
  if (piece instanceof Html) return piece.markup;
  if (Array.isArray(piece)) return piece.map(rendered).join('');
  return piece === null || piece === undefined || piece === false ? '' : escapeText(String(piece));
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as HTML; control characters, which HTML has no place for, and lone surrogates show as such. */
const escapeText = (text: string): string =>
  text.replace(/\p{Surrogate}|[^\P{Cc}\t\n]/gu, '\ufffd').replace(/[&<>"']/g, (character) => entities[character]!);
