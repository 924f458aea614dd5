import { existsSync } from 'node:fs';
import path from 'node:path';
import { SsdPruneError } from './errors';
import { cacheFolder } from './files';
import type { NativeLossSettings } from './train/loss';
import type { NativeOptimizerSettings } from './train/optimizer';

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

/** Samples of a layer in rows: inputs x (rows, columns) and outputs y (rows, outputs). */
export interface NativeSamples {
  x: Float32Array;
  y: Float32Array;
  rows: number;
  columns: number;
  outputs: number;
}

/** A checked job of native/calibrate/sample_rows.h; `rows` is written. */
export interface NativeSampleRowsJob {
  values: Float32Array;
  pictures: number;
  channels: number;
  height: number;
  width: number;
  kernelHeight: number;
  kernelWidth: number;
  strideY: number;
  strideX: number;
  dilationY: number;
  dilationX: number;
  padTop: number;
  padLeft: number;
  outputWidth: number;
  /** (pictures, n) places of the output. */
  positions: Int32Array;
  rows: Float32Array;
}

/** A checked job of native/calibrate/gram.h; the sums are added to. */
export interface NativeSumsJob extends NativeSamples {
  /** null where it is known already. */
  xx: Float64Array | null;
  xy: Float64Array;
  yy: Float64Array;
  sx: Float64Array;
  sy: Float64Array;
}

/** A checked job of native/calibrate/clipped_targets.h; `targets` is written. */
export interface NativeTargetsJob extends NativeSamples {
  weights: Float64Array;
  bias: Float64Array;
  low: number;
  high: number;
  targets: Float32Array;
}

/** Moments and weights of one reader, see RidgeProblem of native/calibrate/ridge.h. */
export interface NativeRidgeProblem {
  gram: Float64Array;
  cross: Float64Array;
  weights: Float64Array;
  columns: number;
  outputs: number;
  ridge: number;
}

/** See ChoiceReader of native/calibrate/channel_choice.h. */
export interface NativeChoiceReader extends NativeRidgeProblem {
  outputWeights: Float64Array;
  memberBegin: Int32Array;
  memberColumns: Int32Array;
}

/** As many removals as `order` has places; `order` and `cost` are written. */
export interface NativeChoiceJob {
  readers: NativeChoiceReader[];
  mayGo: Uint8Array;
  order: Int32Array;
  cost: Float64Array;
}

/** What was drawn for a training picture, as native/addon/train.cc reads it; pixels are whole numbers. */
export interface NativeAugmentation {
  colours: { brightness: number; contrast: number; saturation: number; hue: number; contrastLast: boolean };
  left: number;
  top: number;
  crop: { left: number; top: number; width: number; height: number };
  mirror: boolean;
}

/** Distances in a batch, in float32 values. */
export interface NativeStrides {
  picture: number;
  row: number;
  pixel: number;
  channel: number;
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
  features: NativeFeature[];
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

/** A parameter in the flat array of weights, `columns` of a matrix that Muon moves, else 0. */
export interface NativeParameterGroup {
  begin: number;
  end: number;
  weightDecay: number;
  columns: number;
}

/** What products multiply: float32, or bfloat16 with sums in float32. Everything else is float32. */
export type Precision = 'fp32' | 'bf16';

/** Channels of a value that are looked at from outside. */
export interface NativeFeature {
  value: number;
  channels: number[];
}

/** Numbers of a training step as native/train/trainer.h has them. */
export interface NativeTrainerJob {
  graph: NativeGraph;
  /** Outputs of the graph. */
  scores: number;
  offsets: number;
  microBatch: number;
  microSteps: number;
  precision: Precision;
  /** cx, cy, w, h of each. */
  priors: Float32Array;
  loss: NativeLossSettings;
  optimizer: NativeOptimizerSettings;
  /** In ascending order of the flat array of weights. */
  groups: NativeParameterGroup[];
  statistics: { begin: number; end: number; momentum: number }[];
  teacher: { graph: NativeGraph; scores: number; offsets: number } | null;
}

/** A step's batch and numbers; its arrays stay as they are until the promise settles. */
export interface NativeTrainerStep {
  pictures: Float32Array;
  /** Objects of picture i are `offsets[i]` … `offsets[i + 1] - 1`. */
  offsets: Int32Array;
  boxes: Float32Array;
  labels: Int32Array;
  /** One a group. */
  learningRates: Float32Array;
  /** 0: no limit. */
  maxNorm: number;
  averageDecay: number;
  batchStatistics: boolean;
  lossLimit: number;
}

export interface NativeStepReport {
  /** 0 done, 1 called off, 2 an output, 3 the loss, 4 a gradient is wrong: nothing was changed then. */
  status: number;
  loss: number;
  classes: number;
  boxes: number;
  teacherClasses: number;
  teacherBoxes: number;
  teacherFeatures: number;
  positives: number;
  negatives: number;
  gradientNorm: number;
  /** −1: none. */
  badPicture: number;
  badPrior: number;
  badGroup: number;
}

/** The flat arrays of a trainer; a number is a plane of its optimiser's state. */
export type NativeTrainerArray = 'weights' | 'teacher' | 'average' | number;

/** A network in training. While a step runs every other call but `abort` throws. */
export interface NativeTrainer {
  readonly bytes: number;
  readonly planes: number;
  /** float32 values of a step's pictures. */
  readonly pictureFloats: number;
  step(job: NativeTrainerStep): Promise<NativeStepReport>;
  /** Ends the step that runs at its next pass. */
  abort(): void;
  /** Means and variances of the pictures of one pass. */
  statistics(pictures: Float32Array, found: Float32Array): Promise<void>;
  get(array: NativeTrainerArray, into: Float32Array): void;
  set(array: NativeTrainerArray, values: Float32Array): void;
  /** Steps that each group was trained for. */
  steps(): number[];
  setSteps(steps: number[]): void;
  /** Gives its memory back; every other call but `abort` throws from then on. */
  close(): void;
}

/** What the addon exports. Arguments are checked by the callers in this package before they get here. */
export interface Addon {
  /** Instruction sets that this machine and this build can run, best first: `avx512`, `avx2`, `portable`. */
  instructionSets(): string[];
  /** A buffer of zeros, on huge pages where it is big. */
  allocate(bytes: number): ArrayBuffer;
  /** Frees a buffer's contents at once and detaches it. */
  giveBack(buffer: ArrayBuffer): void;

