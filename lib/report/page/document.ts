import { z } from 'zod';
import { readDocument } from '../read-report';

const count = z.number().min(0);
const name = z.string();
const file = z.string().nullable();
const share = z.number().nullable();
const dims = z.array(z.int().min(0));
const change = z.object({ before: count, after: count });
const reasons = z.array(z.object({ name, reason: z.string() }));
/** Settings are shown as they are, whatever they are. */
const settings = z.record(z.string(), z.unknown());

const prune = z.looseObject({
  schema: z.literal('ssd-prune.prune/1'),
  model: file,
  output: file,
  macs: change,
  paddleFlops: change,
  parameters: change,
  skipped: reasons.default([]),
  layers: z.array(
    z.object({
      name,
      axis: z.int().min(0).default(0),
      shapeBefore: dims,
      shapeAfter: dims,
      macs: change.optional(),
    }),
  ),
  verified: z.object({ maxAbsDiff: count, images: count, vacuous: z.boolean() }).nullish(),
  latency: z
    .object({
      before: z.object({ minMilliseconds: count, medianMilliseconds: count }),
      after: z.object({ minMilliseconds: count, medianMilliseconds: count }),
      threads: count,
    })
    .nullish(),
  seconds: count,
});

const judged = z.object({ step: count, epoch: count, map: share });
const shape = z.object({ name, before: dims.nullable(), after: dims.nullable() });

const run = z.object({
  schema: z.literal('ssd-prune.run/1'),
  configuration: name,
  model: name,
  output: name,
  teacher: file,
  data: z.object({
    folder: name,
    train: z.string().nullable(),
    trained: count,
    heldBack: count,
    leftOut: count,
    evaluation: z.string().nullable(),
    evaluated: count,
  }),
  recipe: settings,
  epochs: count,
  steps: count,
  warnings: z.array(z.string()),
  resumed: z.string().nullish(),
  cuts: z.array(z.object({ strategy: name, epoch: count, step: count, report: prune })),
  metrics: z.array(judged.extend({ stage: z.enum(['start', 'cut', 'epoch']), meanOver20: share })),
  heldBack: z.array(judged),
  kept: z.enum(['best', 'last']),
  keptAt: judged.nullish(),
  macs: change,
  parameters: change,
  map: share,
  shapes: z.array(shape),
  seconds: count,
});

const finetune = z.object({
  schema: z.literal('ssd-prune.finetune/1'),
  model: name,
  output: file,
  teacher: file,
  data: z.object({
    folder: name,
    split: z.string().nullable(),
    trained: count,
    heldBack: count,
    leftOut: count,
  }),
  recipe: settings,
  finished: z.boolean(),
  step: count,
  evaluations: z.array(judged),
  best: judged.nullable(),
  kept: z.string().nullable(),
  belowStart: z.boolean(),
  imagesPerSecond: count,
  seconds: count,
});

const point = z.object({ kept: count, ratio: z.number(), errorKept: count, saved: z.number() });

const sensitivity = z.object({
  schema: z.literal('ssd-prune.sensitivity/1'),
  model: file,
  prunedParams: name,
  measure: z.literal('reconstruction'),
  pictures: name,
  split: z.string().nullable(),
  images: count,
  seed: count,
  count: z.enum(['macs', 'paddle1x']),
  align: count,
  minChannels: count,
  targetRatio: share,
  cut: share,
  skipped: reasons,
  layers: z.array(
    z.object({
      name,
      readers: z.array(name),
      channels: count,
      share: z.number(),
      points: z.array(point),
      cuts: z.array(point),
      chosen: z
        .object({
          kept: count,
          ratio: z.number(),
          saved: z.number(),
          errorKept: share,
          errorShare: share,
          price: share,
        })
        .nullable(),
      reason: z.string().exactOptional(),
    }),
  ),
  worst: z.array(name),
  seconds: count,
});

const mapPoint = z.object({
  ...{ kept: count, ratio: z.number(), map: z.number(), loss: z.number(), relativeLoss: z.number() },
  ...{ saved: z.number(), imported: z.boolean() },
});

const mapSensitivity = z.object({
  schema: z.literal('ssd-prune.sensitivity-map/1'),
  model: file,
  prunedParams: name,
  measure: z.literal('map'),
  data: name,
  split: name,
  images: count,
  count: z.enum(['macs', 'paddle1x']),
  base: z.number(),
  importedFrom: z.string().nullable(),
  skipped: reasons,
  layers: z.array(z.object({ name, channels: count, share: z.number(), points: z.array(mapPoint) })),
  complete: z.boolean(),
  seconds: count,
});

export type PrunePart = z.infer<typeof prune>;
export type RunPart = z.infer<typeof run>;
export type FinetunePart = z.infer<typeof finetune>;
export type SensitivityPart = z.infer<typeof sensitivity>;
export type MapSensitivityPart = z.infer<typeof mapSensitivity>;
/** What layers lose, by either measure. */
export type CurvesPart = SensitivityPart | MapSensitivityPart;
/** What of a report a page shows. */
export type PageDocument = PrunePart | RunPart | FinetunePart | CurvesPart;

const schemas: ReadonlyMap<string, z.ZodType<PageDocument>> = new Map(
  [run, prune, finetune, sensitivity, mapSensitivity].map((schema) => [schema.shape.schema.value, schema]),
);

/**
 * Reads a report that a page can be made of.
 * @throws {SsdPruneError} what {@link readDocument} throws
 */
export const readPageDocument = (place: string): PageDocument =>
  readDocument(place, schemas, (known) => `pages are made of ${known} (what run, prune, finetune, sensitivity write)`);

const curves: ReadonlyMap<string, z.ZodType<CurvesPart>> = new Map(
  [sensitivity, mapSensitivity].map((schema) => [schema.shape.schema.value, schema]),
);

/** The same of a sensitivity report alone, to go with another report. */
export const readSensitivity = (place: string): CurvesPart =>
  readDocument(place, curves, (known) => `expected ${known}`);
