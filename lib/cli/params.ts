import type { Argv } from 'yargs';
import type { ParameterRow } from '../prune/parameter-list';
import { makeUi } from './ui';

interface ParamsArguments {
  model: string;
  prunedParams?: string;
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('model', { type: 'string', demandOption: true, describe: 'ONNX file' })
    .option('pruned-params', {
      type: 'string',
      describe: 'Mark what this pattern selects (it must match the full name)',
    })
    .example('$0 params ssd.onnx', 'all parameters in definition order')
    .example("$0 params ssd.onnx --pruned-params 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0'", 'and what the pattern takes');
}

export async function handler(args: ParamsArguments): Promise<void> {
  const ui = makeUi(args);
  const { readModel } = require('../model/read') as typeof import('../model/read');
  const { describeParameters } = require('../prune/parameter-list') as typeof import('../prune/parameter-list');
  const document = describeParameters(await readModel(args.model), args.prunedParams);
  ui.result(document, () => {
    const width = Math.max(...document.parameters.map(({ name }) => name.length), 0);
    const lines = document.parameters.map((row) => line(row, width));
    lines.push(`${document.parameters.length} parameters, ${document.elements.toLocaleString('en')} elements`);
    if (document.selected !== null) lines.push(...remarks(document.selected, document.prefixOnly, document.searchOnly));
    return lines.join('\n');
  });
}

/** Said of parameters that nobody would select by themselves; shown only where a pattern takes them. */
const generic = /^it opens no channels|^a depthwise filter follows/;

function line({ name, shape, selected, locked }: ParameterRow, width: number): string {
  const mark = selected ? (locked === null ? '✂ ' : '✕ ') : '  ';
  return `${mark}${name.padEnd(width)}  (${shape.join(', ')})${locked !== null && (selected || !generic.test(locked)) ? `  can't be cut: ${locked}` : ''}`;
}

/** What the pattern takes, and what looser ways of matching would have taken besides. */
function remarks(selected: readonly string[], prefixOnly: readonly string[], searchOnly: readonly string[]): string[] {
  const some = (names: readonly string[]) => names.slice(0, 6).join(', ') + (names.length > 6 ? ', …' : '');
  const lines = [`selected by full name: ${selected.length}`];
  if (prefixOnly.length > 0) {
    lines.push(`Paddle's prefix match would also take ${prefixOnly.length}: ${some(prefixOnly)}`);
  }
  if (searchOnly.length > 0) {
    lines.push(`an unanchored search would also take ${searchOnly.length}: ${some(searchOnly)}`);
  }
  return lines;
}
