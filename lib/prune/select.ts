import { Script } from 'node:vm';
import { SsdPruneError } from '../errors';
import { translatePattern } from './python-pattern';

/** Which of some names a pattern finds; only `full` selects. */
export interface PatternMatch {
  /** Whose whole name matches: what ssd-prune selects by. */
  full(names: readonly string[]): string[];
  /** Whose name begins with a match, as Paddle 1.x's `re.match` has it. */
  prefix(names: readonly string[]): string[];
  /** Of whose name some part matches, as an unanchored search has it. */
  anywhere(names: readonly string[]): string[];
}

/** Milliseconds that matching may take where a pattern can go back over a name again and again. */
const timeLimit = 2000;
/** Characters of a name up to which {@link isSimple} patterns end at once. */
const shortName = 256;

/**
 * A parameter pattern in Python's syntax, see {@link translatePattern}.
 * @throws {SsdPruneError} ERR_BAD_PATTERN with the reason; what it returns throws it where matching takes too long.
 */
export function compilePattern(pattern: string): PatternMatch {
  const { source, flags } = translatePattern(pattern);
  const refuse = (reason: string): SsdPruneError =>
    new SsdPruneError('ERR_BAD_PATTERN', `The pattern ${JSON.stringify(pattern)} can't be used: ${reason}`);
  const compile = (body: string): RegExp => {
    try {
      return new RegExp(body, flags);
    } catch (error) {
      throw refuse((error as Error).message);
    }
  };
  const simple = isSimple(source);
  const finder = (regex: RegExp) => (names: readonly string[]) => {
    if (simple && names.every(({ length }) => length <= shortName)) return names.filter((name) => regex.test(name));
    const found = testInTime(regex, names);
    if (!found) throw refuse(`matching took over ${timeLimit / 1000} s; repeat less inside of what is repeated`);
    return names.filter((_, i) => found[i]);
  };
  const anywhere = compile(source);
  return {
    full: finder(compile(`^(?:${source})$`)),
    prefix: finder(compile(`^(?:${source})`)),
    anywhere: finder(anywhere),
  };
}

/** Whether matching ends soon whatever the name: at most two quantifiers, none behind a group, no back-references. */
function isSimple(source: string): boolean {
  // What is escaped or in a set quantifies nothing; `(?` opens a group.
  const bare = source
    .replace(/\\[1-9k]/g, '(){1}')
    .replace(/\\./gs, 'x')
    .replace(/\[[^\]]*\]/g, 'x')
    .replace(/\(\?/g, '(');
  return !/\)[*+?{]/.test(bare) && (bare.match(/[*+?{]/g)?.length ?? 0) <= 2;
}

/** `regex.test` of every name under the time limit; undefined where it ran out. Only a script's own run can be ended. */
function testInTime({ source, flags }: RegExp, names: readonly string[]): boolean[] | undefined {
  const [body, letters, all] = [source, flags, names].map((part) => JSON.stringify(part));
  const script = new Script(
    `{ const regex = new RegExp(${body}, ${letters}); ${all}.map((name) => regex.test(name)); }`,
  );
  try {
    return script.runInThisContext({ timeout: timeLimit }) as boolean[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined;
    throw error;
  }
}
