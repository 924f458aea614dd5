import type { CalibrationReport } from '../calibrate/calibrate-file';
import { renderLatency } from '../latency/table';
import { percent } from '../percent';
import { renderTable } from '../report/table';
import type { CountChange, PruneReport } from './report';

const millions = (value: number): string => `${(value / 1e6).toFixed(2)} M`;
const shape = (dims: readonly number[]): string => `(${dims.join(', ')})`;

/** The before/after table: layers, what went with them, totals. */
export function renderPruneReport(report: PruneReport): string {
  const total = report.macs.before;
  const layers = report.layers.map((layer) => [
    layer.name,
    shape(layer.shapeBefore),
    shape(layer.shapeAfter),
    percent(layer.ratio),
    millions(layer.macs.before),
    millions(layer.macs.after),
    percent(layer.macs.before / total),
  ]);
  const parts = [renderTable(['layer', 'before', 'after', 'channels cut', 'MACs', 'after', 'share of all'], layers, 3)];
  const followers = tiedRows(report);
  if (followers.length > 0) {
    parts.push(renderTable(['went along', 'before', 'after'], followers, 3), 'All other parameters keep their shapes.');
  }
  const row = (name: string, { before, after, cut }: CountChange): string[] => [
    name,
    before.toLocaleString('en'),
    after.toLocaleString('en'),
    percent(cut),
  ];
  parts.push(
    renderTable(
      ['total', 'before', 'after', 'cut'],
      [row('MACs', report.macs), row('Paddle 1.x FLOPs', report.paddleFlops), row('parameters', report.parameters)],
      1,
    ),
  );
  if (report.skipped.length > 0) {
    parts.push(`left as they are:\n${report.skipped.map(({ name, reason }) => `  ${name}: ${reason}`).join('\n')}`);
  }
  if (report.calibration) parts.push(renderCalibration(report.calibration, report.repair ?? []));
  if (report.repair) parts.push(...repairParts(report.repair));
  if (report.latency) parts.push(renderLatency(report.latency));
  const proof = report.verified;
  if (proof) {
    parts.push(
      `proof: outputs equal those of the masked original${report.repair ? ' with the repaired weights' : ''} on ${proof.images} noise pictures (largest difference ${proof.maxAbsDiff.toExponential(2)}, allowed ${proof.tolerance.toExponential(2)})`,
    );
  }
  if (report.output) parts.push(`written to ${report.output} in ${report.seconds.toFixed(2)} s`);
  return parts.join('\n');
}

function renderCalibration(
  { pictures, split, images, seed, repair, device }: CalibrationReport,
  layers: NonNullable<PruneReport['repair']>,
): string {
  const from = split === null ? pictures : `${pictures} (${split})`;
  const done = `calibrated on ${images} pictures from ${from}, seed ${seed}, on ${device}; repair: ${repair}`;
  const most = Math.max(...layers.map((layer) => layer.pictures));
  if (layers.length === 0 || most === 0 || most === images) return done;
  return `${done}\nno layer took more than ${most} of the pictures: activations of more can't be kept`;
}

/** What pictures did: the layers whose readers lost most, and what was chosen or left without pictures. */
function repairParts(repair: NonNullable<PruneReport['repair']>): string[] {
  const worst = repair
    .flatMap(({ layer, criterion, errorKept }) => (errorKept === null ? [] : [{ layer, criterion, errorKept }]))
    .sort((a, b) => b.errorKept - a.errorKept)
    .slice(0, 5)
    .map(({ layer, criterion, errorKept }) => [
      layer,
      criterion === 'none' ? 'refitted' : criterion,
      percent(errorKept),
    ]);
  const parts: string[] = [];
  if (worst.length > 0) parts.push(renderTable(['most is lost behind', 'chosen by', 'of the variance'], worst, 2));
  const reasons = repair.flatMap(({ layer, criterion, reason }) =>
    reason === undefined ? [] : [`  ${layer} (by ${criterion}): ${reason}`],
  );
  if (reasons.length > 0) parts.push(`chosen or kept without pictures:\n${reasons.join('\n')}`);
  return parts;
}

/**
 * Every other parameter whose shape changes: followers, biases, normalisation, and the readers of cut channels.
 */
function tiedRows({ layers, tied }: PruneReport): string[][] {
  const listed = new Set(layers.map(({ name }) => name));
  const changes = new Map(tied.map((tensor) => [tensor.name, tensor]));
  return [...changes.values()]
    .filter(({ name }) => !listed.has(name))
    .map(({ name, shapeBefore, shapeAfter, copyOf }) => [
      copyOf === undefined ? name : `${name} (copy of ${copyOf})`,
      shape(shapeBefore),
      shape(shapeAfter),
    ]);
}

/** One column a target: what each layer would keep. A target that can't be reached has its reason instead. */
export function renderTargets(
  columns: readonly { target: number; report?: PruneReport; error?: string }[],
  largest: number,
): string {
  const first = columns.find(({ report }) => report)?.report;
  const names = first?.layers.map(({ name }) => name) ?? [];
  const cell = (report: PruneReport | undefined, pick: (report: PruneReport) => string): string =>
    report ? pick(report) : '–';
  const rows = names.map((name, i) => [
    name,
    String(first!.layers[i]!.shapeBefore[first!.layers[i]!.axis]),
    ...columns.map(({ report }) => cell(report, ({ layers }) => String(layers[i]!.shapeAfter[layers[i]!.axis]))),
  ]);
  rows.push(
    ['MACs cut', '', ...columns.map(({ report }) => cell(report, ({ macs }) => percent(macs.cut)))],
    [
      'Paddle 1.x FLOPs cut',
      '',
      ...columns.map(({ report }) => cell(report, ({ paddleFlops }) => percent(paddleFlops.cut))),
    ],
    ['parameters cut', '', ...columns.map(({ report }) => cell(report, ({ parameters }) => percent(parameters.cut)))],
  );
  const lines = [renderTable(['layer', 'width', ...columns.map(({ target }) => `target ${target}`)], rows, 1)];
  for (const { target, error } of columns) if (error) lines.push(`target ${target}: ${error}`);
  lines.push(`largest reachable cut: ${percent(largest)}`);
  return lines.join('\n');
}
