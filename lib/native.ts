import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { SsdPruneError } from './errors';

/** A checked ranking job as native/addon/prune.cc reads it; numbers stand for the enums of native/prune/rank.h. */
export interface NativeRankJob {
  bytes: Uint8Array;
  dataType: number;
  dims: number[];
  axis: number;
  criterion: number;
  keep: (Int32Array | null)[];
}

/** A checked slicing job as native/addon/prune.cc reads it. */
export interface NativeSliceJob {
  bytes: Uint8Array;
  elementSize: number;
  dims: number[];
  keep: (Int32Array | null)[];
}

/** Checked input settings as native/addon/vision.cc reads them; `kernel` is a number of native/vision/resize.h. */
export interface NativeInputFormat {
  width: number;
  height: number;
  kernel: number;
  antialias: boolean;
  bgr: boolean;
  mean: readonly number[];
  std: readonly number[];
}

/** Checked settings of decoding and suppression as native/addon/vision.cc reads them; `boxes` a picture. */
export interface NativeBoxSettings {
  boxes: number;
  classes: number;
  logits: boolean;
  corners: boolean;
  variances: readonly number[];
  scoreThreshold: number;
  iouThreshold: number;
  topK: number;
  keepTopK: number;
}

/** Checked objects and detections of a dataset as native/addon/mean_ap.cc reads them. */
export interface NativeMeanApJob {
  /** 0 detection_map, 1 VOC, 2 COCO. */
  protocol: number;
  /** 0 11point, 1 integral. */
  apVersion: number;
  overlapThreshold: number;
  classes: number;
  imageSize: Float64Array;
  truthOffset: Int32Array;
  truthLabel: Int32Array;
  truthFlag: Uint8Array;
  truthBox: Float64Array;
  truthArea: Float64Array;
  image: Int32Array;
  label: Int32Array;
  /** Score and box are both float32 or both float64. */
  score: Float32Array | Float64Array;
  box: Float32Array | Float64Array;
  /** Boxes are x, y, width, height in pixels instead of normalised corners. */
  pixels: boolean;
  resamples: number;
  seed: number;
}

/** See native/vision/mean_ap.h for the shapes; NaN where there is nothing to be found. */
export interface NativeMeanAp {
  ap: Float64Array;
  recall: Float64Array;
  positives: Float64Array;
  detections: Float64Array;
  resampled: Float64Array;
}

/** A node of a training graph, as native/engine/graph.h has it; `kind` is a number of its NodeKind. */
export interface NativeNode {
  kind: number;
  inputs: number[];
  channels: number;
  height: number;
  width: number;
  kernel: [number, number];
  stride: [number, number];
  dilation: [number, number];
  pad: [number, number];
  padEnd: [number, number];
  groups: number;
  weight: number;
  bias: number;
  mean: number;
  variance: number;
  epsilon: number;
  momentum: number;
  low: number;
  high: number;
  countPadding: boolean;
}

/** A checked training graph as native/addon/engine.cc reads it. */
export interface NativeGraph {
  channels: number;
  height: number;
  width: number;
  parameters: number[];
  nodes: NativeNode[];
  outputs: { parts: number[]; width: number }[];
}

/** Work of an operation and its fastest pass, in seconds; `node` is −1 for what the engine added. */
export interface NativeOperationTime {
  node: number;
  macs: number;
  needsInputGradient: boolean;
  forward: number;
  backward: number;
}

/** A network ready to train. While a pass runs every other call throws. Arrays have the lengths that the plan says. */
export interface NativeEngine {
  readonly bytes: number;
  /** Parameters with gaps of alignment, see lib/train/parameters.ts. */
  setWeights(values: Float32Array): void;
  weights(into: Float32Array): void;
  gradients(into: Float32Array): void;
  /** Pictures of the batch, places first and channels last. */
  setPictures(values: Float32Array): void;
  output(index: number, into: Float32Array): void;
  setDerivatives(index: number, values: Float32Array): void;
  /** Resolve when done, on a thread of libuv's pool. */
  forward(batchStatistics: boolean): Promise<void>;
  backward(accumulate: boolean): Promise<void>;
  times(): NativeOperationTime[];
  clearTimes(): void;
}

/** What the addon exports. Arguments are checked by the callers in this package before they get here. */
export interface Addon {
  /** Instruction sets that this machine and this build can run, best first: `avx512`, `avx2`, `portable`. */
  instructionSets(): string[];
  /** Multiply-adds a second, in thousand millions, that one thread reaches in registers: the peak that shares are of. */
  peakGmacs(seconds: number): number;
  Engine: new (graph: NativeGraph, batch: number) => NativeEngine;
  meanAp(job: NativeMeanApJob): NativeMeanAp;
  rankBatch(jobs: NativeRankJob[]): Float64Array[];
  rankBatchAsync(jobs: NativeRankJob[]): Promise<Float64Array[]>;
  sliceBatch(jobs: NativeSliceJob[]): Uint8Array[];
  sliceBatchAsync(jobs: NativeSliceJob[]): Promise<Uint8Array[]>;
  /** Resizes and normalises 8-bit RGB into place `index` of a batch of planar float32 pictures. */
  fillInput(
    pixels: Uint8Array,
    width: number,
    height: number,
    format: NativeInputFormat,
    batch: Float32Array,
    index: number,
  ): Promise<void>;
  /** Boxes of picture `index` of a batch as rows of label, score, xmin, ymin, xmax, ymax. */
  detectBoxes(
    scores: Float32Array,
    boxes: Float32Array,
    priors: Float32Array,
    settings: NativeBoxSettings,
    index: number,
  ): Promise<Float32Array>;
}

const packageRoot = path.resolve(__dirname, '..', '..');

/** Places where a compiled addon may lie, in the order they are tried. */
export function addonCandidates(): string[] {
  const { version } = require(path.join(packageRoot, 'package.json')) as { version: string };
  const cache = process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache');
  const forced = process.env.SSD_PRUNE_ADDON;
  return [
    ...(forced ? [forced] : []),
    path.join(packageRoot, 'build', 'Release', 'ssd_prune.node'),
    path.join(cache, 'ssd-prune', `${version}-${process.platform}-${process.arch}`, 'ssd_prune.node'),
  ];
}

let loaded: Addon | undefined;

/**
 * The addon, loaded at the first call.
 * @throws {SsdPruneError} ERR_ADDON_MISSING where no compiled addon is found or it does not load.
 */
export function addon(): Addon {
  if (loaded) return loaded;
  const tried: string[] = [];
  for (const file of addonCandidates()) {
    if (!existsSync(file)) {
      tried.push(`${file}: not there`);
      continue;
    }
    try {
      loaded = require(file) as Addon;
      return loaded;
    } catch (error) {
      tried.push(`${file}: ${(error as Error).message}`);
    }
  }
  throw new SsdPruneError(
    'ERR_ADDON_MISSING',
    `The native addon is not there or does not load. Compile it with \`npx ssd-prune build\` (needs a C++20 compiler, CMake and make).\nTried:\n  ${tried.join('\n  ')}`,
  );
}
