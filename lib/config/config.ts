import type { EvaluateOptions } from '../evaluate/mean-ap';
import type { DeviceChoice } from '../evaluate/providers';
import type { RecipeOptions } from '../train/recipe';
import { recipeOptions } from '../train/recipe-settings';
import { camelKeys } from './camel-keys';
import { checkTogether } from './checks';
import { readIncluding } from './include';
import { runJsonSchema } from './json-schema';
import { type Located, resolveAt } from './located';
import { dropNothing } from './nothing';
import { applyOverrides } from './overrides';
import { checkPlaces } from './places';
import { Problems } from './problems';
import { checkSections, epochsOf, type Sections } from './sections';

export type { Annealing, AutoOptions } from './auto-strategy';
export type { CutOptions } from './cut-keys';
export type { IterativeOptions } from './iterative-strategy';
export type { LatencyOptions } from './latency-strategy';
export type { SensitiveOptions } from './sensitive-strategy';
export type { UniformOptions } from './uniform-strategy';

/** What a run is to do: everything checked, defaults filled in, paths made absolute. */
export interface RunConfig {
  /** The file it was read from. */
  file: string;
  /** Files that it includes. */
  included?: readonly string[];
  /** PaddleSlim 1.x's counter, rounding and ranking (`compat: paddle1x`); else MACs and widths in multiples of 8. */
  paddle1x: boolean;
  model: {
    file: string;
    /** Detector settings, where the model's metadata have none. */
    detector?: string;
    /** File to learn from besides the annotations: the unpruned model by default; null: none. */
    teacher: string | null;
  };
  /**
   * `train` null: what is there, where no labels are read. `evaluation` null: no evaluation but on what is held back of
   * `train`.
   */
  data: { folder: string; train: string | null; evaluation: string | null; skipBad: boolean };
  training: Omit<RecipeOptions, 'epochs' | 'evaluateEvery'>;
  /** Without a bootstrap. */
  evaluation: EvaluateOptions & { batchSize?: number };
  /** Pictures that criterion `obs` and repairs are computed from. */
  calibration: { pictures: string; split?: string; images: number; seed: number };
  /** `threads` of training; 0: one a core. */
  device: { evaluation: DeviceChoice; threads: number };
  output: {
    model: string;
    report: string | null;
    /** The report as a page. */
    page: string | null;
    /** Events as JSON lines. */
    log: string | null;
    /** Folder of TensorBoard's event files. */
    tensorboard: string | null;
    keep: 'best' | 'last';
  };
  compressor: {
    /** Epochs of the whole run: the file's `epoch`, or the greatest `end_epoch` of its strategies. */
    epochs: number;
    /** Weights to start from instead of those of model.file (an ONNX file). */
    initModel?: string;
    checkpoints: { folder: string; keep: number; minutes: number };
    /** Epochs between evaluations. */
    evalEpoch: number;
    /** In the order they act in. */
    strategies: readonly StrategyConfig[];
  };
  /** Remarks that don't stop the run, with their places. */
  warnings: readonly string[];
}

export interface StrategyConfig {
  /** Its name in the file. */
  name: string;
  /** Such as UniformPruneStrategy. */
  class: string;
  /** Options of its class, checked, in camelCase. */
  options: Readonly<Record<string, unknown>>;
  /** Where the file defines it: file:line:column. */
  where: string;
}

export interface ReadConfigOptions {
  /** Changes such as `strategies.uniform.target_ratio=0.3`: a path of keys and a value in YAML. */
  set?: readonly string[];
}

/**
 * Reads a run's configuration: PaddleSlim 1.x's YAML with sections for what Python code said there, see REFERENCE.md.
 * Paths are relative to the file that names them, in `set` to the working directory. No model and no data are opened.
 * @throws {SsdPruneError} ERR_BAD_CONFIG with all that is wrong, a line each as `file:line:column: message`; ERR_IO where
 * the file can't be read
 */
export async function readConfig(file: string, { set = [] }: ReadConfigOptions = {}): Promise<RunConfig> {
  const problems = new Problems();
  const read = await readIncluding(file, problems);
  problems.throwIfAny();
  const { root: given, files } = read!;
  applyOverrides(given, set, problems);
  const schema = runJsonSchema();
  dropNothing(given, schema);
  const warnings: string[] = [];
  const sections = checkSections(given, schema, problems, warnings);
  checkTogether(sections, given, problems, warnings);
  await checkPlaces(sections, given, files, problems);
  problems.throwIfAny();
  return complete(files, sections as Required<Sections>, given, warnings);
}

function complete(
  [file, ...included]: readonly string[],
  sections: Required<Sections>,
  root: Located,
  warnings: readonly string[],
): RunConfig {
  const { model, data, training, evaluation, calibration, device, output, compressor } = sections;
  const pathAt = (section: string, key: string, name: string): string => resolveAt(root, [section, key], name);
  const placed = (key: string, name: string | null): string | null =>
    name === null ? null : pathAt('output', key, name);
  const modelFile = pathAt('model', 'file', model.file);
  const folder = pathAt('data', 'folder', data.folder);
  const { name: run } = compressor;
  const { init_model: initModel, checkpoint_path: checkpoints, eval_epoch: evalEpoch } = compressor;
  const { strategies } = sections;
  const train = data.train ?? (training.labels === 'none' ? null : 'train');
  const used = compressor.strategies.map((name) => strategies.get(name)!);
  return {
    file: file!,
    ...(included.length > 0 && { included }),
    paddle1x: sections.compat === 'paddle1x',
    model: {
      file: modelFile,
      ...(model.detector !== undefined && { detector: pathAt('model', 'detector', model.detector) }),
      teacher:
        model.teacher === null || model.teacher === 'unpruned'
          ? model.teacher && modelFile
          : pathAt('model', 'teacher', model.teacher),
    },
    data: { folder, train, evaluation: data.evaluation, skipBad: data.skip_bad },
    training: recipeOptions(camelKeys(training)),
    evaluation: camelKeys(evaluation),
    calibration: {
      pictures: calibration.pictures === undefined ? folder : pathAt('calibration', 'pictures', calibration.pictures),
      ...(calibration.split !== undefined
        ? { split: calibration.split }
        : calibration.pictures === undefined && train !== null && { split: train }),
      images: calibration.images,
      seed: calibration.seed,
    },
    device,
    output: {
      model: pathAt('output', 'model', output.model),
      report: placed('report', output.report),
      page: placed('page', output.page),
      log: placed('log', output.log),
      tensorboard: placed('tensorboard', output.tensorboard),
      keep: output.keep,
    },
    compressor: {
      epochs: epochsOf(sections),
      ...(initModel !== undefined && { initModel: pathAt(run, 'init_model', initModel) }),
      checkpoints: {
        folder: pathAt(run, 'checkpoint_path', checkpoints),
        keep: compressor.keep_checkpoints,
        minutes: compressor.checkpoint_minutes,
      },
      evalEpoch,
      strategies: used,
    },
    warnings,
  };
}
