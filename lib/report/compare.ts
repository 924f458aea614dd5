import { SsdPruneError } from '../errors';
import {
  type ReadBenchReport,
  type ReadEvalReport,
  type ReadPruneReport,
  type ReadReport,
  readReport,
} from './read-report';

/** One figure in both reports. */
export interface Pair {
  a: number | null;
  b: number | null;
  /** b - a; null where one is missing. */
  difference: number | null;
  /** b / a; null where one is missing or a is 0. */
  ratio: number | null;
}

export interface ComparedRow {
  /** What the figures are of: a layer, a class, or a model with threads and batch size. */
  of: Record<string, string | number>;
  values: Record<string, Pair>;
}

/** What `compare --json` prints. */
export interface CompareReport {
  schema: 'ssd-prune.compare/1';
  /** Schema of both reports. */
  kind: ReadReport['schema'];
  a: string;
  b: string;
  /** What the two were made with, where it differs. */
  settings: { name: string; a: unknown; b: unknown }[];
  totals: Record<string, Pair>;
  rows: ComparedRow[];
}

/**
 * Two reports of the same kind, figure by figure.
 * @throws {SsdPruneError} ERR_USAGE where they are of different kinds, and what {@link readReport} throws
 */
export function compareReports(fileA: string, fileB: string): CompareReport {
  const [a, b] = [readReport(fileA), readReport(fileB)];
  const common = { schema: 'ssd-prune.compare/1', a: fileA, b: fileB } as const;
  if (a.schema === 'ssd-prune.prune/1' && b.schema === a.schema) {
    return { ...common, kind: a.schema, ...comparePrunes(a, b) };
  }
  if (a.schema === 'ssd-prune.eval/1' && b.schema === a.schema) {
    return { ...common, kind: a.schema, ...compareEvals(a, b) };
  }
  if (a.schema === 'ssd-prune.bench/1' && b.schema === a.schema) {
    return { ...common, kind: a.schema, ...compareBenches(a, b) };
  }
  throw new SsdPruneError(
    'ERR_USAGE',
    `${fileA} is a report of ${a.schema}, ${fileB} one of ${b.schema}: only reports of the same kind can be compared`,
  );
}

type Compared = Pick<CompareReport, 'settings' | 'totals' | 'rows'>;

function comparePrunes(a: ReadPruneReport, b: ReadPruneReport): Compared {
  const width = (layer: ReadPruneReport['layers'][number] | undefined): number | undefined =>
    layer?.shapeAfter[layer.axis];
  return {
    settings: [
      ...differences(a, b, [
        'model',
        'prunedParams',
        'criterion',
        'allocation',
        'sensitivities',
        'ranking',
        'targetRatio',
        'tolerance',
        'count',
        'align',
        'seed',
      ]),
      ...calibrations(a, b),
    ],
    totals: {
      'MACs before': pair(a.macs.before, b.macs.before),
      MACs: pair(a.macs.after, b.macs.after),
      'Paddle 1.x FLOPs': pair(a.paddleFlops.after, b.paddleFlops.after),
      parameters: pair(a.parameters.after, b.parameters.after),
      seconds: pair(a.seconds, b.seconds),
    },
    rows: join(a.layers, b.layers, ({ name }) => name).map(([one, other]) => {
      const kept = new Set(one?.kept);
      return {
        of: { layer: (one ?? other)!.name },
        values: {
          width: pair(width(one), width(other)),
          MACs: pair(one?.macs?.after, other?.macs?.after),
          // Of a's channels those that stay in b, too: what the criteria agree on.
          'kept in both': pair(one?.kept.length, one && other?.kept.filter((channel) => kept.has(channel)).length),
        },
      };
    }),
  };
}

function calibrations({ calibration: a }: ReadPruneReport, { calibration: b }: ReadPruneReport): Compared['settings'] {
  const found = differences(a ?? {}, b ?? {}, ['pictures', 'split', 'images', 'seed', 'repair', 'device']);
  return found.map((setting) => ({ ...setting, name: `calibration ${setting.name}` }));
}

function compareEvals(a: ReadEvalReport, b: ReadEvalReport): Compared {
  const coco = [...new Set([...Object.keys(a.coco ?? {}), ...Object.keys(b.coco ?? {})])];
  return {
    settings: differences(a, b, [
      'model',
      'images',
      'protocol',
      'apVersion',
      'overlapThreshold',
      'evaluateDifficult',
      'device',
    ]),
    totals: {
      mAP: pair(a.map, b.map),
      'mAP over 20': pair(a.meanOver20?.map, b.meanOver20?.map),
      ...Object.fromEntries(coco.map((name) => [name, pair(a.coco?.[name], b.coco?.[name])])),
      'images/s': pair(a.imagesPerSecond, b.imagesPerSecond),
    },
    rows: join(a.classes, b.classes, ({ name }) => name).map(([one, other]) => ({
      of: { class: (one ?? other)!.name },
      values: { AP: pair(one?.ap, other?.ap), detections: pair(one?.detections, other?.detections) },
    })),
  };
}

function compareBenches(a: ReadBenchReport, b: ReadBenchReport): Compared {
  const models = ({ results }: ReadBenchReport): string[] => [...new Set(results.map(({ model }) => model))];
  const [ofA, ofB] = [models(a), models(b)];
  // A report of one model and one of another: that is what is to be compared.
  const alone = ofA.length === 1 && ofB.length === 1;
  const key = ({ model, threads, batchSize }: ReadBenchReport['results'][number]): string =>
    JSON.stringify([alone ? '' : model, threads, batchSize]);
  return {
    settings: [
      ...differences(a.machine, b.machine, ['cpu', 'cores', 'node', 'gpu']),
      ...differences(a, b, ['runtime', 'device', 'runs']),
    ],
    totals: {},
    rows: join(a.results, b.results, key).map(([one, other]) => {
      const { model, threads, batchSize } = (one ?? other)!;
      const name = alone && ofA[0] !== ofB[0] ? `${ofA[0]} → ${ofB[0]}` : model;
      return {
        of: { model: name, threads, batch: batchSize },
        values: {
          'min ms': pair(one?.minMilliseconds, other?.minMilliseconds),
          'median ms': pair(one?.medianMilliseconds, other?.medianMilliseconds),
          'images/s': pair(one?.imagesPerSecond, other?.imagesPerSecond),
        },
      };
    }),
  };
}

function pair(a: number | null | undefined, b: number | null | undefined): Pair {
  const [one, other] = [a ?? null, b ?? null];
  if (one === null || other === null) return { a: one, b: other, difference: null, ratio: null };
  return { a: one, b: other, difference: other - one, ratio: one === 0 ? null : other / one };
}

function differences<T extends object>(a: T, b: T, names: readonly (keyof T & string)[]): CompareReport['settings'] {
  return names.flatMap((name) =>
    (a[name] ?? null) === (b[name] ?? null) ? [] : [{ name, a: a[name] ?? null, b: b[name] ?? null }],
  );
}

/** Entries of both lists by their key, in the order of the first; the same key twice pairs in order. */
function join<T>(a: readonly T[], b: readonly T[], keyOf: (entry: T) => string): [T | undefined, T | undefined][] {
  const left = new Map<string, T[]>();
  for (const entry of b) {
    const key = keyOf(entry);
    left.set(key, [...(left.get(key) ?? []), entry]);
  }
  const joined = a.map((entry): [T | undefined, T | undefined] => [entry, left.get(keyOf(entry))?.shift()]);
  return [...joined, ...[...left.values()].flat().map((entry): [undefined, T] => [undefined, entry])];
}
