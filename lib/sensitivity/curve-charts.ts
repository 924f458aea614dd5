import path from 'node:path';
import type { MapSensitivityReport } from './map-report';
import { type SensitivityReport, workOf, worstFirst } from './sensitivity';

/** A layer at one of its widths. */
export interface ChartPoint {
  readonly kept: number;
  /** Share of its channels that is gone. */
  readonly ratio: number;
  /** Share that is lost there, from 0. */
  readonly lost: number;
}

export interface ChartLine {
  readonly name: string;
  readonly points: readonly ChartPoint[];
  /** Points with a dot on them. */
  readonly dots: readonly ChartPoint[];
  /** The number behind the name. */
  readonly share: number | null;
  readonly bold: boolean;
}

/** What a picture of curves shows. */
export interface CurveChart {
  readonly title: string;
  readonly subtitle: string;
  /** What is lost. */
  readonly unit: string;
  /** What the numbers behind the names are. */
  readonly shareOf: string;
  /** Layers that have points. */
  readonly lines: readonly ChartLine[];
  /** Share of the channels that the narrowest layer of a target keeps; undefined without a target. */
  readonly narrowest: number | undefined;
}

export const percent = (share: number): string => `${+(100 * share).toPrecision(3)} %`;

/** XML has no place for control characters. */
const readable = (name: string): string => name.replace(/\p{Cc}/gu, '\ufffd');

/** What of a report its curves are drawn from. */
export type DrawnReport =
  | SensitivityReport
  | Pick<MapSensitivityReport, 'measure' | 'model' | 'images' | 'base' | 'layers' | 'count'>;

/** What the curves of a report look like. */
export const chartOf = (report: DrawnReport): CurveChart =>
  report.measure === 'map' ? mapChart(report) : errorChart(report);

const modelName = (model: string | null): string => (model === null ? '' : `${readable(path.basename(model))} · `);

/** Errors of reconstruction; with a target dots at the chosen widths, and the three that lose most in bold. */
function errorChart(report: SensitivityReport): CurveChart {
  const { model, images, targetRatio } = report;
  const drawn = report.layers.filter(({ points }) => points.length > 0);
  const worst = new Set(worstFirst(drawn).slice(0, 3));
  const target = targetRatio === null ? '' : ` · dots: the widths for −${percent(targetRatio)} ${workOf(report)}`;
  const chosen = drawn.flatMap((layer) => layer.chosen ?? []);
  return {
    title: 'What the layers behind lose as a layer gets narrower',
    subtitle: `${modelName(model)}each layer cut alone, ${images} pictures${target}`,
    unit: 'error kept: share of the output variance of the layers that read these channels',
    shareOf: targetRatio === null ? `of ${workOf(report)}` : 'of all error',
    lines: drawn.map((layer) => {
      const at = ({ kept, ratio, errorKept }: { kept: number; ratio: number; errorKept: number | null }) => ({
        kept,
        ratio,
        lost: errorKept ?? 0,
      });
      return {
        name: readable(layer.name),
        points: layer.points.map(at),
        dots: layer.chosen ? [at(layer.chosen)] : [],
        share: layer.chosen ? layer.chosen.errorShare : layer.share,
        bold: worst.has(layer),
      };
    }),
    narrowest: chosen.length > 0 ? Math.min(...chosen.map(({ ratio }) => 1 - ratio)) : undefined,
  };
}

/** Losses of mAP: a dot on every point that was evaluated, since the line between two of them is a guess. */
function mapChart(report: Exclude<DrawnReport, SensitivityReport>): CurveChart {
  const { model, images, base, layers } = report;
  return {
    title: 'What mAP is lost as a layer gets narrower',
    subtitle: `${modelName(model)}each layer cut alone, ${images} pictures, mAP ${base.toFixed(4)} whole`,
    unit: 'loss: share of the whole model’s mAP',
    shareOf: `of ${workOf(report)}`,
    lines: layers
      .filter(({ points }) => points.length > 0)
      .map(({ name, channels, share, points }) => {
        // Less than nothing is noise.
        const dots = points.map(({ kept, ratio, relativeLoss }) => ({ kept, ratio, lost: Math.max(0, relativeLoss) }));
        const whole = { kept: channels, ratio: 0, lost: 0 };
        return { name: readable(name), points: [whole, ...dots], dots, share, bold: false };
      }),
    narrowest: undefined,
  };
}
