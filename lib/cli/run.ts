import { readFileSync } from 'node:fs';
import type { Argv } from 'yargs';
import type { CompressionEvent } from '../compress/events';
import type { RunConfig } from '../config/config';
import { counted } from '../counted';
import { invalidArgument, SsdPruneError } from '../errors';
import { percent } from '../percent';
import type { PageServer } from '../report/page/server';
import { refuseWithout } from './calibration-options';
import { interruptible } from './guards';
import { TrainingDisplay } from './training-display';
import { makeUi, type Ui } from './ui';

interface RunArguments {
  config: string;
  check: boolean;
  set?: string[];
  ui: boolean;
  port?: number;
  resume: boolean;
  force: boolean;
  otherInstructionSet: boolean;
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('config', { type: 'string', demandOption: true, describe: 'YAML file' })
    .options({
      check: {
        type: 'boolean',
        default: false,
        describe: 'Only check it: opens the model, tries the cuts; with --json prints it with all defaults',
      },
      set: { type: 'string', array: true, nargs: 1, describe: 'Replace a setting: compressor.epoch=3' },
      ui: { type: 'boolean', default: false, describe: 'Show the run on a page on this machine while it goes' },
      port: { type: 'number', describe: 'Port of that page  [default: any that is free]' },
      resume: { type: 'boolean', default: false, describe: 'Go on from the newest checkpoint' },
      force: {
        type: 'boolean',
        default: false,
        describe: 'Replace the output, start over where there are checkpoints',
      },
      'other-instruction-set': {
        type: 'boolean',
        default: false,
        describe: 'Resume what ran on another instruction set: last bits differ',
      },
    })
    .example('$0 run compress.yaml --check', 'every mistake, with its line')
    .example('$0 run compress.yaml', 'cut, train, evaluate, epoch by epoch')
    .example('$0 run compress.yaml --ui', 'the same, with a page to watch it on')
    .example('$0 run compress.yaml --resume', 'after whatever ended it')
    .example('$0 run compress.yaml --set compressor.epoch=12', 'with another setting');
}

export async function handler(args: RunArguments): Promise<void> {
  const ui = makeUi(args);
  const { readConfig } = require('../config/config') as typeof import('../config/config');
  const config = await readConfig(args.config, { set: args.set ?? [] });
  if (!args.ui) refuseWithout('ui', ['port'], args);
  if (args.check) {
    refuseBesidesCheck(args);
    const { rehearseConfig } = require('../compress/rehearsal') as typeof import('../compress/rehearsal');
    const warnings = [...config.warnings];
    await rehearseConfig(config, (warning) => warnings.push(warning));
    for (const warning of warnings) ui.warn(warning);
    ui.result({ schema: 'ssd-prune.config/1', ...config, warnings }, () => `${args.config} is in order.`);
    return;
  }
  if (args.ui && args.quiet && args.port === undefined) {
    throw new SsdPruneError('ERR_USAGE', '--quiet says nothing of where the page is: give its --port, too.');
  }
  const { Compressor } = require('../compress/compressor') as typeof import('../compress/compressor');
  const { renderRunReport } = require('../compress/run-table') as typeof import('../compress/run-table');
  const { resume, force, otherInstructionSet } = args;
  const live = args.ui ? await openPage(args.port, config, ui) : undefined;
  const training = new TrainingDisplay(ui);
  const report = await interruptible((signal) =>
    new Compressor(config, {
      ...{ resume, force, otherInstructionSet, signal },
      onCheck: (done, total) => training.checked(done, total),
      onEvent: (event) => {
        live?.event(event);
        show(event, ui, training);
      },
    }).run(),
  )
    .then((report) => {
      if (config.output.page !== null) live?.finished(readFileSync(config.output.page, 'utf8'));
      return report;
    })
    .catch((error: Error) => {
      live?.failed(error.message);
      throw error;
    })
    .finally(async () => {
      training.stop();
      await live?.close();
    });
  ui.result(report, () => renderRunReport(report));
}

/** @throws {SsdPruneError} ERR_USAGE with what `--check` never comes to */
function refuseBesidesCheck({ ui, resume, force, otherInstructionSet }: RunArguments): void {
  const options = { '--ui': ui, '--resume': resume, '--force': force, '--other-instruction-set': otherInstructionSet };
  const given = Object.entries(options).flatMap(([name, on]) => (on ? [name] : []));
  if (given.length === 0) return;
  throw new SsdPruneError('ERR_USAGE', `--check only checks: leave it or ${given.join(', ')} off.`);
}

async function openPage(port: number | undefined, config: RunConfig, ui: Ui): Promise<PageServer> {
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65535)) {
    throw invalidArgument('port', 'a port from 1 to 65535', port);
  }
  const { PageServer: Server } = require('../report/page/server') as typeof import('../report/page/server');
  const server = await Server.open({ config, ...(port !== undefined && { port }) });
  ui.event({ event: 'page', url: server.url }, () => `the run as it goes: ${server.url}`);
  return server;
}

function show(event: CompressionEvent, ui: Ui, training: TrainingDisplay): void {
  if (event.event === 'step' || event.event === 'evaluation' || event.event === 'recalibration') training.event(event);
  else if (event.event === 'warning') ui.warn(event.message);
  else if (event.event === 'note') ui.note(event.message);
  else {
    training.stop();
    ui.event(event, () => describe(event));
  }
}

type Told = Exclude<CompressionEvent, { event: 'step' | 'evaluation' | 'recalibration' | 'warning' | 'note' }>;

function describe(event: Told): string {
  switch (event.event) {
    case 'begin':
      return event.resumed === null ? counted(event.epochs, 'epoch') : `going on from ${event.resumed}`;
    case 'epoch':
      return `epoch ${event.epoch + 1} of ${event.epochs}`;
    case 'cut': {
      const { macs, parameters } = event.report;
      return `${event.strategy}: ${percent(macs.cut)} of the MACs and ${percent(parameters.cut)} of the parameters are cut`;
    }
    case 'metric': {
      const when = event.stage === 'epoch' ? `epoch ${event.epoch}` : event.stage;
      return `${when}: mAP ${event.map.toFixed(4)}`;
    }
    case 'checkpoint':
      return `saved ${event.place}`;
  }
}
