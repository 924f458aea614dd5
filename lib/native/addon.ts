import { existsSync } from 'node:fs';
import path from 'node:path';
import { SsdPruneError } from '../errors';
import { cacheFolder } from '../files';
import type {
  NativeChoiceJob,
  NativeRidgeProblem,
  NativeSampleRowsJob,
  NativeSumsJob,
  NativeTargetsJob,
} from './calibrate';
import type { NativeEngine, NativeGraph, Precision } from './engine';
import type { NativeMeanAp, NativeMeanApJob } from './mean-ap';
import type { NativeRankJob, NativeSliceJob } from './prune';
import type { NativeTrainer, NativeTrainerJob } from './trainer';
import type { NativeAugmentation, NativeBoxSettings, NativeInputFormat, NativeStrides } from './vision';

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
  /** Thousand million bytes a second, read and written, that all threads reach in copying what no cache holds. */
  peakBandwidth(seconds: number): number;
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
export const packageRoot = [path.join('..', '..'), path.join('..', '..', '..')]
  .map((up) => path.resolve(__dirname, up))
  // Two up from the sources, three from what is compiled of them.
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
