#!/usr/bin/env node
import { SsdPruneError } from '../errors';
import { commands } from './commands';
import { fail } from './ui';

/**
 * The command line: finds the command, loads only that command's file, and turns whatever it throws into one line on
 * stderr and an exit code. Commands are loaded lazily so that `--help` costs no more than Node and yargs.
 */
async function main(args: string[]): Promise<void> {
  const { default: yargs } = await import('yargs');
  const parser = yargs(args)
    .scriptName('ssd-prune')
    .usage('$0 <command> [options]')
    .option('json', { type: 'boolean', default: false, describe: 'One JSON document on stdout, JSON lines on stderr' })
    .option('quiet', { type: 'boolean', default: false, alias: 'q', describe: 'No progress and no notes' })
    .parserConfiguration({ 'duplicate-arguments-array': false, 'parse-positional-numbers': false })
    .completion('completion', 'Print a shell completion script')
    .demandCommand(1, 'Say which command to run.')
    .strict()
    .version(require('../../../package.json').version as string)
    .wrap(Math.min(120, process.stdout.columns ?? 100))
    .exitProcess(false)
    .fail((message, error) => {
      throw error instanceof SsdPruneError
        ? error
        : new SsdPruneError('ERR_USAGE', `${message ?? error?.message}\nSee \`ssd-prune --help\`.`, { cause: error });
    });
  for (const { command, describe, load } of commands) {
    const name = command.split(' ')[0]!;
    const asked = args.includes(name);
    // Only the command that is called is loaded; the others are lines in the help.
    if (asked) {
      const { builder, handler } = await load();
      parser.command(command, describe, builder, handler);
    } else parser.command(command, describe);
  }
  await parser.parseAsync();
}

main(process.argv.slice(2)).catch((error: unknown) => fail(error, process.argv.includes('--json')));
