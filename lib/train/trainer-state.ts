import { readFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { Sample } from '../data/dataset';
import { SsdPruneError } from '../errors';
import { readError, replaceFile } from '../files';
import type { DetectorSettings } from '../model/detector';
import { addon } from '../native/addon';
import { decodeArrays, encodeArrays } from './array-file';
import type { LossMean } from './divergence';
import type { DetectorNetwork } from './network';
import {
  describeOptimizerState,
  type OptimizerHeader,
  type OptimizerState,
  restoreOptimizerState,
} from './optimizer-state';
import type { DataPosition } from './passes';
import type { Recipe } from './recipe';
import type { Evaluation } from './trainer-events';
import type { PlannedTraining } from './training-plan';

/** Where a run is, but for its weights. */
export interface Progress {
  /** Steps taken. */
  step: number;
  data: DataPosition;
  /** Whether running statistics were measured anew, where the recipe says so. */
  recalibrated: boolean;
  loss: LossMean;
}

/** What a run is of: a state goes on with nothing else. */
export interface RunIdentity {
  recipe: Recipe;
  /** Name and size of each parameter. */
  parameters: readonly (readonly [name: string, size: number])[];
  /** Checksums: of the network it began with, of the teacher, of the pictures' names and boxes. */
  model: number;
  teacher: number | null;
  data: number;
  /** Of what the detector settings say; of the inner maps that are compared. */
  settings: number;
  /** Instruction set, on which the last bits depend. */
  isa: string;
}

/** What a run is of. */
export function identifyRun(
  { recipe, network, taught, pairs }: PlannedTraining,
  samples: readonly Sample[],
  { input, variances, classes, outputs, nms, priors }: DetectorSettings,
): RunIdentity {
  return {
    recipe,
    parameters: network.plan.parameters.map(({ name, size }) => [name, size] as const),
    model: networkSum(network),
    teacher: taught ? networkSum(taught) : null,
    settings: crc32(JSON.stringify([input, variances, classes, outputs, nms, pairs]), checksum(priors)),
    data: samples.reduce((sum, sample) => crc32(describe(sample), sum), 0),
    isa: process.env.SSD_PRUNE_ISA || addon().instructionSets()[0]!,
  };
}

const checksum = ({ buffer, byteOffset, byteLength }: Float32Array): number =>
  crc32(new Uint8Array(buffer, byteOffset, byteLength));

/** Of a network's graph, with the numbers of its nodes, and of its weights. */
const networkSum = ({ plan, weights }: DetectorNetwork): number => crc32(JSON.stringify(plan.graph), checksum(weights));

/** What training and its evaluations read of a sample. */
const describe = ({ id, width, height, boxes, labels, difficult, crowd }: Sample): string =>
  JSON.stringify([id, width, height, [...boxes], [...labels], [...difficult], [...(crowd ?? [])]]);

/** Everything that a run needs to go on as if nothing had happened. */
export interface TrainerState {
  identity: RunIdentity;
  progress: Progress;
  evaluations: readonly Evaluation[];
  weights: Float32Array;
  /** The weights that were judged best, where they are not those it began with. */
  best: Float32Array | undefined;
  optimizer: OptimizerState;
}

const kind = 'ssd-prune training 1';

interface Header {
  identity: RunIdentity;
  progress: Progress;
  evaluations: readonly Evaluation[];
  length: number;
  best: boolean;
  optimizer: OptimizerHeader;
}

/** Writes a state; no half-written one ever carries the name. */
export async function saveTrainerState(file: string, state: TrainerState): Promise<void> {
  const { identity, progress, evaluations, weights, best, optimizer } = state;
  const { header, arrays } = describeOptimizerState(optimizer);
  const document: Header = {
    ...{ identity, progress, evaluations, length: weights.length, best: best !== undefined },
    optimizer: header,
  };
  await replaceFile(file, encodeArrays(kind, document, [weights, ...(best ? [best] : []), ...arrays]));
}

/** @throws {SsdPruneError} ERR_IO, and ERR_BAD_DATA for what is no whole state */
export async function readTrainerState(file: string): Promise<TrainerState> {
  const bytes = await readFile(file).catch((error) => {
    throw readError(`training state ${file}`, error);
  });
  const { header, take } = decodeArrays<Header>(kind, bytes, file, "a training's state");
  return {
    identity: header.identity,
    progress: header.progress,
    evaluations: header.evaluations,
    weights: take(header.length),
    best: header.best ? take(header.length) : undefined,
    optimizer: restoreOptimizerState(header.optimizer, take),
  };
}

/**
 * Refuses a state of another run.
 * @throws {SsdPruneError} ERR_USAGE saying what differs
 */
export function checkIdentity(file: string, saved: RunIdentity, own: RunIdentity, otherInstructionSet: boolean): void {
  const differs = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b);
  const problems: string[] = [];
  for (const key of Object.keys(own.recipe) as (keyof Recipe)[]) {
    if (!differs(saved.recipe[key], own.recipe[key])) continue;
    problems.push(`${key} was ${JSON.stringify(saved.recipe[key])}, now it is ${JSON.stringify(own.recipe[key])}`);
  }
  if (differs(saved.parameters, own.parameters)) problems.push('it trains other parameters');
  else if (saved.model !== own.model) problems.push('the model has other weights, or numbers of its nodes');
  if (saved.teacher !== own.teacher) problems.push('the teacher is another one');
  if (saved.data !== own.data) problems.push('the pictures or their annotations are others');
  if (saved.settings !== own.settings) problems.push('the detector settings, or the maps compared, are others');
  if (saved.isa !== own.isa && !otherInstructionSet) {
    problems.push(`it ran with ${saved.isa}, here it is ${own.isa}: set SSD_PRUNE_ISA=${saved.isa}, or allow another`);
  }
  if (problems.length === 0) return;
  throw new SsdPruneError('ERR_USAGE', `${file} belongs to another run: ${problems.join('; ')}`);
}
