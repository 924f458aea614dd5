import { SsdPruneError } from '../errors';
import { translatePattern } from './python-pattern';

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
 * A parameter pattern in Python's syntax, see {@link translatePattern}.
 * @throws {SsdPruneError} ERR_BAD_PATTERN with the reason.
 */
export function compilePattern(pattern: string): PatternMatch {
  const { source, flags } = translatePattern(pattern);
  const compile = (body: string): RegExp => {
    try {
      return new RegExp(body, flags);
    } catch (error) {
      throw new SsdPruneError(
        'ERR_BAD_PATTERN',
        `The pattern ${JSON.stringify(pattern)} can't be used: ${(error as Error).message}`,
      );
    }
  };
  const anywhere = compile(source);
  const [full, prefix] = [compile(`^(?:${source})$`), compile(`^(?:${source})`)];
  return {
    full: (name) => full.test(name),
    prefix: (name) => prefix.test(name),
    anywhere: (name) => anywhere.test(name),
  };
}
