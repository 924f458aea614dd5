/**
 * Detections of a whole dataset, flat: entry i is detection i. An object a detection would cost a million allocations
 * where these cost four.
 */
export interface DetectionSet {
  /** Index of the picture in the dataset's samples. */
  readonly image: Int32Array;
  /** Class index, from 1: nothing detects background. */
  readonly label: Int32Array;
  readonly score: Float32Array | Float64Array;
  /** Four numbers a detection, as {@link layout} says. */
  readonly box: Float32Array | Float64Array;
  /**
   * `normalised`: xmin, ymin, xmax, ymax as shares of the picture's width and height, not clipped.
   * `coco`: x, y, width, height in pixels from the upper left corner, as in a results file. Defaults to `normalised`.
   */
  readonly layout?: 'normalised' | 'coco';
}

/** The detections of the first `count` pictures. */
export function limitDetections(set: DetectionSet, count: number): DetectionSet {
  if (set.image.every((image) => image < count)) return set;
  const kept = Array.from(set.image.keys()).filter((i) => set.image[i]! < count);
  return {
    ...set,
    image: Int32Array.from(kept, (i) => set.image[i]!),
    label: Int32Array.from(kept, (i) => set.label[i]!),
    score: Float64Array.from(kept, (i) => set.score[i]!),
    box: Float64Array.from(kept.flatMap((i) => [...set.box.subarray(i * 4, i * 4 + 4)])),
  };
}

/** Collects detections of normalised boxes one picture after the other. */
export class DetectionBuilder {
  #length = 0;
  #image: Int32Array;
  #label: Int32Array;
  #score: Float32Array;
  #box: Float32Array;

  /** @param capacity detections to make room for at first; it grows by itself. */
  constructor(capacity = 1024) {
    this.#image = new Int32Array(capacity);
    this.#label = new Int32Array(capacity);
    this.#score = new Float32Array(capacity);
    this.#box = new Float32Array(capacity * 4);
  }

  get length(): number {
    return this.#length;
  }

  /** Adds one detection; corners are shares of the picture's width and height. */
  push(image: number, label: number, score: number, xmin: number, ymin: number, xmax: number, ymax: number): void {
    this.#reserve(1);
    const at = this.#length++;
    this.#image[at] = image;
    this.#label[at] = label;
    this.#score[at] = score;
    this.#box[at * 4] = xmin;
    this.#box[at * 4 + 1] = ymin;
    this.#box[at * 4 + 2] = xmax;
    this.#box[at * 4 + 3] = ymax;
  }

  /** Adds a picture's detections: `count` labels and scores, and four numbers a box. */
  append(image: number, count: number, labels: Int32Array, scores: Float32Array, boxes: Float32Array): void {
    this.#reserve(count);
    const at = this.#length;
    this.#image.fill(image, at, at + count);
    this.#label.set(labels.subarray(0, count), at);
    this.#score.set(scores.subarray(0, count), at);
    this.#box.set(boxes.subarray(0, count * 4), at * 4);
    this.#length += count;
  }

  /** What was collected, as copies that later additions don't change. */
  finish(): DetectionSet {
    const n = this.#length;
    return {
      image: this.#image.slice(0, n),
      label: this.#label.slice(0, n),
      score: this.#score.slice(0, n),
      box: this.#box.slice(0, n * 4),
    };
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#image.length) return;
    const capacity = Math.max(needed, this.#image.length * 2);
    const image = new Int32Array(capacity);
    const label = new Int32Array(capacity);
    const score = new Float32Array(capacity);
    const box = new Float32Array(capacity * 4);
    image.set(this.#image);
    label.set(this.#label);
    score.set(this.#score);
    box.set(this.#box);
    [this.#image, this.#label, this.#score, this.#box] = [image, label, score, box];
  }
}
