import type { NativeMeanAp } from '../native/mean-ap';
import { mean } from './statistics';

/** COCO's twelve numbers; `null` where COCO's own tool prints -1: no object is of that size. */
export interface CocoSummary {
  AP: number | null;
  AP50: number | null;
  AP75: number | null;
  APsmall: number | null;
  APmedium: number | null;
  APlarge: number | null;
  AR1: number | null;
  AR10: number | null;
  AR100: number | null;
  ARsmall: number | null;
  ARmedium: number | null;
  ARlarge: number | null;
}

const [areas, thresholds, recalls] = [4, 10, 6];

/** From AP and recall by class, area and threshold to the summary and each class's AP over all thresholds. */
export function summariseCoco({ ap, recall, positives }: NativeMeanAp): {
  numbers: CocoSummary;
  classAp: Float64Array;
} {
  const classes = positives.length;
  const collect = (values: Float64Array, columns: number, column: number, first = 0, last = thresholds) => {
    const found: number[] = [];
    for (let label = 1; label < classes; label++) {
      for (let t = first; t < last; t++) {
        const value = values[(label * columns + column) * thresholds + t]!;
        if (!Number.isNaN(value)) found.push(value);
      }
    }
    return mean(found);
  };
  const classAp = Float64Array.from({ length: classes }, (_, label) => {
    const start = label * areas * thresholds;
    return mean(ap.subarray(start, start + thresholds))!;
  });
  const numbers: CocoSummary = {
    AP: collect(ap, areas, 0),
    AP50: collect(ap, areas, 0, 0, 1),
    AP75: collect(ap, areas, 0, 5, 6),
    APsmall: collect(ap, areas, 1),
    APmedium: collect(ap, areas, 2),
    APlarge: collect(ap, areas, 3),
    AR1: collect(recall, recalls, 0),
    AR10: collect(recall, recalls, 1),
    AR100: collect(recall, recalls, 2),
    ARsmall: collect(recall, recalls, 3),
    ARmedium: collect(recall, recalls, 4),
    ARlarge: collect(recall, recalls, 5),
  };
  return { numbers, classAp };
}
