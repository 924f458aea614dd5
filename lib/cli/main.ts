#!/usr/bin/env node
import { availableParallelism } from 'node:os';
import type { Argv } from 'yargs';
import { invalidArgument, SsdPruneError } from '../errors';
import { type CommandEntry, commands } from './commands';
import { guardProcess } from './guards';
import { fail } from './ui';

/**
 * The command line: finds the command, loads only that command's file, and turns whatever it throws into one line on
 * stderr and an exit code. Commands are loaded lazily so that `--help` costs little more than Node.
 */
async function main(typed: string[]): Promise<void> {
  const args = typed[0] === 'help' && typed.length > 1 ? [...typed.slice(1), '--help'] : typed;
  // Pictures are decoded on libuv's pool, which reads this at its first job; its own four threads would idle the rest.
  process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism()));
  const completing = args.includes('--get-yargs-completions');
  const name = args.find((arg) => !arg.startsWith('-'));
  const asked = commands.find(({ command }) => {
    const own = command.split(' ')[0]!;
    return completing ? args.includes(own) : own === name;
  });
  if (!asked && !completing && name !== 'completion') {
    if (name !== undefined && name !== 'help') throw unknownCommand(name, args);
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
  if (name === 'completion') return completion(args);
  await parse(args, asked);
}

/** yargs takes the shell from the environment. */
async function completion(args: readonly string[]): Promise<void> {
  const [shell, ...more] = args.filter((arg) => arg !== 'completion');
  if (shell === '--help' || shell === '-h') {
    process.stdout.write('ssd-prune completion [bash|zsh]\n\nPrints a completion script, by default for $SHELL.\n');
    return;
  }
  if (more.length > 0 || (shell !== undefined && shell !== 'bash' && shell !== 'zsh')) {
    throw new SsdPruneError('ERR_USAGE', 'Expected bash or zsh behind completion.');
  }
  if (shell !== undefined) {
    process.env.SHELL = shell;
    delete process.env.ZSH_NAME;
  }
  await parse(['completion'], undefined);
}

async function parse(args: string[], asked: CommandEntry | undefined): Promise<void> {
  const { default: yargs } = await import('yargs');
  let known: KnownOptions | undefined;
  const parser: Argv = yargs(args)
    .scriptName('ssd-prune')
    .usage('$0 <command> [options]')
    // Its messages stand among ours, and scripts read them.
    .locale('en')
    .option('json', { type: 'boolean', default: false, describe: 'One JSON document on stdout, JSON lines on stderr' })
    .option('quiet', { type: 'boolean', default: false, alias: 'q', describe: 'No progress and no notes' })
    .parserConfiguration({ 'parse-positional-numbers': false })
    .middleware((argv) => {
      // Once the command runs, yargs knows them no more.
      known = optionsOf(parser);
      refuseRepeated(args, known);
      refuseValues(args, argv, known);
    }, true)
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
  // yargs would set them in two columns and break the lines, which nobody could copy then.
  const examples: string[] = [];
  parser.example = (usage: unknown, describe?: string) => {
    if (describe) examples.push(`  # ${describe}`);
    examples.push(`  ${String(usage).replaceAll('$0', 'ssd-prune')}`);
    return parser;
  };
  // Run here and not by yargs, which would lay out the whole help behind every command that takes time.
  let run: (() => Promise<void>) | undefined;
  for (const entry of commands) {
    const { command, describe } = entry;
    // Only the command that is called is loaded; the others are names to complete.
    if (entry === asked) {
      const { builder, handler } = await entry.load();
      parser.command(command, describe, builder, (argv) => {
        run = () => handler(argv);
        forgetHelp(parser);
      });
    } else parser.command(command, describe);
  }
  const { help } = (await parser.parseAsync()) as { help?: boolean };
  if (help && examples.length > 0) process.stdout.write(`\nExamples:\n${examples.join('\n')}\n`);
  await run?.().catch((error: unknown) => {
    throw byOption(error, known);
  });
}

