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

/** What the addon exports. Arguments are checked by the callers in this package before they get here. */
export interface Addon {
  /** Instruction sets that this machine and this build can run, best first: `avx512`, `avx2`, `portable`. */
  instructionSets(): string[];
  rankBatch(jobs: NativeRankJob[]): Float64Array[];
  rankBatchAsync(jobs: NativeRankJob[]): Promise<Float64Array[]>;
  sliceBatch(jobs: NativeSliceJob[]): Uint8Array[];
  sliceBatchAsync(jobs: NativeSliceJob[]): Promise<Uint8Array[]>;
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
