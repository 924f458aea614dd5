import { invalidArgument } from '../errors';

/** How fast the smaller model is to be: a share of the original's latency, or milliseconds a picture. */
export type LatencyTarget = { readonly share: number } | { readonly milliseconds: number };

/**
 * `0.8`, `80%` or `9.5ms` from the command line.
 * @throws {SsdPruneError} ERR_USAGE
 */
export function parseLatencyTarget(text: string): LatencyTarget {
  const found = /^\s*(\d+\.?\d*|\.\d+)\s*(ms|%)?\s*$/.exec(text);
  const value = found ? Number(found[1]) : Number.NaN;
  const target = found?.[2] === 'ms' ? { milliseconds: value } : { share: found?.[2] === '%' ? value / 100 : value };
  if (!isValid(target)) throw invalidArgument('--target-latency', expected, text);
  return target;
}

/** @throws {SsdPruneError} ERR_USAGE */
export function checkLatencyTarget(target: LatencyTarget): void {
  const { share, milliseconds } = Object(target) as { share?: unknown; milliseconds?: unknown };
  if ((share === undefined) === (milliseconds === undefined)) {
    const shown = typeof target === 'object' ? JSON.stringify(target) : target;
    throw invalidArgument('latency.target', 'one of { share } and { milliseconds }', shown);
  }
  if (isValid(target)) return;
  throw share === undefined
    ? invalidArgument('latency.target.milliseconds', 'a number above 0', milliseconds)
    : invalidArgument('latency.target.share', 'a number between 0 and 1', share);
}

const expected = 'a share of the latency between 0 and 1 such as 0.8, or milliseconds such as 9.5ms,';

function isValid(target: LatencyTarget): boolean {
  const [value, limit] = 'share' in target ? [target.share, 1] : [target.milliseconds, Number.POSITIVE_INFINITY];
  return typeof value === 'number' && value > 0 && value < limit;
}
