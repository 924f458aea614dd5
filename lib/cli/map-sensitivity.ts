import { SsdPruneError } from '../errors';
import type { WeightCriterion } from '../prune/options';
import type { MapSensitivityReport } from '../sensitivity/map-report';
import type { PaddleForm } from '../sensitivity/paddle-file';
import { interruptible } from './guards';
import { type LayerArguments, layerOptions } from './layer-options';
import { evalOptions, type MetricArguments, metricOptions, warnAbout } from './metric-options';
import { type NmsArguments, nmsOptions, nmsOverrides } from './nms-options';
import { type RunArguments, runOptions } from './run-options';
import type { Progress, Ui } from './ui';
import { undefaulted } from './undefaulted';

/** The options of `sensitivity` with `--data`. */
export interface MapSensitivityArguments
  extends LayerArguments,
    Partial<Omit<MetricArguments, 'bootstrap'>>,
    NmsArguments,
    Partial<RunArguments> {
  model: string;
  split?: string;
  delta?: number;
  at?: string;
  criterion?: WeightCriterion;
  limit?: number;
  images?: number;
  sensitivities?: string;
  pickle?: string;
  pickleForm?: PaddleForm;
  plot?: string;
  force: boolean;
  report?: string;
}

/** What only `--data` reads; without defaults, so that they can be refused without it. */
export const mapOptions = undefaulted({
  delta: { type: 'number', describe: 'Cut this share of a layer’s channels, twice it, … below 1  [default: 0.2]' },
  at: { type: 'string', describe: 'Cut these shares instead: 0.1,0.25,0.5' },
  criterion: {
    choices: ['l1_norm', 'l2_norm', 'geometry_median', 'bn_scale', 'random'] as const,
    describe: 'How channels are scored; the lowest go  [default: "l1_norm"]',
  },
  limit: { type: 'number', describe: 'Only the first pictures of the split' },
  images: { type: 'number', describe: 'Only so many pictures of the split, drawn by --seed' },
  seed: { type: 'number', describe: 'Seed of --images and of --criterion random  [default: 0]' },
  sensitivities: {
    type: 'string',
    describe: 'Points that need no evaluation: another report, or PaddleSlim’s pickle',
  },
  pickle: { type: 'string', describe: 'Write the losses to this file as PaddleSlim’s pickle, too' },
  'pickle-form': {
    choices: ['1.x', '2.x'] as const,
    describe: 'Of which PaddleSlim: differences in mAP, or shares of it  [default: "1.x"]',
  },
  'batch-size': runOptions['batch-size'],
  threads: runOptions.threads,
  protocol: metricOptions.protocol,
  'ap-version': metricOptions['ap-version'],
  'overlap-threshold': metricOptions['overlap-threshold'],
  'evaluate-difficult': metricOptions['evaluate-difficult'],
  ...nmsOptions,
  'skip-bad': { type: 'boolean', describe: 'Count pictures that cannot be read as empty' },
});

/** Losses of mAP with `--data`; an interruption leaves the finished points in the report. */
export async function measureMap(args: MapSensitivityArguments, data: string, ui: Ui): Promise<MapSensitivityReport> {
  const { sensitivityMapFile } = require('../sensitivity/map-file') as typeof import('../sensitivity/map-file');
  if (args.delta !== undefined && args.at !== undefined)
    throw new SsdPruneError('ERR_USAGE', 'Give the shares by --delta or by --at, not both.');
  if (args.pickle === undefined && args.pickleForm !== undefined)
    throw new SsdPruneError('ERR_USAGE', '--pickle-form changes nothing without --pickle: add that or leave it off.');
  if (args.seed !== undefined && args.images === undefined && args.criterion !== 'random')
    throw new SsdPruneError(
      'ERR_USAGE',
      '--seed changes nothing without --images or --criterion random: add one or leave it off.',
    );
  const { device = 'auto', batchSize, threads, skipBad } = args;
  const set = <K extends string, V>(key: K, value: V | undefined) =>
    (value === undefined ? {} : { [key]: value }) as Partial<Record<K, V>>;
  let bar: Progress | undefined;
  let last = '';
  return interruptible((signal) =>
    sensitivityMapFile(args.model, {
      ...layerOptions(args),
      data,
      ...set('split', args.split),
      ...set('ratios', ratios(args)),
      ...set('criterion', args.criterion),
      ...set('limit', args.limit),
      ...set('images', args.images),
      ...set('seed', args.seed),
      ...set('detector', args.detector),
      ...set('report', args.report),
      ...set('sensitivities', args.sensitivities),
      ...set('pickle', args.pickle),
      ...set('pickleForm', args.pickleForm),
      ...set('plot', args.plot),
      force: args.force,
      metric: metricOf(args),
      run: {
        device,
        nms: nmsOverrides(args),
        ...set('batchSize', batchSize),
        ...set('threads', threads),
        ...(skipBad && { onBadPicture: (error: SsdPruneError) => ui.warn(`${error.message}; skipped`) }),
      },
      signal,
      onDataset: (dataset) => warnAbout(dataset, ui),
      onNote: ui.note,
      onProgress: (pictures, total) => {
        bar ??= ui.progress('pictures', total);
        bar.update(pictures, {}, last);
      },
      onPoint: (point, done, total) => {
        last = ` · ${done} of ${total} points, ${point.layer} at ${point.kept}: mAP ${point.map.toFixed(4)}`;
        if (ui.json) ui.event({ event: 'point', ...point, done, total }, () => last);
      },
    }),
  )
    .finally(() => bar?.stop())
    .catch((error: unknown) => {
      const { existsSync } = require('node:fs') as typeof import('node:fs');
      const aborted = error instanceof SsdPruneError && error.code === 'ERR_ABORTED';
      if (aborted && args.report !== undefined && existsSync(args.report))
        ui.note(`${args.report} holds the points so far: the same command goes on from there.`);
      throw error;
    });
}

/** The arguments of the metric as the library takes them: no intervals, which a loss has no use for. */
function metricOf({ protocol = 'detection_map', evaluateDifficult = false, ...args }: MapSensitivityArguments) {
  const { bootstrap: _, ...metric } = evalOptions({ ...args, protocol, evaluateDifficult, bootstrap: 0, seed: 0 });
  return metric;
}

function ratios({ delta, at }: MapSensitivityArguments): number[] | undefined {
  if (at !== undefined) {
    return at.split(',').map((text) => {
      const value = /^\d*\.?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
      if (value > 0 && value < 1) return value;
      throw new SsdPruneError(
        'ERR_USAGE',
        `Expected numbers between 0 and 1 in --at but received ${JSON.stringify(text)}.`,
      );
    });
  }
  const { ratiosOf } = require('../sensitivity/map-sensitivity') as typeof import('../sensitivity/map-sensitivity');
  return delta === undefined ? undefined : ratiosOf(delta);
}
