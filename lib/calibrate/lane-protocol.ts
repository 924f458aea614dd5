import type { Failed } from '../evaluate/connection';
import type { Feeds } from '../evaluate/session-protocol';
import type { Window } from './kernels';

/** What a lane is started with. */
export interface LaneStart {
  /** Options of ONNX Runtime's `InferenceSession.create`. */
  options: object;
  /** Shared with the main thread, which sets it to 1 to have no further run begun. */
  stop: Int32Array;
}

/** One model's way through a stage. */
export interface TrackStage {
  /** Name under which the lane keeps what the model carries along. */
  key: string;
  /** undefined where everything wanted is carried already. */
  model: Uint8Array | undefined;
  /** What the model is fed: carried tensors, or the pictures. */
  inputs: readonly string[];
  /** What stands at its beginning already. */
  passing: readonly string[];
  /** What is carried along from here on; undefined to leave all as it is. */
  keep: readonly string[] | undefined;
}

/** One layer's samples: places, and shared memory that they are written into. */
export interface LayerSamples {
  /** Name of its weight, for errors. */
  name: string;
  input: string;
  output: string;
  window: Window | undefined;
  /** The first pictures, as many as are sampled. */
  pictures: number;
  /** Places of its output a picture, and how many of them become samples. */
  total: number;
  places: number;
  columns: number;
  outputs: number;
  memory: SharedArrayBuffer;
  /** Byte at which (pictures · places, columns) of float32 begin. */
  x: number;
  /** Byte at which (pictures · places, outputs) of float32 begin. */
  y: number;
}

export interface StageStart {
  /** The teacher first; one alone makes both inputs and outputs. */
  tracks: TrackStage[];
  layers: LayerSamples[];
  seed: number;
}

/** Main thread to lane. */
export type LaneRequest =
  | ({ kind: 'stage'; id: number } & StageStart)
  /** Pictures `first` … `last` − 1; `feeds` are the models' own inputs, for tracks that stand at the beginning. */
  | { kind: 'batch'; id: number; index: number; first: number; last: number; feeds: Feeds | undefined }
  /** The stage is through: its sessions end. */
  | { kind: 'finish'; id: number }
  /** Channels that stay, by tensor, of everything that is carried under a key. */
  | { kind: 'cut'; id: number; key: string; keep: Record<string, Int32Array> }
  | { kind: 'drop'; id: number; key: string };

/** Lane to main thread. */
export type LaneReply = { kind: 'ready'; id: 0 } | { kind: 'done'; id: number } | Failed;
