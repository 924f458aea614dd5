import type { CostModel, CountMode } from '../prune/cost';
import type { MapSettings } from './map-settings';
import type { MeasuredGroup } from './measured-groups';

/** A layer at one of its widths, all others whole. */
export interface MapPoint {
  /** Channels that stay; those that can only go together count as one. */
  readonly kept: number;
  /** Share of the layer's channels that is gone. */
  readonly ratio: number;
  readonly map: number;
  /** Difference from the whole model's mAP; less than 0 where the narrower layer does better. */
  readonly loss: number;
  /** `loss` as a share of the whole model's mAP. */
  readonly relativeLoss: number;
  /** Share of the model's work that is gone. */
  readonly saved: number;
  /** Whether the loss was given by a file instead of measured. */
  readonly imported: boolean;
}

export interface MapLayer {
  /** The layer; several that share their channels are joined by ` + `; further groups of one layer are numbered. */
  readonly name: string;
  readonly channels: number;
  /** Share of the model's work that is the layer's own. */
  readonly share: number;
  /** By ascending ratio. */
  readonly points: readonly MapPoint[];
}

/** What `sensitivity --data --json` prints, and what the results file holds after each point. */
export interface MapSensitivityReport {
  readonly schema: 'ssd-prune.sensitivity-map/1';
  readonly model: string | null;
  readonly prunedParams: string;
  /** What the curves show: mAP evaluated on annotated pictures. */
  readonly measure: 'map';
  /** Folder of the pictures. */
  readonly data: string;
  readonly split: string;
  /** How many were evaluated for each point. */
  readonly images: number;
  /** What `share` and `saved` count. */
  readonly count: CountMode;
  readonly align: number;
  readonly minChannels: number;
  /** Shares of channels that were asked for; each layer took the nearest width. */
  readonly ratios: readonly number[];
  /** All that a point's mAP hangs on: points of other settings don't go together. */
  readonly settings: MapSettings;
  /** mAP of the whole model. */
  readonly base: number;
  /** Where points came from that were not measured. */
  readonly importedFrom: string | null;
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** In network order; those of earlier calls, too. */
  readonly layers: readonly MapLayer[];
  /** Whether every point that was asked for is there. */
  readonly complete: boolean;
  /** Of all calls that the points took. */
  readonly seconds: number;
}

/** A point before it is compared with the whole model: its mAP, or what a file says that it loses. */
export type RawPoint =
  | { readonly map: number; readonly imported: boolean }
  | { readonly loss: number; readonly relative: boolean; readonly imported: true };

const mapOf = (point: RawPoint, base: number): number => {
  if ('map' in point) return point.map;
  return base - (point.relative ? point.loss * base : point.loss);
};

/** Points by layer and channels kept. */
export class MapPoints {
  private readonly byName = new Map<string, Map<number, RawPoint>>();

  get(name: string, kept: number): RawPoint | undefined {
    return this.byName.get(name)?.get(kept);
  }

  /** Measured points stay where others are imported. */
  add(name: string, kept: number, point: RawPoint): void {
    const own = this.byName.get(name) ?? new Map<number, RawPoint>();
    this.byName.set(name, own);
    if (!point.imported || own.get(kept)?.imported !== false) own.set(kept, point);
  }

  /** Points of a layer with the channels they keep, the widest first. */
  of(name: string): [kept: number, RawPoint][] {
    return [...(this.byName.get(name) ?? [])].sort(([a], [b]) => b - a);
  }
}

/** The layers of a report: those that are asked for, and those that points are known of. */
export function mapLayers(
  groups: readonly MeasuredGroup[],
  selected: (group: MeasuredGroup) => boolean,
  points: MapPoints,
  base: number,
  cost: CostModel,
): MapLayer[] {
  const whole = cost.whole();
  return groups.flatMap((measured): MapLayer[] => {
    const { name, group } = measured;
    const own = points.of(name);
    if (own.length === 0 && !selected(measured)) return [];
    const channels = group.classes.length;
    const layers = group.layers.map(({ producer }) => producer.name);
    return [
      {
        name,
        channels,
        share: layers.reduce((sum, layer) => sum + cost.ofLayer(layer, whole), 0) / cost.total(whole),
        points: own.map(([kept, point]) => {
          const map = mapOf(point, base);
          return {
            kept,
            ratio: 1 - kept / channels,
            map,
            loss: base - map,
            relativeLoss: (base - map) / base,
            saved: cost.cut(whole.map((members, id) => (id === group.id ? kept : members))),
            imported: point.imported,
          };
        }),
      },
    ];
  });
}
