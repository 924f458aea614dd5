import type { OnnxModel } from '../model/onnx-model';
import type { PruneOptions } from '../prune/options';
import type { Pruner } from '../prune/prune';
import type { Selection } from '../prune/selection';
import { type WidthGrid, widthGrid } from '../prune/width-grid';
import type { GroupCurve } from './allocation';
import { errorCurve } from './channel-choice';
import type { CalibrationSource } from './pictures';
import { defaultSampleBytes, sampleBytes } from './samples';
import { type SamplingOptions, StageSamples, sampledOf } from './stage-samples';
import { groupStages, namesOf, type OnStage, type Stage } from './stages';
import { Student } from './student';

/** What the selected groups lose as they get narrower, see {@link errorCurves}. */
export interface Curves {
  readonly pruner: Pruner;
  readonly selection: Selection;
  readonly grids: readonly WidthGrid[];
  /** In network order; none for a group whose readers can't be sampled. */
  readonly curves: readonly GroupCurve[];
}

export interface CurveOptions extends SamplingOptions {
  /** Called before each group with what is being worked on. */
  onStage?: OnStage | undefined;
}

/** Samples of a layer for error curves. */
const curveRows = 8192;

/**
 * How much of their output the layers that read a group's channels can't be made to give back as the group gets
 * narrower, for every selected group by itself, the others left whole. Nothing is cut, and no target is needed.
 * @throws {SsdPruneError} what {@link Pruner.select} throws, and ERR_BAD_DATA where activations are not finite
 */
export async function errorCurves(model: OnnxModel, given: PruneOptions, options: CurveOptions): Promise<Curves> {
  const student = new Student(model, given);
  return StageSamples.use(student, options, (samples) => measureCurves(student, samples, options.source, options));
}

/** Error curves of all selected groups, every one cut alone in the original. */
export async function measureCurves(
  student: Student,
  samples: StageSamples,
  source: CalibrationSource,
  options: CurveOptions,
): Promise<Curves> {
  const { pruner, selection, planOptions } = student;
  const grids = selection.groups.map((group) => widthGrid(group, planOptions));
  const stages = groupStages(pruner.graph, selection.groups, student.readers);
  const curves: GroupCurve[] = [];
  const rows = options.rows ?? curveRows;
  const activations = samples.activations('curves', source, rows);
  const bytesOf = ({ readers }: Stage): number =>
    sampleBytes(readers.map(sampledOf), source.count, { ...options, seed: 0, rows });
  const limit = options.sampleBytes ?? defaultSampleBytes;
  for (let done = 0; done < stages.length; ) {
    const together = leading(stages.slice(done), limit, bytesOf);
    const readers = together.flatMap((stage) => stage.readers);
    const later = stages.slice(done + together.length);
    options.onStage?.(namesOf(together[0]!), done, stages.length);
    const problems = await samples.of('original', activations, { ...together[0]!, readers }, later);
    for (const stage of together) {
      const group = stage.group!;
      const own = problems.splice(0, stage.readers.length);
      options.onStage?.(namesOf(stage), done, stages.length);
      done++;
      const least = grids.find((grid) => grid.group === group)!.steps[0]!;
      if (own.length === 0) continue;
      const curve = await errorCurve(pruner.graph, group, own, group.classes.length - least);
      const names = stage.readers.map(({ name }) => name);
      curves.push({ group, readers: names, partial: stage.fixed.length > 0, ...curve });
    }
  }
  await activations.restart();
  options.onStage?.('', stages.length, stages.length);
  return { pruner, selection, grids, curves };
}

/** The first stages, as many as take no more than `most` together; one at least. */
function leading(stages: readonly Stage[], most: number, bytesOf: (stage: Stage) => number): Stage[] {
  let bytes = 0;
  const end = stages.findIndex((stage, i) => {
    bytes += bytesOf(stage);
    return i > 0 && bytes > most;
  });
  return stages.slice(0, end < 0 ? stages.length : end);
}
