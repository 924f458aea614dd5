/** A table for the terminal; columns from `rightFrom` on are numbers and stand to the right. */
export function renderTable(head: string[], rows: string[][], rightFrom: number): string {
  const Table = require('cli-table3') as typeof import('cli-table3');
  const out = new Table({
    head,
    colAligns: head.map((_, i) => (i < rightFrom ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  out.push(...rows);
  return out.toString();
}
