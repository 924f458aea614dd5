import type { Check, DoctorReport } from './doctor';

const titles: Record<Check['name'], string> = {
  node: 'Node',
  addon: 'native addon',
  runtime: 'ONNX Runtime',
  cuda: 'CUDA',
  pictures: 'pictures',
  compiler: 'compiler',
};

/** The report for people: a line a check, and below it what to do. */
export function renderDoctorReport({ version, folder, machine, checks }: DoctorReport): string {
  const gibibytes = (machine.memoryBytes / 2 ** 30).toFixed(1);
  const width = Math.max(...Object.values(titles).map(({ length }) => length));
  const lines = [
    `ssd-prune ${version} (${folder})`,
    `${machine.cpu}, ${machine.cores} cores, ${gibibytes} GiB, ${machine.platform} ${machine.arch}`,
  ];
  for (const { name, ok, essential, found, repair } of checks) {
    const indent = (text: string): string => text.replaceAll('\n', `\n${' '.repeat(width + 4)}`);
    lines.push(`${ok ? '✓' : essential ? '✗' : '–'} ${titles[name].padEnd(width)}  ${indent(found)}`);
    if (repair !== null) lines.push(`${' '.repeat(width + 4)}→ ${indent(repair)}`);
  }
  return lines.join('\n');
}
