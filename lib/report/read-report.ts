import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { JsonScanner } from '../data/json-scanner';
import { SsdPruneError } from '../errors';
import { readError } from '../files';

const count = z.number().min(0);
const share = z.number().nullable();
const setting = z.union([z.string(), z.number(), z.boolean(), z.null()]).optional();
const change = z.object({ before: count, after: count });
const dims = z.array(z.int().positive());

const prune = z.object({
  schema: z.literal('ssd-prune.prune/1'),
  model: setting,
  prunedParams: setting,
  criterion: setting,
  allocation: setting,
  sensitivities: setting,
  ranking: setting,
  targetRatio: setting,
  tolerance: setting,
  count: setting,
  align: setting,
  seed: setting,
  calibration: z
    .object({
      pictures: setting,
      split: setting,
      images: setting,
      seed: setting,
      repair: setting,
      device: setting,
    })
    .nullish(),
  macs: change,
  paddleFlops: change,
  parameters: change,
  seconds: count,
  layers: z.array(
    z.object({
      name: z.string(),
      axis: z.int().min(0).default(0),
      shapeBefore: dims,
      shapeAfter: dims,
      macs: change.optional(),
      kept: z.array(z.int().min(0)),
    }),
  ),
});

const evaluation = z.object({
  schema: z.literal('ssd-prune.eval/1'),
  model: setting,
  images: setting,
  protocol: setting,
  apVersion: setting,
  overlapThreshold: setting,
  evaluateDifficult: setting,
  device: setting,
  map: share,
  meanOver20: z.object({ map: share }).optional(),
  coco: z.record(z.string(), share).nullish(),
  imagesPerSecond: share,
  classes: z.array(z.object({ name: z.string(), ap: share, positives: count, detections: count })),
});

const bench = z.object({
  schema: z.literal('ssd-prune.bench/1'),
  machine: z.object({ cpu: setting, cores: setting, node: setting, gpu: setting }),
  runtime: setting,
  device: setting,
  runs: setting,
  results: z.array(
    z.object({
      model: z.string(),
      threads: z.int().min(0),
      batchSize: z.int().positive(),
      minMilliseconds: count,
      medianMilliseconds: count,
      imagesPerSecond: count,
    }),
  ),
});

export type ReadPruneReport = z.infer<typeof prune>;
export type ReadEvalReport = z.infer<typeof evaluation>;
export type ReadBenchReport = z.infer<typeof bench>;
/** The part of a report that is compared. */
export type ReadReport = ReadPruneReport | ReadEvalReport | ReadBenchReport;

const schemas: ReadonlyMap<string, z.ZodType<ReadReport>> = new Map(
  [prune, evaluation, bench].map((schema) => [schema.shape.schema.value, schema]),
);

/**
 * Reads a report that `prune`, `eval`, `score` or `bench` wrote.
 * @throws {SsdPruneError} what {@link readDocument} throws
 */
export const readReport = (file: string): ReadReport =>
  readDocument(file, schemas, (known) => `reports are compared of ${known} (the --json output of prune, eval, bench)`);

/**
 * Reads a JSON document of one of several schemas.
 * @param schemas by the name that a document's `schema` says
 * @param expected what there could have been, for the message; told the names
 * @throws {SsdPruneError} ERR_IO where the file can't be read; ERR_BAD_DATA where it is no such document, with the file
 * and the line or key
 */
export function readDocument<T>(
  file: string,
  schemas: ReadonlyMap<string, z.ZodType<T>>,
  expected: (known: string) => string,
): T {
  const value = readJson(file);
  const schema = (value as { schema?: unknown } | null)?.schema;
  const known = typeof schema === 'string' ? schemas.get(schema) : undefined;
  if (!known) {
    const found =
      typeof schema === 'string' ? `has the schema ${JSON.stringify(schema.slice(0, 60))}` : 'has no schema';
    throw new SsdPruneError('ERR_BAD_DATA', `${file} ${found}; ${expected([...schemas.keys()].join(', '))}`);
  }
  const parsed = known.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new SsdPruneError('ERR_BAD_DATA', `${file}: ${issue!.path.join('.') || 'the document'}: ${issue!.message}`);
}

function readJson(file: string): unknown {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw readError(`report ${file}`, error);
  }
  // Passed over once for the place of what is broken, which JSON.parse does not tell.
  const scanner = new JsonScanner(bytes, file);
  scanner.skip();
  scanner.end();
  try {
    return JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new SsdPruneError('ERR_BAD_DATA', `${file} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}
