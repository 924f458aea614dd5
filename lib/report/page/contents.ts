import { counted } from '../../counted';
import type { CurvesPart, FinetunePart, PageDocument, PrunePart, RunPart } from './document';
import { baseName, duration, percent, score, whole } from './format';
import { type LayerRow, layerRows, mergedLayers } from './layer-table';

export type Fact = readonly [name: string, value: string | null | undefined];

/** One figure of the model before and after. */
export interface Total {
  name: string;
  before: number | null;
  after: number | null;
}

export interface ScoredEpoch {
  epoch: number;
  map: number | null;
  /** Where that is known. */
  stage?: 'start' | 'cut' | 'epoch';
}

/** What a page shows, whichever report it is of. */
export interface Contents {
  title: string;
  /** What was done, in a line. */
  subtitle: string;
  facts: readonly Fact[];
  /** Of training. */
  recipe: Readonly<Record<string, unknown>> | null;
  warnings: readonly string[];
  /** Left as they were, and why. */
  skipped: readonly { name: string; reason: string }[];
  totals: readonly Total[];
  /** Milliseconds, where they were measured in the work itself. */
  latency: readonly Total[];
  layers: readonly LayerRow[];
  /** All of a model's parameters, before and after. */
  shapes: readonly { name: string; before: readonly number[] | null; after: readonly number[] | null }[];
  /** mAP on the evaluation split and on the pictures held back, by epoch. */
  evaluated: readonly ScoredEpoch[];
  heldBack: readonly ScoredEpoch[];
  cuts: readonly { epoch: number; label: string }[];
  /** What mAP was measured on. */
  evaluation: string | null;
  /** The files of the model before and after; null where there is none. */
  before: string | null;
  after: string | null;
}

/** Whether a report is of one model's layers, and not of what was done to a model. */
export const isCurves = (document: PageDocument): document is CurvesPart =>
  document.schema === 'ssd-prune.sensitivity/1' || document.schema === 'ssd-prune.sensitivity-map/1';

export function contentsOf(document: Exclude<PageDocument, CurvesPart>): Contents {
  if (document.schema === 'ssd-prune.run/1') return runContents(document);
  return document.schema === 'ssd-prune.prune/1' ? pruneContents(document) : finetuneContents(document);
}

/** Of what a report doesn't tell. */
export const nothing: Omit<Contents, 'title' | 'subtitle' | 'facts' | 'before' | 'after'> = {
  ...{ recipe: null, warnings: [], skipped: [], totals: [], latency: [], layers: [], shapes: [] },
  ...{ evaluated: [], heldBack: [], cuts: [], evaluation: null },
};

function runContents(run: RunPart): Contents {
  const { data, macs, parameters, cuts, metrics } = run;
  const [start] = metrics;
  const evaluation = data.evaluation === null ? null : `${data.evaluation} (${data.evaluated} pictures)`;
  return {
    ...nothing,
    title: `${baseName(run.model)} → ${baseName(run.output)}`,
    subtitle: `Compression run of ${baseName(run.configuration)}: ${counted(run.epochs, 'epoch')}, ${counted(cuts.length, 'cut')}, ${duration(run.seconds)}`,
    facts: [
      ['Configuration', run.configuration],
      ['Model', run.model],
      ['Output', run.output],
      ['Teacher', run.teacher],
      ...cuts.map(
        ({ strategy, epoch, report }): Fact => [
          `Cut by ${strategy}`,
          `epoch ${epoch}, ${cutInWords(report)}${askedFor(report)}`,
        ],
      ),
      ['Data', data.folder],
      ['Trained on', pictures(data.train ?? 'all', data)],
      ['Evaluated on', evaluation],
      ['Epochs, steps', `${run.epochs}, ${whole(run.steps)}`],
      ['Weights kept', keptWeights(run)],
      ['Resumed from', run.resumed],
      ['Time', duration(run.seconds)],
    ],
    recipe: run.recipe,
    warnings: run.warnings,
    skipped: cuts.flatMap(({ report }) => report.skipped),
    totals: [
      { name: 'MACs', ...macs },
      { name: 'Parameters', ...parameters },
      { name: 'mAP', before: start?.stage === 'start' ? start.map : null, after: run.map },
    ],
    layers: mergedLayers(run),
    shapes: run.shapes,
    evaluated: metrics,
    heldBack: run.heldBack,
    cuts: cuts.map(({ epoch, step, report }) => ({
      // In mid-epoch where a strategy cuts there.
      epoch: typeof run.recipe.stepsPerEpoch === 'number' ? step / run.recipe.stepsPerEpoch : epoch,
      label: `cut −${percent(1 - report.macs.after / report.macs.before, 0)}`,
    })),
    evaluation,
    before: run.model,
    after: run.output,
  };
}

