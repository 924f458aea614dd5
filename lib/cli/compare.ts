import type { Argv } from 'yargs';
import { makeUi } from './ui';

interface CompareArguments {
  a: string;
  b: string;
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('a', { type: 'string', demandOption: true, describe: 'Report that prune, eval, score or bench wrote' })
    .positional('b', { type: 'string', demandOption: true, describe: 'Another of the same kind' })
    .example('$0 compare before.json after.json', 'two reports of eval --json: mAP class by class')
    .example('$0 compare l1.json median.json --json', 'two reports of prune --report: which channels both keep');
}

export async function handler(args: CompareArguments): Promise<void> {
  const ui = makeUi(args);
  const { compareReports } = require('../report/compare') as typeof import('../report/compare');
  const { renderCompareReport } = require('../report/compare-table') as typeof import('../report/compare-table');
  const report = compareReports(args.a, args.b);
  ui.result(report, () => renderCompareReport(report));
}
