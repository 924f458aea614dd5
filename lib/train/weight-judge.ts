import type { Dataset, Sample } from '../data/dataset';
import type { DetectorSettings } from '../model/detector';
import { unbounded } from './divergence';
import type { DetectorNetwork } from './network';
import type { Recipe } from './recipe';
import type { Teacher } from './teacher';
import { teacherTruth } from './teacher-truth';
import type { Evaluation, EvaluationEvent } from './trainer-events';
import { evaluateWeights } from './validation';

/** What weights are judged on, and how. */
export interface JudgedBy {
  network: DetectorNetwork;
  detector: DetectorSettings;
  dataset: Pick<Dataset, 'classes'>;
  /** Pictures that are not trained on; none: nothing is judged. */
  held: readonly Sample[];
  /** Where the pictures have no labels: what it finds on them, from this score on, is what they show. */
  teacher?: Teacher & { confidence: number };
  /** Threads of evaluations; 0: one a core. */
  threads: number;
}

/** Judges a run's weights by the pictures held back, and keeps the best. */
export class WeightJudge {
  readonly #by: JudgedBy;
  #truth: readonly Sample[] | undefined;
  #evaluations: Evaluation[] = [];
  #bestWeights: Float32Array | undefined;

  constructor(by: JudgedBy) {
    this.#by = by;
  }

  /** In the order of their steps. */
  get evaluations(): readonly Evaluation[] {
    return this.#evaluations;
  }

  /** The best of them, the first one where several are. */
  get best(): Evaluation | undefined {
    return this.#evaluations.reduce<Evaluation | undefined>((a, b) => (a && a.map >= b.map ? a : b), undefined);
  }

  /** The weights that were judged best, where they are not those that the network came with. */
  get bestWeights(): Float32Array | undefined {
    return this.#bestWeights;
  }

  /** Goes on from an earlier run's judgements. */
  restore(evaluations: readonly Evaluation[], bestWeights: Float32Array | undefined): void {
    this.#evaluations = [...evaluations];
    this.#bestWeights = bestWeights;
  }

  /** Whether weights are to be judged before the step after `step`: the first ones there are, then every so many epochs. */
  isDue(step: number, { steps, stepsPerEpoch, evaluateEvery }: Recipe): boolean {
    if (this.#by.held.length === 0 || this.#evaluations.at(-1)?.step === step) return false;
    return this.#evaluations.length === 0 || step === steps || step % (evaluateEvery * stepsPerEpoch) === 0;
  }

  /**
   * @throws {SsdPruneError} what evaluation throws, such as ERR_NO_RUNTIME; ERR_DIVERGED where trained weights find boxes
   * that are not finite; ERR_BAD_DATA where the teacher that it is to be like finds nothing
   */
  async judge(weights: Float32Array, step: number, epoch: number, signal?: AbortSignal): Promise<EvaluationEvent> {
    const begin = performance.now();
    const { network, detector, dataset, threads } = this.#by;
    const truth = await this.truth(signal);
    const map = await evaluateWeights(network, detector, dataset, truth, weights, { threads, signal }).catch(
      (error) => {
        const { NonFiniteDetection } = require('../evaluate/mean-ap') as typeof import('../evaluate/mean-ap');
        throw step > 0 && error instanceof NonFiniteDetection ? unbounded(step, error) : error;
      },
    );
    const best = this.#evaluations.every((earlier) => map > earlier.map);
    this.#evaluations.push({ step, epoch, map });
    // Behind a cut in the middle of a run the first ones are not those that the network came with.
    if (best && (step > 0 || this.#evaluations.length > 1)) this.#bestWeights = weights;
    return { event: 'evaluation', step, epoch, map, best, seconds: (performance.now() - begin) / 1000 };
  }

  /** The pictures held back, with the objects that detections are held against. */
  async truth(signal?: AbortSignal): Promise<readonly Sample[]> {
    const { held, teacher, detector, threads } = this.#by;
    this.#truth ??= teacher ? await teacherTruth(teacher, detector, held, { ...teacher, threads, signal }) : held;
    return this.#truth;
  }
}