/**
 * Keeps yargs from laying out the command's help behind every handler, in case somebody asks for it later: nobody does,
 * and it takes longer than parsing.
 */
function forgetHelp(parser: Argv): void {
  interface Internals {
    getInternalMethods?(): { getUsageInstance?(): { cacheHelpMessage?: () => void } };
  }
  const usage = (parser as unknown as Internals).getInternalMethods?.().getUsageInstance?.();
  if (usage?.cacheHelpMessage) usage.cacheHelpMessage = () => {};
}

/** What yargs knows of the options of the command that runs. */
interface KnownOptions {
  key: Record<string, unknown>;
  alias: Record<string, string[]>;
  array: string[];
  boolean: string[];
  number: string[];
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

/** Options without the value they need, and values that yargs would turn into NaN or false. */
function refuseValues(
  args: readonly string[],
  argv: Readonly<Record<string, unknown>>,
  { key, array, boolean, number }: KnownOptions,
): void {
  for (const arg of args) {
    const [, name, value] = /^--([^=]+)=(.*)$/s.exec(arg) ?? [];
    if (name !== undefined && boolean.includes(name) && value !== 'true' && value !== 'false') {
      throw new SsdPruneError('ERR_USAGE', `--${name} is on or off: --${name} or --no-${name}, not ${arg}.`);
    }
  }
  for (const name of Object.keys(key)) {
    const at = args.findIndex((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`));
    if (at < 0 || boolean.includes(name)) continue;
    const typed = args[at]!.slice(name.length + 3) || args[at + 1];
    const value = argv[name];
    if (number.includes(name) && Number.isNaN(value)) throw invalidArgument(`--${name}`, 'a number', typed);
    const missing = args[at] === `--${name}` && (typed === undefined || /^--[a-z]/.test(typed));
    if (missing || value === '' || (value === undefined && !array.includes(name))) {
      throw new SsdPruneError('ERR_USAGE', `--${name} needs a value.`);
    }
  }
}

/** Options that the library calls otherwise. */
const optionNames: Readonly<Record<string, string>> = {
  'bootstrap.resamples': 'bootstrap',
  'teacher.classWeight': 'teacher-classes',
  'teacher.boxWeight': 'teacher-boxes',
  'teacher.featureWeight': 'teacher-features',
  'teacher.temperature': 'temperature',
};

/** A refused argument of the library by the option that gave it: `--min-channels`, not `minChannels`. */
function byOption(error: unknown, { key = {} }: Partial<KnownOptions> = {}): unknown {
  if (!(error instanceof SsdPruneError) || error.argument === undefined) return error;
  const kebab = optionNames[error.argument] ?? error.argument.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  if (!(kebab in key) || kebab.length === 1) return error;
  const message = error.message.replace(` for ${error.argument} but`, ` for --${kebab} but`);
  return new SsdPruneError(error.code, message, { cause: error });
}

const packageVersion = (): string => require('../../../package.json').version as string;

function unknownCommand(name: string, args: readonly string[]): SsdPruneError {
  const later = commands.map(({ command }) => command.split(' ')[0]!).find((own) => args.includes(own));
  if (args[0]!.startsWith('-') && later !== undefined) {
    return new SsdPruneError('ERR_USAGE', `The command comes before its options: ssd-prune ${later} …`);
  }
  const { nearest } = require('../nearest') as typeof import('../nearest');
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
  const got = /^Not enough non-option arguments: got (\d+)/.exec(message ?? '')?.[1];
  if (got !== undefined && asked) {
    const missing = asked.command.split(' ').slice(1 + Number(got));
    return new SsdPruneError('ERR_USAGE', `Missing: ${missing.join(' ')}\n${see}`, { cause: error });
  }
  if (!unknown) return new SsdPruneError('ERR_USAGE', `${message}\n${see}`, { cause: error });
  const { nearest } = require('../nearest') as typeof import('../nearest');
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