function pruneContents(report: PrunePart): Contents {
  const { model, output, macs, paddleFlops, parameters, verified, latency } = report;
  const text = (key: string): string | null => {
    const value = report[key];
    return value === null || value === undefined ? null : String(value);
  };
  const proof = verified
    ? `largest difference ${verified.maxAbsDiff.toPrecision(2)} on ${verified.images} pictures${verified.vacuous ? ' (vacuous)' : ''}`
    : 'not done';
  return {
    ...nothing,
    title: `${model === null ? 'a model' : baseName(model)}${output === null ? '' : ` → ${baseName(output)}`}`,
    subtitle: `${output === null ? 'What a cut would remove' : 'Channels cut'}: ${cutInWords(report)}`,
    facts: [
      ['Model', model],
      ['Output', output ?? 'none (dry run)'],
      ['Parameters selected by', text('prunedParams')],
      ['Criterion', text('criterion')],
      ['Allocation', text('allocation')],
      ['Sensitivities', text('sensitivities')],
      ['Ranking', text('ranking')],
      ['Target', typeof report.targetRatio === 'number' ? `−${percent(report.targetRatio)}` : null],
      ['Tolerance', text('tolerance')],
      ['Counted in', text('count')],
      ['Widths in multiples of', text('align')],
      ['Seed', text('seed')],
      ['Proof against the masked original', proof],
      ['Time', duration(report.seconds)],
    ],
    skipped: report.skipped,
    totals: [
      { name: 'MACs', ...macs },
      { name: 'Paddle 1.x FLOPs', ...paddleFlops },
      { name: 'Parameters', ...parameters },
    ],
    latency: latency
      ? [
          {
            ...{ name: 'Latency, median', before: latency.before.medianMilliseconds },
            after: latency.after.medianMilliseconds,
          },
        ]
      : [],
    layers: layerRows(report.layers, macs.before),
    before: model,
    after: output,
  };
}

function finetuneContents(report: FinetunePart): Contents {
  const { data, evaluations, best } = report;
  const start = evaluations.find(({ step }) => step === 0);
  const written = report.kept === 'last' ? evaluations.at(-1) : best;
  return {
    ...nothing,
    title: `${baseName(report.model)}${report.output === null ? '' : ` → ${baseName(report.output)}`}`,
    subtitle: `Fine-tuning${report.finished ? '' : ', not finished'}: ${whole(report.step)} steps, ${duration(report.seconds)}`,
    facts: [
      ['Model', report.model],
      ['Output', report.output ?? 'none yet'],
      ['Teacher', report.teacher],
      ['Data', data.folder],
      ['Trained on', pictures(data.split ?? 'all', data)],
      ['Steps', whole(report.step)],
      ['Weights kept', report.kept],
      ['Speed', report.imagesPerSecond > 0 ? `${report.imagesPerSecond.toFixed(1)} images/s` : null],
      ['Time', duration(report.seconds)],
    ],
    recipe: report.recipe,
    warnings: report.belowStart ? ['No weights of this run were better than those that it began with.'] : [],
    totals: start ? [{ name: 'mAP, pictures held back', before: start.map, after: written?.map ?? null }] : [],
    heldBack: evaluations,
    before: report.model,
    after: report.output,
  };
}

function keptWeights({ kept, keptAt }: RunPart): string {
  const which = kept === 'best' ? 'best on the pictures held back' : 'of the last step';
  return keptAt ? `${which}: epoch ${Number(keptAt.epoch.toFixed(2))}, mAP ${score(keptAt.map)} there` : which;
}

function cutInWords(report: PrunePart): string {
  const text = (key: string): string => (report[key] === undefined ? '' : `, ${String(report[key])}`);
  const { macs } = report;
  return `−${percent(1 - macs.after / macs.before)} of MACs${text('criterion')}${text('allocation')}`;
}

/** What a cut was to take, of what. */
function askedFor({ targetRatio, count, prunedParams }: PrunePart): string {
  const paddle = count === 'paddle1x' ? ' of Paddle 1.x FLOPs' : '';
  const target = typeof targetRatio === 'number' ? `; asked for −${percent(targetRatio)}${paddle}` : '';
  return `${target}; selected by ${String(prunedParams)}`;
}

function pictures(split: string, { trained, heldBack, leftOut }: RunPart['data'] | FinetunePart['data']): string {
  const rest = [`${heldBack} held back`, ...(leftOut > 0 ? [`${leftOut} left out`] : [])];
  return `${split}: ${whole(trained)} pictures, ${rest.join(', ')}`;
}
