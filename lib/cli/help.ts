import { commands } from './commands';

const options: [option: string, describe: string][] = [
  ['--json', 'One JSON document on stdout, JSON lines on stderr'],
  ['-q, --quiet', 'No progress and no notes'],
  ['-h, --help', 'Options and examples of a command'],
  ['--version', 'The version'],
];

/** What `ssd-prune --help` prints. Made by hand: loading yargs would be most of the time that it takes. */
export function overview(): string {
  const lines: [string, string][] = commands.map(({ command, describe }) => [command, describe]);
  lines.push(['completion', 'Print a completion script for bash or zsh']);
  const width = Math.max(...[...lines, ...options].map(([name]) => name.length));
  const list = (rows: [string, string][]): string =>
    rows.map(([name, describe]) => `  ${name.padEnd(width)}  ${describe}`).join('\n');
  return `ssd-prune <command> [options]

Cuts channels of SSD detectors in ONNX files, proves the cut, and measures what it costs and gains.

Commands:
${list(lines)}

Options of every command:
${list(options)}

Examples:
  ssd-prune params ssd.onnx --pruned-params 'conv2d_[1-9].w_0'
  ssd-prune prune ssd.onnx -o small.onnx --pruned-params 'conv2d_[1-9].w_0' --target-ratio 0.2
  ssd-prune bench ssd.onnx small.onnx
`;
}
