import type { Argv } from 'yargs';
import { SsdPruneError } from '../errors';
import { makeUi } from './ui';

export function builder(yargs: Argv): Argv {
  return yargs
    .example('$0 doctor', 'the addon, ONNX Runtime, CUDA, sharp, the compiler; and how to repair each')
    .example('$0 doctor --json', 'the same for scripts; exit 4 where something essential is missing');
}

export async function handler(args: { json: boolean; quiet: boolean }): Promise<void> {
  const ui = makeUi(args);
  const { examineMachine } = require('../doctor/doctor') as typeof import('../doctor/doctor');
  const { renderDoctorReport } = require('../doctor/table') as typeof import('../doctor/table');
  const report = await examineMachine();
  ui.result(report, () => renderDoctorReport(report));
  const missing = report.checks.filter(({ ok, essential }) => essential && !ok);
  if (missing.length > 0) {
    const code = missing.some(({ name }) => name === 'addon') ? 'ERR_ADDON_MISSING' : 'ERR_NO_RUNTIME';
    const names = missing.map(({ name }) => name).join(', ');
    throw new SsdPruneError(code, `Something essential is missing: ${names}. The report says how to repair it.`);
  }
}
