#!/usr/bin/env node
import { availableParallelism } from 'node:os';
import type { Argv } from 'yargs';
import { SsdPruneError } from '../errors';
import { type CommandEntry, commands } from './commands';
import { guardProcess } from './guards';
import { fail } from './ui';

/**
 * The command line: finds the command, loads only that command's file, and turns whatever it throws into one line on
 * stderr and an exit code. Commands are loaded lazily so that `--help` costs little more than Node.
 */
async function main(args: string[]): Promise<void> {
  // Pictures are decoded on libuv's pool, which reads this at its first job; its own four threads would idle the rest.
  process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism()));
  const completing = args.includes('--get-yargs-completions');
  const name = args.find((arg) => !arg.startsWith('-'));
  const asked = commands.find(({ command }) => {
    const own = command.split(' ')[0]!;
    return completing ? args.includes(own) : own === name;
  });
  if (!asked && !completing && name !== 'completion') {
    if (name !== undefined && name !== 'help') throw unknownCommand(name);
    if (name === 'help' || args.includes('--help') || args.includes('-h')) {
      const { overview } = require('./help') as typeof import('./help');
      process.stdout.write(overview());
      return;
    }
    if (args.includes('--version')) {
      process.stdout.write(`${packageVersion()}\n`);
      return;
    }
  }
  await parse(args, asked);
}

async function parse(args: string[], asked: CommandEntry | undefined): Promise<void> {
  const { default: yargs } = await import('yargs');
  const parser: Argv = yargs(args)
    .scriptName('ssd-prune')
    .usage('$0 <command> [options]')
    // Its messages stand among ours, and scripts read them.
    .locale('en')
    .option('json', { type: 'boolean', default: false, describe: 'One JSON document on stdout, JSON lines on stderr' })
    .option('quiet', { type: 'boolean', default: false, alias: 'q', describe: 'No progress and no notes' })
    .parserConfiguration({ 'parse-positional-numbers': false })
    .middleware(() => refuseRepeated(args, optionsOf(parser)), true)
    .completion('completion', 'Print a completion script for bash or zsh')
    .demandCommand(1, 'Say which command to run.')
    .strict()
    .alias('help', 'h')
    .version(packageVersion())
    .wrap(Math.min(120, process.stdout.columns ?? 100))
    .exitProcess(false)
    .fail((message, error) => {
      throw error instanceof SsdPruneError ? error : wrongUsage(message ?? error?.message, error, parser, args, asked);
    });
  // Run here and not by yargs, which would lay out the whole help behind every command that takes time.
  let run: (() => Promise<void>) | undefined;
  for (const entry of commands) {
    const { command, describe } = entry;
    // Only the command that is called is loaded; the others are names to complete.
    if (entry === asked) {
      const { builder, handler } = await entry.load();
      parser.command(command, describe, builder, (argv) => {
        run = () => handler(argv);
      });
    } else parser.command(command, describe);
  }
  await parser.parseAsync();
  await run?.();
}

/** What yargs knows of the options of the command that runs. */
interface KnownOptions {
  key: Record<string, unknown>;
  alias: Record<string, string[]>;
  array: string[];
  boolean: string[];
}

const optionsOf = (parser: Argv): KnownOptions => (parser as unknown as { getOptions(): KnownOptions }).getOptions();

/** An option that takes one value and is given two: yargs would make a list of them, or add them up. */
function refuseRepeated(args: readonly string[], { key, alias, array, boolean }: KnownOptions): void {
  const longOf = new Map(Object.entries(alias).flatMap(([name, others]) => others.map((other) => [other, name])));
  const seen = new Set<string>();
  for (const arg of args) {
    const typed = /^--?([^=]+)/.exec(arg)?.[1] ?? '';
    const name = longOf.get(typed) ?? typed;
    if (!(name in key) || array.includes(name) || boolean.includes(name)) continue;
    if (seen.has(name)) throw new SsdPruneError('ERR_USAGE', `--${name} is given twice.`);
    seen.add(name);
  }
}

const packageVersion = (): string => require('../../../package.json').version as string;

function unknownCommand(name: string): SsdPruneError {
  const { nearest } = require('./suggest') as typeof import('./suggest');
  const meant = nearest(
    name,
    commands.map(({ command }) => command.split(' ')[0]!),
  );
  const hint = meant === undefined ? '' : ` Did you mean ${meant}?`;
  return new SsdPruneError('ERR_USAGE', `Unknown command: ${name}.${hint}\nSee \`ssd-prune --help\`.`);
}

/** What yargs refused, with the option that was probably meant. */
function wrongUsage(
  message: string | undefined,
  error: Error,
  parser: Argv,
  args: readonly string[],
  asked: CommandEntry | undefined,
): SsdPruneError {
  const see = `See \`ssd-prune ${asked ? `${asked.command.split(' ')[0]} ` : ''}--help\`.`;
  const unknown = message?.match(/^Unknown arguments?: (.*)$/s)?.[1]?.split(', ');
  if (!unknown) return new SsdPruneError('ERR_USAGE', `${message}\n${see}`, { cause: error });
  const { nearest } = require('./suggest') as typeof import('./suggest');
  // yargs names a-b as aB, too; what was typed is enough.
  const typed = unknown.filter((name) => args.some((arg) => arg.replace(/^-+|=.*$/gs, '') === name));
  const { key } = optionsOf(parser);
  const said = (typed.length > 0 ? typed : unknown).map((name) => {
    if (!args.some((arg) => arg.startsWith(`--${name}`))) return name;
    const meant = nearest(name, Object.keys(key));
    return `--${name}${meant === undefined ? '' : ` (did you mean --${meant}?)`}`;
  });
  return new SsdPruneError('ERR_USAGE', `Unknown argument: ${said.join(', ')}\n${see}`, { cause: error });
}

const args = process.argv.slice(2);
const json = args.includes('--json') || args.includes('--json=true');
guardProcess(json);
main(args).catch((error: unknown) => fail(error, json));
