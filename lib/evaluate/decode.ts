import { types } from 'node:util';
import { SsdPruneError } from '../errors';
import type { DetectorSettings } from '../model/detector';
import { addon } from '../native/addon';
import type { NativeBoxSettings } from '../native/vision';
import type { OrtData } from './runtime';
import type { Feeds } from './session-protocol';

/** Numbers a detection in the rows of {@link BoxDecoder.detect}: label, score, xmin, ymin, xmax, ymax. */
export const rowLength = 6;

/** Settings of suppression that stand in for the detector's own. */
export type NmsOverrides = Partial<DetectorSettings['nms']>;

/**
 * From a detector's outputs to detections as Paddle's `detection_output` makes them: boxes decoded against the priors
 * (not clipped), per class the `topK` best scores above the threshold, suppression, `keepTopK` over all classes.
 */
export class BoxDecoder {
  /** Names of the outputs it reads. */
  readonly outputs: string[];
  private readonly settings: NativeBoxSettings;

  constructor(
    private readonly detector: DetectorSettings,
    overrides: NmsOverrides = {},
  ) {
    const { outputs, classes, variances, priors, nms } = detector;
    this.outputs = [outputs.scores, outputs.boxes];
    this.settings = {
      boxes: priors.length / 4,
      classes: classes.length,
      logits: outputs.scoresAre === 'logits',
      corners: outputs.boxesAre === 'corners',
      variances,
      ...nms,
      ...overrides,
    };
  }

  /**
   * Detections of each picture of a batch, by class, best first; corners are shares of the picture.
   * @param pictures how many of the batch count, from its begin
   * @throws {SsdPruneError} ERR_BAD_CONFIG where the outputs' shapes do not fit the detector settings
   */
  detect(outputs: Feeds<OrtData>, pictures: number): Promise<Float32Array[]> {
    const { scores: scoresName, boxes: boxesName } = this.detector.outputs;
    const { classes, corners } = this.settings;
    const scores = this.values(outputs, scoresName);
    const boxes = this.values(outputs, boxesName);
    const count = corners ? boxes.dims.at(-2)! : this.settings.boxes;
    this.check(scoresName, scores.dims, [count, classes], pictures);
    this.check(boxesName, boxes.dims, [count, 4], pictures);
    const settings = { ...this.settings, boxes: count };
    const detections = Array.from({ length: pictures }, (_, index) =>
      addon().detectBoxes(scores.data, boxes.data, this.detector.priors, settings, index),
    );
    return Promise.all(detections);
  }

  private values(outputs: Feeds<OrtData>, name: string): { dims: number[]; data: Float32Array } {
    const { dims, data } = outputs[name] ?? { dims: [], data: undefined };
    // Not by instanceof, which an array of another realm (a vm context, as test runners make) fails.
    if (types.isFloat32Array(data)) return { dims, data };
    throw new SsdPruneError('ERR_BAD_CONFIG', `Output "${name}" is not a floating-point tensor`);
  }

  /** Shapes are (pictures, boxes, columns); exporters also leave them flat, as (pictures, boxes · columns). */
  private check(name: string, dims: number[], [count, columns]: [number, number], pictures: number): void {
    const size = dims.reduce((a, b) => a * b, 1);
    const fits =
      dims[0]! >= pictures && size === dims[0]! * count * columns && [columns, count * columns].includes(dims.at(-1)!);
    if (!fits) {
      throw new SsdPruneError(
        'ERR_BAD_CONFIG',
        `Output "${name}" has the shape (${dims.join(', ')}), but the detector settings ask for (n, ${count}, ${columns}): ` +
          'priors and classes must be those of this model',
      );
    }
  }
}
