import { throwIfAborted } from '../abort';
import { SsdPruneError } from '../errors';
import { readDetectorSize } from '../model/input-shapes';
import type { OnnxModel } from '../model/onnx-model';
import { readModel } from '../model/read';
import type { InferOptions } from '../model/shape-inference';
import type { PruneOptions } from './options';
import { Pruner } from './prune';
import { buildReport, type PruneReport } from './report';

export interface PruneFileOptions extends PruneOptions {
  /** Prove the cut before anything is written. Defaults to `true`. */
  verify?: boolean;
  /** Overwrite the output, and allow it to be the input. Defaults to `false`. */
  force?: boolean;
  /** Called before each stage of the work. */
  onStage?: (stage: PruneStage) => void;
  /** Looked at before each stage, and between the runs of the proof; ends the work with ERR_ABORTED. */
  signal?: AbortSignal;
}

export type PruneStage = 'read' | 'plan' | 'cut' | 'verify' | 'write';

/** A {@link Pruner} on a model file, with the input size that the file or its detector settings say. */
export function openPruner(model: OnnxModel, inputShapes?: InferOptions['inputShapes']): Pruner {
  const openSize = readDetectorSize(model);
  return new Pruner(model, { ...(inputShapes && { inputShapes }), ...(openSize && { openSize }) });
}

/**
 * Reads a model, cuts it, proves the cut and writes the smaller model. Without `output` nothing is written (a dry
 * run, without a proof).
 * @throws {SsdPruneError} see {@link Pruner.plan}, {@link verifyCut}, {@link readModel}, {@link writeModel}.
 */
export async function pruneFile(
  input: string,
  output: string | undefined,
  options: PruneFileOptions,
): Promise<PruneReport> {
  const started = performance.now();
  const begin = (stage: PruneStage): void => {
    throwIfAborted(options.signal);
    options.onStage?.(stage);
  };
  begin('read');
  const model = await readModel(input);
  begin('plan');
  const pruner = openPruner(model, options.inputShapes);
  const plan = pruner.plan(options);
  begin('cut');
  const cut = pruner.cut(plan);
  const report = buildReport(pruner, plan, cut, { ...options, output });
  if (output !== undefined) {
    if (cut.tensors.length === 0) {
      throw new SsdPruneError(
        'ERR_NO_MATCH',
        'The widths chosen cut nothing; nothing was written. Ask for a larger cut or a smaller --align.',
      );
    }
    if (options.verify ?? true) {
      begin('verify');
      // Loaded here: who opens a model to list its parameters neither proves nor writes.
      const { verifyCut } = require('./verify') as typeof import('./verify');
      report.verified = await verifyCut(pruner.graph, cut, options.signal ? { signal: options.signal } : {});
    }
    begin('write');
    const { writeModel } = require('../model/write') as typeof import('../model/write');
    await writeModel(cut.model, output, { inputs: [input], force: options.force ?? false });
  }
  report.seconds = (performance.now() - started) / 1000;
  return report;
}
