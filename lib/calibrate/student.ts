import { SsdPruneError } from '../errors';
import type { OnnxModel } from '../model/onnx-model';
import { listParameters } from '../model/parameters';
import { type CutResult, cutChannels } from '../prune/cut';
import type { PruneOptions, PrunePlanOptions } from '../prune/options';
import { Pruner } from '../prune/prune';
import { inferOptions } from '../prune/prune-model';
import type { Selection } from '../prune/selection';
import { type Layer, readLayer, writeLayer } from './layer-weights';
import { dropUnusedOffsets, type PreparedOffsets, prepareOffsets } from './offsets';
import { type Reader, readersOf } from './readers';
import { type Problem, refit } from './reconstruction';
import type { Repair } from './repair';

/** Places along a tensor's channels that stay; undefined where all do. */
export type KeptPlaces = (tensor: string) => Int32Array | undefined;

/**
 * A model that is cut and repaired step by step, and the *original* that it is held to. Repaired weights stand in a model
 * of full size, of which the student is a cut; slices of channels that are gone are as they were.
 */
export class Student {
  /** On the full-size model with the repaired weights. */
  readonly pruner: Pruner;
  readonly selection: Selection;
  readonly planOptions: PrunePlanOptions;
  /** The original, whose offsets are prepared like the full-size model's. */
  readonly original: OnnxModel;
  readonly readers: ReturnType<typeof readersOf>;
  private readonly offsets: PreparedOffsets;
  private readonly removed = new Set<number>();

  /** @throws {SsdPruneError} what {@link Pruner.select} throws */
  constructor(model: OnnxModel, given: PruneOptions) {
    const full = model.clone();
    this.offsets = prepareOffsets(full);
    this.original = full.clone();
    this.pruner = new Pruner(full, inferOptions(model, given.inputShapes), listParameters(model));
    const { selection, options } = this.pruner.select(given);
    this.selection = selection;
    this.planOptions = options;
    this.readers = readersOf(this.pruner.graph);
  }

  /** As it stands. */
  cut(): CutResult {
    return cutChannels(this.pruner.graph, this.removed, this.pruner.infer);
  }

  /** As it stands, without what was added for repairs and not used. */
  finish(): CutResult {
    const result = this.cut();
    dropUnusedOffsets(result.model, this.offsets);
    return result;
  }

  /** A layer as far as its channels are still there. */
  layer(reader: Reader): Layer {
    return readLayer(this.pruner.graph, reader, this.removed);
  }

  /**
   * Takes classes of channels away.
   * @returns what stays of a tensor, counted among the places that it had before
   */
  remove(classes: readonly number[]): KeptPlaces {
    const { graph } = this.pruner;
    const before = new Set(this.removed);
    for (const root of classes) this.removed.add(root);
    return (tensor) => {
      const label = graph.labelsOf(tensor)[1];
      if (!label) return undefined;
      const present = label.filter((atom) => atom < 0 || !before.has(graph.atoms.find(atom)));
      const kept = Int32Array.from(present.keys()).filter((i) => this.has(present[i]!));
      return kept.length < present.length ? kept : undefined;
    };
  }

  /**
   * Refits a layer on the channels that are left and writes its weights.
   * @returns the error that is left, see refit of reconstruction.ts
   * @throws {SsdPruneError} ERR_BAD_DATA where its activations are not finite
   */
  async mend(problem: Problem, repair: Exclude<Repair, 'none'>, rounds: number): Promise<number | undefined> {
    const { layer, reader } = problem;
    const kept = Int32Array.from(layer.columns.keys()).filter((i) =>
      this.has(reader.channels[Math.floor(layer.columns[i]! / reader.places)]!),
    );
    const fit = await refit(problem, kept, repair, rounds);
    if (!fit.weights.every(Number.isFinite) || !fit.bias.every(Number.isFinite)) {
      throw new SsdPruneError('ERR_BAD_DATA', `${reader.name}: its activations on these pictures are not finite`);
    }
    writeLayer(this.pruner.model, this.original, layer, fit);
    return fit.error;
  }

  private has(atom: number): boolean {
    return atom < 0 || !this.removed.has(this.pruner.graph.atoms.find(atom));
  }
}
