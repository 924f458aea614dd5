import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { runtimeVersion } from '../evaluate/runtime';
import { cacheFolder, makeFolder, replaceFile } from '../files';
import { describeMachine } from '../machine';
import { TensorProto_DataType as T } from '../model/onnx_pb';
import type { OnnxModel } from '../model/onnx-model';
import { tensorBytes, tensorDims } from '../model/tensor';
import type { WidthSample } from './latency-table';

const schema = 'ssd-prune.latency-samples/2';

/** What measured times hold for; anything else is measured anew. */
export interface SampleKey {
  /** The machine's name: two with the same processor differ in memory, cooling and settings. */
  readonly host: string;
  readonly cpu: string;
  readonly cores: number;
  readonly platform: string;
  readonly arch: string;
  /** Version of ONNX Runtime. */
  readonly runtime: string | null;
  readonly device: 'cpu';
  readonly threads: number;
  /** Hash of the model's nodes and shapes, without the values of its weights. */
  readonly model: string;
  /** Hash of the widths that are measured. */
  readonly widths: string;
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

export function sampleKey(
  model: OnnxModel,
  shapes: unknown,
  widths: readonly (readonly number[])[],
  threads: number,
): SampleKey {
  const { cpu, cores, platform, arch } = describeMachine();
  return {
    host: hostname(),
    cpu,
    cores,
    platform,
    arch,
    runtime: runtimeVersion() ?? null,
    device: 'cpu',
    threads,
    model: hash(`${structure(model)}${JSON.stringify(shapes)}`),
    widths: hash(JSON.stringify(widths)),
  };
}

/** Where samples are kept for whatever run comes next. */
export const sampleFolder = (): string => path.join(cacheFolder(), 'latency');

/** The file that keeps samples, named after the machine and its processor. */
export function sampleFile(key: SampleKey, folder = sampleFolder()): string {
  const machine = `${key.host}-${key.cpu}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return path.join(folder, `${machine.slice(0, 80)}-${hash(JSON.stringify(key))}.json`);
}

/** Samples of an earlier run; undefined where there are none, or what lies there isn't whole. */
export async function loadSamples(
  key: SampleKey,
  widths: readonly (readonly number[])[],
  folder = sampleFolder(),
): Promise<WidthSample[] | undefined> {
  try {
    const found = JSON.parse(await readFile(sampleFile(key, folder), 'utf8')) as SampleDocument;
    if (found.schema !== schema || JSON.stringify(found.key) !== JSON.stringify(key)) return undefined;
    if (found.samples.length !== widths.length) return undefined;
    return found.samples.map(({ nodes, rest }, i) => {
      const valid = [rest, ...nodes.flat()].every((value) => Number.isFinite(value) && value >= 0);
      if (!valid || nodes.length === 0) throw new Error('not whole');
      return { kept: widths[i]!, times: { nodes: new Map(nodes), rest } };
    });
  } catch {
    return undefined;
  }
}

/**
 * Keeps samples for later runs.
 * @throws {SsdPruneError} ERR_IO where the folder can't be written
 */
export async function saveSamples(
  key: SampleKey,
  samples: readonly WidthSample[],
  folder = sampleFolder(),
): Promise<void> {
  const file = sampleFile(key, folder);
  const document: SampleDocument = {
    schema,
    key,
    samples: samples.map(({ times }) => ({ nodes: [...times.nodes], rest: times.rest })),
  };
  await makeFolder(path.dirname(file));
  await replaceFile(file, [Buffer.from(`${JSON.stringify(document)}\n`)]);
}

interface SampleDocument {
  schema: string;
  key: SampleKey;
  /** Milliseconds: of nodes by their position, of all other kernels. */
  samples: { nodes: [number, number][]; rest: number }[];
}

/** Nodes, and dimensions of constants; values of those that hold shapes and indexes. */
function structure(model: OnnxModel): string {
  const { graph } = model;
  const constants = graph.initializer.map((tensor) => {
    const bytes = tensor.dataType === T.INT64 ? tensorBytes(tensor) : [];
    return [tensor.name, tensor.dataType, tensorDims(tensor), bytes.length <= 1024 ? Array.from(bytes) : []];
  });
  return JSON.stringify([constants, graph.node], (name, value: unknown) => {
    if (typeof value === 'bigint') return `${value}`;
    if (name === 'rawData' || name.endsWith('Data')) return undefined;
    return value instanceof Uint8Array ? Array.from(value) : value;
  });
}
