import type { Repair } from '../calibrate/repair';
import type { EvaluateOptions } from '../evaluate/mean-ap';
import type { DeviceChoice } from '../evaluate/providers';
import type { CountMode } from '../prune/cost';
import type { PruneCriterion } from '../prune/options';
import type { RecipeOptions } from '../train/recipe';

/** What `readConfig` gives: everything checked, defaults filled in, paths made absolute. */
export interface RunConfig {
  /** The file it was read from. */
  file: string;
  /** PaddleSlim 1.x's counter, rounding and ranking (`compat: paddle1x`); else MACs and widths in multiples of 8. */
  paddle1x: boolean;
  model: {
    file: string;
    /** Detector settings, where the model's metadata have none. */
    detector?: string;
    /** File to learn from besides the annotations: the unpruned model by default; null: none. */
    teacher: string | null;
  };
  data: {
    folder: string;
    train: string /** null: no evaluation but on what is held back of `train` */;
    evaluation: string | null;
    skipBad: boolean;
  };
  /** Everything but epochs, evaluateEvery and what the sections above say: lib/train/recipe.ts RecipeOptions. */
  training: Omit<RecipeOptions, 'epochs' | 'evaluateEvery'>;
  /** lib/evaluate/mean-ap.ts EvaluateOptions (protocol, apVersion, overlapThreshold, evaluateDifficult; bootstrap 0). */
  evaluation: EvaluateOptions & { batchSize?: number };
  /** Pictures that criterion `obs` and repairs are computed from. */
  calibration: { pictures: string; split?: string; images: number; seed: number };
  device: { evaluation: DeviceChoice; threads: number };
  output: { model: string; report: string | null; keep: 'best' | 'last' };
  compressor: {
    /** Epochs of the whole run: the file's `epoch`, or the greatest `end_epoch` of its strategies. */
    epochs: number;
    /** Weights to start from instead of those of model.file (an ONNX file). */
    initModel?: string;
    checkpoints: { folder: string; keep: number; minutes: number };
    /** Epochs between evaluations. */
    evalEpoch: number;
    strategies: readonly StrategyConfig[];
  };
  /** Remarks that don't stop the run (metric_name: acc_top1 is mAP here; a name that only Paddle's prefix match takes …). */
  warnings: readonly string[];
}

export interface StrategyConfig {
  /** Its name in the file. */
  name: string;
  /** Such as UniformPruneStrategy. */
  class: string;
  /** Options of its class, checked by that class's schema, in camelCase. */
  options: Readonly<Record<string, unknown>>;
  /** Where the file defines it, for messages: file:line:column. */
  where: string;
}

/** UniformPruneStrategy's options. */
export interface UniformOptions extends CutOptions {
  startEpoch: number;
  endEpoch: number;
  targetRatio: number;
}

/** What every pruning strategy says of its cuts; from the pruner it names and its own keys. */
export interface CutOptions {
  prunedParams: string;
  /** From the pruner's `criterions` ('*' or by exact name; one for all, or an error). Default l1_norm. */
  criterion: PruneCriterion;
  /** none by default; full for criterion obs. */
  repair: Repair;
  allocation: 'uniform' | 'global' | 'error'; // default: error for obs, else uniform
  align?: number;
  count?: CountMode;
  tolerance?: number;
  minChannels?: number;
  skipLocked: boolean;
  includeTied: boolean;
}
