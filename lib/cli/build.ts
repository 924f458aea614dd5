import type { Argv } from 'yargs';
import { makeUi } from './ui';

export function builder(yargs: Argv): Argv {
  return yargs
    .example('$0 build', 'into the package, or into the cache folder where the package is read-only')
    .example('$0 doctor', 'shows whether it is needed, and the tools it takes');
}

export async function handler(args: { json: boolean; quiet: boolean }): Promise<void> {
  const ui = makeUi(args);
  const { buildAddon } = require('../doctor/build-addon') as typeof import('../doctor/build-addon');
  const report = await buildAddon({ onOutput: ui.note });
  ui.result(
    report,
    () =>
      `${report.addon}: compiled in ${report.seconds.toFixed(0)} s, runs with ${report.instructionSets.join(', ')} here`,
  );
}
