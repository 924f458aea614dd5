import { readFile } from 'node:fs/promises';
import { SsdPruneError } from '../errors';
import { readError } from '../files';
import { saveReport } from '../prune/prune-file';
import type { MapSensitivityReport } from './map-report';

/** Where points are kept as they come, so that a broken run goes on. */
export interface PointStore {
  /** What messages call it. */
  readonly name: string;
  /**
   * What an earlier run left; undefined where there is nothing.
   * @throws {SsdPruneError} ERR_OUTPUT_EXISTS where something else is there
   */
  load(): Promise<MapSensitivityReport | undefined>;
  /** Replaces what is there as a whole or not at all. Awaited before the next point is begun. */
  save(report: MapSensitivityReport): Promise<void>;
}

/** Points in a JSON file. */
export function resultsFile(file: string): PointStore {
  return {
    name: file,
    async load() {
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw readError(`results ${file}`, error);
      });
      if (text === undefined) return undefined;
      const report = parseMapReport(text);
      if (report) return report;
      throw new SsdPruneError(
        'ERR_OUTPUT_EXISTS',
        `${file} exists and holds no mAP sensitivities to go on from: name another file, or say --force to replace it`,
      );
    },
    save: (report) => saveReport(file, report),
  };
}

/** A report from its JSON; undefined where the text is none. */
export function parseMapReport(text: string): MapSensitivityReport | undefined {
  // Loaded here: who measures for the first time reads none.
  const { z } = require('zod') as typeof import('zod');
  const share = z.number().min(0).max(1);
  const schema = z.looseObject({
    schema: z.literal('ssd-prune.sensitivity-map/1'),
    settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    base: share,
    seconds: z.number().min(0),
    importedFrom: z.string().nullable(),
    layers: z.array(
      z.looseObject({
        name: z.string(),
        channels: z.int().positive(),
        points: z.array(
          z.looseObject({
            kept: z.int().min(1),
            ratio: share,
            map: z.number(),
            loss: z.number(),
            relativeLoss: z.number(),
            imported: z.boolean(),
          }),
        ),
      }),
    ),
  });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  return schema.safeParse(document).success ? (document as MapSensitivityReport) : undefined;
}
