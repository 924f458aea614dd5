import type { Failed } from './connection';
import type { OrtData } from './runtime';

/** Named tensors: dimensions, and the values in row-major order. */
export type Feeds<Data = Float32Array> = Record<string, { dims: number[]; data: Data }>;

/** What one of a model's inputs or outputs is called and holds; a dimension that may vary is its name. */
export interface ValueInfo {
  name: string;
  type: string;
  dims: (number | string)[];
}

/** What the session's thread is started with. */
export interface SessionStart {
  model: string | Uint8Array;
  /** Options of ONNX Runtime's `InferenceSession.create`. */
  options: object;
  /** Shared with the main thread, which sets it to 1 to have no further run begun. */
  stop: Int32Array;
}

/** Main thread to session thread. */
export type Request =
  | { kind: 'run'; id: number; feeds: Feeds; outputs?: string[]; giveBack: boolean }
  | { kind: 'time'; id: number; feeds: Feeds; warmup: number; runs: number };

/** Session thread to main thread. */
export type Reply =
  | { kind: 'ready'; id: 0; inputs: ValueInfo[]; outputs: ValueInfo[] }
  | { kind: 'outputs'; id: number; outputs: Feeds<OrtData>; milliseconds: number; feeds?: Feeds }
  | { kind: 'times'; id: number; milliseconds: number[] }
  | Failed;
