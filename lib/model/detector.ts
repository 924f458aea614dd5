import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { type ErrorCode, invalidArgument, SsdPruneError } from '../errors';
import { readError } from '../files';
import { detectorKey } from './detector-key';
import type { OnnxModel } from './onnx-model';
import { generatePriors } from './prior-boxes';

const positive = z.number().positive();
const count = z.int().positive();
const pair = z.tuple([positive, positive]);
const share = z.number().min(0).max(1);

const generator = z.strictObject({
  image: pair.optional(),
  layers: z
    .array(
      z.strictObject({
        map: z.tuple([count, count]),
        minSizes: z.array(positive).min(1),
        maxSizes: z.array(positive).default([]),
        aspectRatios: z.array(positive).default([]),
        step: pair.optional(),
      }),
    )
    .min(1),
  flip: z.boolean().optional(),
  clip: z.boolean().optional(),
  offset: share.optional(),
});
const priorList = z.array(z.tuple([z.number(), z.number(), positive, positive])).min(1);

const schema = z.strictObject({
  input: z.strictObject({
    name: z.string().min(1),
    width: count.max(16384),
    height: count.max(16384),
    channels: z.enum(['RGB', 'BGR']),
    mean: z.array(z.number()).length(3),
    std: z.array(positive).length(3),
    resize: z.strictObject({
      kernel: z.enum(['nearest', 'bilinear', 'bicubic', 'lanczos3', 'area']),
      antialias: z.boolean(),
    }),
  }),
  outputs: z.strictObject({
    scores: z.string().min(1),
    boxes: z.string().min(1),
    scoresAre: z.enum(['probabilities', 'logits']),
    boxesAre: z.enum(['offsets', 'corners']),
  }),
  priors: z.union([priorList, z.strictObject({ file: z.string().min(1) }), generator]).optional(),
  variances: z.array(positive).length(4).default([0.1, 0.1, 0.2, 0.2]),
  classes: z
    .array(z.string().min(1))
    .min(2)
    .refine((names) => new Set(names).size === names.length, 'two classes have the same name'),
  nms: z.strictObject({
    scoreThreshold: share,
    iouThreshold: share,
    topK: z.int().min(-1),
    keepTopK: z.int().min(-1),
  }),
});

type Parsed = z.infer<typeof schema>;

/** How a detector wants its pictures and what its outputs mean. */
export interface DetectorSettings extends Omit<Parsed, 'priors'> {
  /** cx, cy, w, h of each prior box as shares of the picture; empty where the model puts out corners. */
  priors: Float32Array;
  /** The file that the priors were read from, where they have one of their own. */
  priorsFile?: string;
}

/** Where settings came from: what messages call it, which failure it is, and what `priors.file` is relative to. */
interface Source {
  name: string;
  code: ErrorCode;
  folder: string;
  /** A model comes from anywhere: its settings may name files beside it only. */
  trusted: boolean;
}

/**
 * The settings of a model: from `detectorFile` where one is given, else from the model's metadata.
 * @throws {SsdPruneError} ERR_BAD_CONFIG where the file is wrong or there are no settings at all, ERR_BAD_MODEL where
 * the metadata are wrong, ERR_IO where a file can't be read; messages name file and key
 */
export function readDetectorSettings(model: OnnxModel, detectorFile?: string): DetectorSettings {
  if (typeof model?.metadata !== 'function') throw invalidArgument('model', 'what readModel gives', model);
  if (detectorFile !== undefined) return readSettingsFile(model, detectorFile).settings;
  const file = model.file ?? 'the model';
  const text = model.metadata(detectorKey);
  if (text === undefined)
    throw new SsdPruneError(
      'ERR_BAD_CONFIG',
      `${file} carries no detector settings (metadata "${detectorKey}"): give them by --detector FILE`,
    );
  const folder = path.dirname(model.file ?? '.');
  const source: Source = { name: `${file}, metadata "${detectorKey}"`, code: 'ERR_BAD_MODEL', folder, trusted: false };
  return interpret(parseJson(text, source), model, source);
}

/**
 * Settings for the metadata of what is made of a model, where the model's own say nothing and a file does: its document,
 * with the priors inline, since the file that it names for them need not lie beside the other model.
 * @returns undefined where the model carries settings, or no file is given
 * @throws {SsdPruneError} what {@link readDetectorSettings} throws
 */
