import { stat } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted } from '../abort';
import type { BenchReport } from '../bench/bench';
import { SsdPruneError } from '../errors';
import type { DeviceChoice } from '../evaluate/providers';
import { checkOutput, replaceFile } from '../files';
import { type Contents, contentsOf, isCurves } from './page/contents';
import { type PageDocument, readPageDocument, readSensitivity } from './page/document';
import { type PageExtras, renderPage } from './page/page';
import { readRunLog } from './run-history';
import type { SampleOptions } from './sample-pictures';

export interface ReportPageOptions extends Partial<Omit<SampleOptions, 'signal'>> {
  /** The run's log of JSON lines, for the curves of training. */
  log?: string;
  /** A sensitivity report, for its curves. */
  sensitivity?: string;
  /** Time both models side by side. Defaults to `false`. */
  bench?: boolean;
  /** The model before and after, where they no longer are where the report says. */
  before?: string;
  after?: string;
  /** Replace the page where it exists. Defaults to `false`. What is read is never replaced. */
  force?: boolean;
  /** Told of timed runs. */
  onProgress?: (done: number, total: number) => void;
  onNote?: (message: string) => void;
  signal?: AbortSignal;
}

/** What `report --json` prints. */
export interface PageReport {
  schema: 'ssd-prune.report/1';
  report: string;
  /** Schema of the report. */
  kind: PageDocument['schema'];
  output: string;
  /** Of the page. */
  bytes: number;
  /** Sample pictures on it. */
  pictures: number;
  /** Median milliseconds at batch 1; null where nothing was timed. */
  latency: { before: number; after: number } | null;
  seconds: number;
}

/**
 * Makes a page of a report that `run`, `prune`, `finetune` or `sensitivity` wrote; with `data` also of what the models
 * before and after find on sample pictures, with `bench` of how long they take.
 * @throws {SsdPruneError} ERR_USAGE for a page that isn't called .html, and for pictures or timing of a report that has no
 * two models; ERR_OUTPUT_EXISTS; ERR_IO for models that are not there; what {@link readPageDocument}, {@link checkOutput},
 * `samplePictures` and `benchModels` throw
 */
export async function reportPage(report: string, output: string, options: ReportPageOptions = {}): Promise<PageReport> {
  const started = performance.now();
  const { log, sensitivity, detector, data, bench = false, force = false, signal } = options;
  if (!/\.html?$/i.test(output)) {
    throw new SsdPruneError('ERR_USAGE', `Pages are HTML: give --output a name that ends in .html, not ${output}.`);
  }
  await checkOutput(output, { force });
  const document = readPageDocument(report);
  const contents = isCurves(document) ? null : contentsOf(document);
  if (!contents && (data !== undefined || bench)) {
    throw new SsdPruneError('ERR_USAGE', `${report} is of one model as it is: there are no two to draw or to time.`);
  }
  const models = contents && (await findModels(contents, report, options));
  const inputs = [report, log, sensitivity, detector, models?.before, models?.after, ...dataFolders(data)];
  await checkOutput(output, { inputs: inputs.filter((input) => typeof input === 'string') });
  throwIfAborted(signal);
  const latency = bench ? await timeModels(needed(models, report), options) : undefined;
  const pictures = data === undefined ? undefined : await draw(needed(models, report), data, document, options);
  const extras: PageExtras = {
    ...(log !== undefined && { history: await readRunLog(log) }),
    ...(sensitivity !== undefined && { sensitivity: readSensitivity(sensitivity) }),
    ...(latency && { latency }),
    ...(pictures && { pictures }),
    ...(models && (models.before ?? models.after) !== null && { bytes: await sizes(models) }),
  };
  throwIfAborted(signal);
  const page = Buffer.from(renderPage(document, extras));
  await replaceFile(output, [page]);
  return {
    schema: 'ssd-prune.report/1',
    ...{ report, kind: document.schema, output, bytes: page.length, pictures: pictures?.length ?? 0 },
    latency: latency
      ? { before: latency.results[0]!.medianMilliseconds, after: latency.results[1]!.medianMilliseconds }
      : null,
    seconds: (performance.now() - started) / 1000,
  };
}

/** Where pictures and annotations lie, in either layout; a page may well stand beside them. */
const dataFolders = (data: string | undefined): string[] =>
  data === undefined
    ? []
    : ['Annotations', 'ImageSets', 'JPEGImages', 'annotations', 'images'].map((name) => path.join(data, name));

/** Files of both models; null for one that is not there. */
interface ModelFiles {
  before: string | null;
  after: string | null;
}

/** Where the report says, seen from here or from where the report is, or where the caller says. */
async function findModels(contents: Contents, report: string, options: ReportPageOptions): Promise<ModelFiles> {
  const find = async (asked: string | undefined, said: string | null): Promise<string | null> => {
    if (asked !== undefined) return asked;
    if (said === null) return null;
    for (const place of [said, path.resolve(path.dirname(report), said)]) {
      if (await stat(place).catch(() => undefined)) return place;
    }
    return null;
  };
  return { before: await find(options.before, contents.before), after: await find(options.after, contents.after) };
}

/** Both models, or why not. */
function needed(models: ModelFiles | null, report: string): { before: string; after: string } {
  const { before, after } = models ?? { before: null, after: null };
  if (before !== null && after !== null) return { before, after };
  const missing = `the work is not where ${report} says, or was never written`;
  throw new SsdPruneError(
    'ERR_IO',
    before === null
      ? `The model before ${missing}: name its file with --before.`
      : `The model after ${missing}: name its file with --after.`,
  );
}

function timeModels(
  { before, after }: { before: string; after: string },
  options: ReportPageOptions,
): Promise<BenchReport> {
  const { benchModels } = require('../bench/bench') as typeof import('../bench/bench');
  const { device = 'auto' satisfies DeviceChoice, onProgress, onNote, signal } = options;
  return benchModels([before, after], {
    ...{ batchSizes: [1], threads: [1], device },
    ...(onProgress && { onProgress }),
    ...(onNote && { onNote }),
    ...(signal && { signal }),
  });
}

function draw(
  { before, after }: { before: string; after: string },
  data: string,
  document: PageDocument,
  options: ReportPageOptions,
) {
  const { samplePictures } = require('./sample-pictures') as typeof import('./sample-pictures');
  const evaluated = document.schema === 'ssd-prune.run/1' ? document.data.evaluation : null;
  const { split = evaluated ?? 'val', pictures, scoreThreshold, detector, device, onNote, signal } = options;
  return samplePictures(before, after, {
    ...{ data, split },
    ...(pictures !== undefined && { pictures }),
    ...(scoreThreshold !== undefined && { scoreThreshold }),
    ...(detector !== undefined && { detector }),
    ...(device && { device }),
    ...(onNote && { onNote }),
    ...(signal && { signal }),
  });
}

async function sizes({ before, after }: ModelFiles): Promise<{ before: number | null; after: number | null }> {
  return { before: before === null ? null : await sizeOf(before), after: after === null ? null : await sizeOf(after) };
}

/** Bytes of a model's file and of its external data. */
async function sizeOf(file: string): Promise<number> {
  const { readModel } = require('../model/read') as typeof import('../model/read');
  const { dataFiles } = await readModel(file);
  const found = await Promise.all([file, ...new Set(dataFiles)].map((part) => stat(part)));
  return found.reduce((sum, { size }) => sum + size, 0);
}
