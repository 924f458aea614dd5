import { invalidArgument, SsdPruneError } from '../errors';

/** A pattern in JavaScript's syntax. */
export interface TranslatedPattern {
  readonly source: string;
  readonly flags: string;
}

/** Letters that mean something behind a backslash in Python; any other is an error there. */
const escapes = new Set('abBdDsSwWfnrtvxuAZ');
/** What follows `(?` and is no group that both languages have. */
const refusedGroups: readonly (readonly [RegExp, string])[] = [
  [/^#/, 'comments (?#…) are not supported'],
  [/^\(/, 'conditional groups (?(…)…) are not supported'],
  [/^>/, 'atomic groups (?>…) are not supported'],
  [/^[aiLmsux-]+[:)]/, 'flags can only stand at the very beginning, as (?i)'],
];

/**
 * Translates Python's regular expressions as far as JavaScript carries them: `(?P<name>…)`, `(?P=name)`, `\A`, `\Z`,
 * `\a`, `{,n}`, a `]` that comes first in a set, and the flags `(?i)`, `(?m)`, `(?s)`, `(?a)`, `(?u)` at the beginning.
 * What would mean something else or nothing is refused: comments, conditionals, atomic groups, possessive quantifiers,
 * `(?x)`, `(?L)`, flags inside, escapes not listed, references to groups that are not there yet. `\d`, `\w` and `\s` take ASCII only, as with Python's `(?a)`.
 * @throws {SsdPruneError} ERR_BAD_PATTERN with the place and the reason; ERR_USAGE for what is no text.
 */
export function translatePattern(pattern: string): TranslatedPattern {
  if (typeof pattern !== 'string') throw invalidArgument('prunedParams', 'a pattern of names', pattern);
  const bad = (at: number, reason: string): SsdPruneError =>
    new SsdPruneError(
      'ERR_BAD_PATTERN',
      `The pattern ${JSON.stringify(pattern)} can't be used: ${reason} (at place ${at + 1})`,
    );
  const inline = /^\(\?([aiLmsux]+)\)/.exec(pattern);
  const given = inline?.[1] ?? '';
  if (/[xL]/.test(given))
    throw bad(0, `(?${given}) is not supported: JavaScript has no flag ${/x/.test(given) ? 'x' : 'L'}`);
  const flags = [...new Set(given)].filter((flag) => 'ims'.includes(flag)).join('');
  const start = inline?.[0].length ?? 0;
  let source = '';
  for (let at = start; at < pattern.length; ) {
    const rest = pattern.slice(at);
    checkReference(rest, source, (reason) => bad(at, reason));
    const [text, length] = translateAt(rest, (reason) => bad(at, reason));
    source += text;
    at += length;
    const quantifier = /^(?:[*+?]|\{\d*,?\d*\})$/.test(rest.slice(0, length)) && source !== '';
    if (quantifier && pattern[at] === '+') throw bad(at, 'possessive quantifiers are not supported');
  }
  return { source, flags };
}

/** What the beginning of `rest` becomes, and how long it is. */
function translateAt(rest: string, bad: (reason: string) => SsdPruneError): [text: string, length: number] {
  if (rest[0] === '\\') return [translateEscape(rest, bad), 2];
  if (rest[0] === '[') return translateSet(rest, bad);
  if (rest.startsWith('(?')) {
    const inside = rest.slice(2);
    for (const [test, reason] of refusedGroups) if (test.test(inside)) throw bad(reason);
    const reference = /^P=(\w+)\)/.exec(inside);
    if (reference) return [`\\k<${reference[1]}>`, 2 + reference[0].length];
    if (inside.startsWith('P<')) return ['(?<', 4];
    if (inside.startsWith('P')) throw bad(`unknown group (?${inside.slice(0, 2)}`);
  }
  const least = /^\{,(\d+)\}/.exec(rest);
  if (least) return [`{0,${least[1]}}`, least[0].length];
  const repeat = /^\{\d+(?:,\d*)?\}/.exec(rest);
  return repeat ? [repeat[0], repeat[0].length] : [rest[0]!, 1];
}

/** JavaScript takes a reference to no group for a character; Python refuses it, and one to a group that comes later. */
function checkReference(rest: string, before: string, bad: (reason: string) => SsdPruneError): void {
  // Three octal digits are a character.
  const number = /^\\(?![0-3][0-7]{2})([1-9]\d?)/.exec(rest)?.[1];
  const name = /^\(\?P=(\w+)\)/.exec(rest)?.[1];
  if (number === undefined && name === undefined) return;
  const opened = before.replace(/\\./gs, '').replace(/\[[^\]]*\]/g, '');
  const groups = opened.match(/\((?!\?)|\(\?<(?![=!])\w*/g) ?? [];
  const known = name === undefined ? Number(number) <= groups.length : groups.some((group) => group === `(?<${name}`);
  if (!known) throw bad(`there is no group ${name ?? number} before this`);
}

function translateEscape(rest: string, bad: (reason: string) => SsdPruneError): string {
  const letter = rest[1];
  if (letter === undefined) throw bad('a backslash at the end');
  if (letter === 'A') return '^';
  if (letter === 'Z') return '$';
  if (letter === 'a') return '\\x07';
  if (/[a-zA-Z]/.test(letter) && !escapes.has(letter)) throw bad(`the escape \\${letter} is not supported`);
  return `\\${letter}`;
}

/** A set of characters. Python takes a `]` that comes first as one of them. */
function translateSet(rest: string, bad: (reason: string) => SsdPruneError): [text: string, length: number] {
  const open = rest.startsWith('[^') ? '[^' : '[';
  let at = open.length;
  let text = open;
  if (rest[at] === ']') {
    text += '\\]';
    at++;
  }
  while (rest[at] !== ']') {
    // JavaScript would take the three for single characters.
    const range = /^(?:\\[dDsSwW]-(?!\])|(?:\\.|[^\]\\])-\\[dDsSwW])/s.exec(rest.slice(at));
    if (range) throw bad(`bad character range ${range[0]}`);
    if (rest[at] === undefined) throw bad('a set [ is not closed');
    if (rest[at] === '\\') {
      text += translateEscape(rest.slice(at), bad);
      at += 2;
    } else text += rest[at++];
  }
  return [`${text}]`, at + 1];
}