export function settingsToCarry(model: OnnxModel, detectorFile: string | undefined): string | undefined {
  if (detectorFile === undefined || model.metadata(detectorKey) !== undefined) return undefined;
  const { document, settings } = readSettingsFile(model, detectorFile);
  if (settings.priorsFile === undefined) return JSON.stringify(document);
  const numbers = Array.from(settings.priors, shortest);
  const priors = Array.from({ length: numbers.length / 4 }, (_, i) => numbers.slice(4 * i, 4 * i + 4));
  return JSON.stringify({ ...document, priors });
}

/** The number of fewest digits that is this float32; nine are always enough. */
function shortest(value: number): number {
  const written = [6, 7, 8, 9].map((digits) => Number(value.toPrecision(digits)));
  return written.find((number) => Math.fround(number) === value)!;
}

function readSettingsFile(model: OnnxModel, file: string): { document: object; settings: DetectorSettings } {
  if (typeof file !== 'string') throw invalidArgument('detector', 'a file', file);
  const source: Source = { name: file, code: 'ERR_BAD_CONFIG', folder: path.dirname(file), trusted: true };
  const document = readJson(file, `detector settings ${file}`, source);
  return { settings: interpret(document, model, source), document: document as object };
}

function interpret(value: unknown, model: OnnxModel, source: Source): DetectorSettings {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw problem(source, parsed.error);
  const { priors, ...rest } = parsed.data;
  checkNames(rest, model, source);
  if (priors === undefined && rest.outputs.boxesAre === 'offsets')
    throw new SsdPruneError(source.code, `${source.name}: priors: missing, and outputs.boxesAre is "offsets"`);
  return {
    ...rest,
    priors: priors === undefined ? new Float32Array(0) : priorsOf(priors, rest.input, source),
    ...(priors !== undefined && 'file' in priors && { priorsFile: path.resolve(source.folder, priors.file) }),
  };
}

function priorsOf(priors: NonNullable<Parsed['priors']>, input: Parsed['input'], source: Source): Float32Array {
  if (Array.isArray(priors)) return flatten(priors);
  if ('layers' in priors) {
    for (const [i, { minSizes, maxSizes }] of priors.layers.entries())
      if (maxSizes.length > 0 && maxSizes.length !== minSizes.length)
        throw new SsdPruneError(
          source.code,
          `${source.name}: priors.layers.${i}.maxSizes: ${maxSizes.length} sizes for ${minSizes.length} minSizes`,
        );
    return generatePriors({ ...priors, image: priors.image ?? [input.width, input.height] });
  }
  const outside = path.isAbsolute(priors.file) || priors.file.split(/[\\/]/).includes('..');
  if (!source.trusted && outside)
    throw new SsdPruneError(source.code, `${source.name}: priors.file: only files in the model's folder are read`);
  const file = path.resolve(source.folder, priors.file);
  const value = readJson(file, `priors ${file}, which ${source.name} names`, { ...source, name: file });
  const list = Array.isArray(value) ? value : (value as { priors?: unknown } | null)?.priors;
  const parsed = priorList.safeParse(list);
  if (!parsed.success) throw problem({ ...source, name: file }, parsed.error);
  return flatten(parsed.data);
}

const flatten = (boxes: readonly number[][]): Float32Array => Float32Array.from(boxes.flat());

/** Settings that belong to another model are the likeliest mistake of all. */
function checkNames({ input, outputs }: Omit<Parsed, 'priors'>, model: OnnxModel, source: Source): void {
  const inputs = model.graph.input.map(({ name }) => name).filter((name) => model.isGraphInput(name));
  const found = model.graph.output.map(({ name }) => name);
  const wanted: [key: string, name: string, among: string[]][] = [
    ['input.name', input.name, inputs],
    ['outputs.scores', outputs.scores, found],
    ['outputs.boxes', outputs.boxes, found],
  ];
  for (const [key, name, among] of wanted)
    if (!among.includes(name))
      throw new SsdPruneError(
        source.code,
        `${source.name}: ${key}: ${model.file ?? 'the model'} has no "${name}"; it has ${among.map((n) => `"${n}"`).join(', ')}`,
      );
}

function problem(source: Source, error: z.ZodError): SsdPruneError {
  const lines = error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || 'the document'}: ${issue.message}`);
  return new SsdPruneError(source.code, `${source.name}: ${lines.join('; ')}`);
}

function readJson(file: string, what: string, source: Source): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw readError(what, error);
  }
  return parseJson(text, source);
}

function parseJson(text: string, source: Source): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SsdPruneError(source.code, `${source.name} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}
