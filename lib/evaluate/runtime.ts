import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SsdPruneError } from '../errors';

/** The part of onnxruntime-node that this package uses. */
export interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: OrtData;
}

/** What a tensor's values come in: int64 as BigInt64Array, float16 as Uint16Array (bits), strings as an array. */
export type OrtData = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array | BigInt64Array | string[];

export interface OrtValueMetadata {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

export interface OrtSession {
  readonly inputMetadata: readonly OrtValueMetadata[];
  readonly outputMetadata: readonly OrtValueMetadata[];
  run(feeds: Record<string, OrtTensor>, fetches?: readonly string[]): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

export interface Ort {
  readonly env: { logLevel: string; versions: { node?: string; common: string } };
  readonly Tensor: new (type: string, data: OrtData, dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: { create(model: string | Uint8Array, options: object): Promise<OrtSession> };
}

/**
 * The module that is loaded as the runtime: `onnxruntime-node`, or what the environment variable SSD_PRUNE_RUNTIME
 * names (a module or a path; for instance a build with CUDA that lies elsewhere).
 */
export function runtimeModule(): string {
  return process.env.SSD_PRUNE_RUNTIME || 'onnxruntime-node';
}

/**
 * Loads ONNX Runtime into this thread. Only workers and probing child processes call it: a session blocks the thread
 * that runs it, and its memory comes back only when that thread ends.
 * @throws {SsdPruneError} ERR_NO_RUNTIME where it is not installed or does not load
 */
export function loadRuntime(): Ort {
  // Read once, while the library loads: its uploader would race the end of the process.
  process.env.ORT_DISABLE_TELEMETRY = '1';
  let ort: Ort;
  try {
    ort = require(runtimeModule()) as Ort;
  } catch (error) {
    throw new SsdPruneError('ERR_NO_RUNTIME', missingRuntime(error as Error), { cause: error });
  }
  ort.env.logLevel = 'fatal';
  return ort;
}

function missingRuntime(error: Error): string {
  const reason = error.message.split('\n')[0];
  return `ONNX Runtime (${runtimeModule()}) is not installed or does not load: ${reason}\nRepair: ${runtimeRepair()}`;
}

/** How to get ONNX Runtime where it is not there. */
export function runtimeRepair(): string {
  if (usesMusl()) return 'This system uses musl; ONNX Runtime needs glibc 2.28 or newer (not Alpine).';
  return (
    '`npm install onnxruntime-node@1.30.0`; where its download of the CUDA library is blocked: ' +
    '`ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30.0` (the CPU needs no download).'
  );
}

/** Whether this Node runs on musl (Alpine), for which there is no ONNX Runtime. */
export function usesMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined;
}

/** The file that loading the runtime would load; undefined where none is installed. */
export function runtimeFile(): string | undefined {
  try {
    return require.resolve(runtimeModule());
  } catch {
    return undefined;
  }
}

/** Version of the installed runtime from its package.json, without loading it; undefined where there is none. */
export function runtimeVersion(): string | undefined {
  const main = runtimeFile() ?? '/';
  for (let folder = path.dirname(main); folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const version = packageVersion(path.join(folder, 'package.json'));
    if (version) return version;
  }
  return undefined;
}

function packageVersion(file: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { version?: string }).version;
  } catch {
    return undefined;
  }
}
