import type { Options } from 'yargs';

/**
 * Options without the defaults that they have elsewhere, for commands that refuse them where they change nothing: with a
 * default, what was given can't be told from what wasn't. The help goes on saying the default, which the library has.
 */
export function undefaulted<T extends Readonly<Record<string, Options>>>(options: T): Record<keyof T, Options> {
  const entries = Object.entries(options).map(([name, { default: value, ...option }]): [string, Options] => {
    if (value === undefined || option.type === 'boolean') return [name, option];
    return [name, { ...option, describe: `${option.describe}  [default: ${JSON.stringify(value)}]` }];
  });
  return Object.fromEntries(entries) as Record<keyof T, Options>;
}