  /** Multiply-adds a second, in thousand millions, that one thread reaches in registers: the peak that shares are of. */
  peakGmacs(seconds: number, precision: Precision): number;
  /** Whether products of bfloat16 run here, in the instruction set in force. */
  hasBfloat16(): boolean;
  Engine: new (graph: NativeGraph, batch: number, precision: Precision) => NativeEngine;
  Trainer: new (job: NativeTrainerJob) => NativeTrainer;
  meanAp(job: NativeMeanApJob): NativeMeanAp;
  rankBatch(jobs: NativeRankJob[]): Float64Array[];
  rankBatchAsync(jobs: NativeRankJob[]): Promise<Float64Array[]>;
  sliceBatch(jobs: NativeSliceJob[]): Uint8Array[];
  sliceBatchAsync(jobs: NativeSliceJob[]): Promise<Uint8Array[]>;
  sampleRows(job: NativeSampleRowsJob): void;
  /**
   * Those of calibration that give promises work on other threads: their arrays must not be transferred until the promise settles. It
   * becomes false where moments are not positive definite.
   */
  addSamples(job: NativeSumsJob): Promise<boolean>;
  clippedTargets(job: NativeTargetsJob): Promise<boolean>;
  ridgeFit(job: NativeRidgeProblem & { kept: Int32Array; fitted: Float64Array }): Promise<boolean>;
  chooseRemovals(job: NativeChoiceJob): Promise<boolean>;
  /** Resizes and normalises 8-bit RGB into place `index` of a batch of planar float32 pictures. */
  fillInput(
    pixels: Uint8Array,
    width: number,
    height: number,
    format: NativeInputFormat,
    batch: Float32Array,
    index: number,
  ): Promise<void>;
  /** Augments, resizes and normalises 8-bit RGB into place `index` of a training batch; `fill` is 8-bit RGB too. */
  augmentInput(
    pixels: Uint8Array,
    width: number,
    height: number,
    augmentation: NativeAugmentation,
    format: NativeInputFormat,
    fill: readonly number[],
    strides: NativeStrides,
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

/** The folder of this package, which holds package.json, native/ and scripts/. Nothing is written there at run time. */
export const packageRoot = ['..', path.join('..', '..')]
  .map((up) => path.resolve(__dirname, up))
  // One up from the sources, two from what is compiled of them.
  .find((folder) => existsSync(path.join(folder, 'package.json')))!;

/** Places where a compiled addon may lie, in the order they are tried. */
export function addonCandidates(): string[] {
  const { version } = require(path.join(packageRoot, 'package.json')) as { version: string };
  const forced = process.env.SSD_PRUNE_ADDON;
  return [
    ...(forced ? [forced] : []),
    path.join(packageRoot, 'build', 'Release', 'ssd_prune.node'),
    path.join(cacheFolder(), `${version}-${process.platform}-${process.arch}`, 'ssd_prune.node'),
  ];
}

let loaded: Addon | undefined;

/**
 * The addon, loaded at the first call.
 * @throws {SsdPruneError} ERR_ADDON_MISSING where no compiled addon is found or it does not load; ERR_USAGE where
 * SSD_PRUNE_ISA asks for an instruction set that isn't here
 */
export function addon(): Addon {
  if (loaded) return loaded;
  const tried: string[] = [];
  for (const file of addonCandidates()) {
    if (!existsSync(file)) {
      tried.push(`${file}: not there`);
      continue;
    }
    let found: Addon;
    try {
      found = require(file) as Addon;
    } catch (error) {
      tried.push(`${file}: ${(error as Error).message}`);
      continue;
    }
    checkInstructionSet(found.instructionSets());
    loaded = found;
    return loaded;
  }
  throw new SsdPruneError(
    'ERR_ADDON_MISSING',
    `The native addon is not there or does not load. Compile it with \`npx ssd-prune build\` (needs a C++20 compiler, CMake and make).\nTried:\n  ${tried.join('\n  ')}`,
  );
}

function checkInstructionSet(sets: readonly string[]): void {
  const forced = process.env.SSD_PRUNE_ISA;
  if (!forced || sets.includes(forced)) return;
  throw new SsdPruneError(
    'ERR_USAGE',
    `SSD_PRUNE_ISA=${forced} names no instruction set that runs here: there are ${sets.join(', ')}.`,
  );
}

/** What native code throws behind the checks in TypeScript: wrong usage, a wrong SSD_PRUNE_… variable, or our fault. */
export function nativeError(error: unknown): SsdPruneError {
  if (error instanceof SsdPruneError) return error;
  const { message, code } = error as { message: string; code?: string };
  return new SsdPruneError(code === 'ERR_USAGE' ? 'ERR_USAGE' : 'ERR_INTERNAL', message, { cause: error });
}
