import { SsdPruneError } from '../errors';

/** How a name can be found by a pattern; only `full` selects. */
export interface PatternMatch {
  /** The whole name matches: what ssd-prune selects by. */
  full(name: string): boolean;
  /** The name begins with a match, as Paddle 1.x's `re.match` has it. */
  prefix(name: string): boolean;
  /** Some part of the name matches, as an unanchored search has it. */
  anywhere(name: string): boolean;
}

/**
 * A parameter pattern in Python's syntax, as far as JavaScript carries it: `(?P<name>…)`, `(?P=name)`, `\A`, `\Z` and
 * leading flags `(?i)`, `(?s)`, `(?m)`, `(?a)`, `(?u)` are translated; possessive quantifiers, atomic groups,
 * comments, conditionals and verbose mode are refused.
 * @throws {SsdPruneError} ERR_BAD_PATTERN with the place and the reason.
 */
export function compilePattern(pattern: string): PatternMatch {
  const bad = (reason: string): SsdPruneError =>
    new SsdPruneError('ERR_BAD_PATTERN', `The pattern ${JSON.stringify(pattern)} can't be used: ${reason}`);
  let source = pattern;
  let flags = '';
  const inline = /^\(\?([aimsux]+)\)/.exec(source);
  if (inline) {
    if (inline[1]!.includes('x')) throw bad('verbose mode (?x) is not supported');
    flags = [...new Set(inline[1]!)].filter((flag) => 'ims'.includes(flag)).join('');
    source = source.slice(inline[0].length);
  }
  const refused: [RegExp, string][] = [
    [/^(?:[^\\]|\\.)*?\(\?#/s, 'comments (?#…) are not supported'],
    [/^(?:[^\\]|\\.)*?\(\?\(/s, 'conditional groups (?(…)…) are not supported'],
    [/^(?:[^\\]|\\.)*?\(\?>/s, 'atomic groups (?>…) are not supported'],
    [/^(?:[^\\]|\\.)*?[*+?}]\+/s, 'possessive quantifiers are not supported'],
  ];
  for (const [test, reason] of refused) if (test.test(source)) throw bad(reason);
  source = source
    .replace(/\(\?P</g, '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replace(/\\(.)/gs, (whole, letter: string) => (letter === 'A' ? '^' : letter === 'Z' ? '$' : whole));
  const compile = (body: string): RegExp => {
    try {
      return new RegExp(body, flags);
    } catch (error) {
      throw bad((error as Error).message);
    }
  };
  compile(source);
  const [full, prefix, anywhere] = [`^(?:${source})$`, `^(?:${source})`, source].map(compile) as [
    RegExp,
    RegExp,
    RegExp,
  ];
  return {
    full: (name) => full.test(name),
    prefix: (name) => prefix.test(name),
    anywhere: (name) => anywhere.test(name),
  };
}
