import type { Argv } from 'yargs';
import { breathe } from '../abort';
import { type Repair, repairs } from '../calibrate/repair';
import { SsdPruneError } from '../errors';
import type { LatencyBudget, LatencyStage } from '../latency/latency-search';
import { allocations, type PruneOptions, pruneCriteria } from '../prune/options';
import { type CalibrationArguments, calibration, calibrationOptions, refuseWithout } from './calibration-options';
import { type LayerArguments, layerOptions, lockOptions, selectionOptions, widthOptions } from './layer-options';
import { makeUi, type Progress, type Ui } from './ui';

interface PruneArguments extends LayerArguments, CalibrationArguments {
  model: string;
  output?: string;
  targetRatio?: string;
  targetLatency?: string;
  threads?: number;
  ratios?: string;
  criterion?: PruneOptions['criterion'];
  allocation?: PruneOptions['allocation'];
  sensitivities?: string;
  ranking?: PruneOptions['ranking'];
  order?: string;
  paddle1x: boolean;
  seed?: number;
  repair?: Repair;
  dryRun: boolean;
  verify?: boolean;
  force: boolean;
  report?: string;
  json: boolean;
  quiet: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional('model', { type: 'string', demandOption: true, describe: 'ONNX file' })
    .options({
      output: { alias: 'o', type: 'string', describe: 'Where to write the smaller model' },
      ...selectionOptions,
      'target-ratio': { type: 'string', describe: 'Share of the work to remove; several with --dry-run: 0.1,0.2,0.3' },
      'target-latency': {
        type: 'string',
        describe:
          'Instead: latency to reach, measured here, as a share of the original’s (0.8) or in milliseconds (9.5ms)',
      },
      threads: {
        type: 'number',
        describe: 'Threads that --target-latency is measured with; 0: one a core  [default: 1]',
      },
      ratios: { type: 'string', describe: 'Share of channels to remove by layer, instead: NAME=0.25,…' },
      criterion: {
        choices: pruneCriteria,
        describe: 'How channels are scored; the lowest go  [default: "l1_norm"; "obs" with --calibrate]',
      },
      allocation: {
        choices: allocations,
        describe:
          'Same ratio everywhere, rank across layers, least error on the pictures, or least loss of mAP  [default: "uniform"; "error" with --calibrate]',
      },
      sensitivities: {
        type: 'string',
        describe:
          'What each layer loses, for --allocation sensitivity: a report of sensitivity --data, or PaddleSlim’s pickle',
      },
      align: { type: 'number', describe: 'Widths become multiples of this  [default: 8; 1 with --paddle1x]' },
      ...widthOptions,
      ranking: {
        choices: ['frozen', 'sequential'],
        describe: 'Score original weights, or each layer after the earlier cuts  [default: "frozen"]',
      },
      order: { type: 'string', describe: 'Layer names, comma separated, for --ranking sequential' },
      paddle1x: { type: 'boolean', default: false, describe: 'Exactly what Paddle 1.8.5 does' },
      seed: { type: 'number', describe: 'Seed of --criterion random  [default: 0]' },
      calibrate: {
        type: 'string',
        describe: 'Choose and repair channels with pictures: a folder, or a list (a path a line)',
      },
      ...calibrationOptions,
      detector: {
        type: 'string',
        describe: "Detector settings (JSON), where the model's metadata have none; the output carries them",
      },
      'calibration-images': { type: 'number', describe: 'Pictures drawn for --calibrate  [default: 256]' },
      repair: {
        choices: repairs,
        describe:
          'What --calibrate refits: nothing, biases, the layers that read cut channels, or all behind too  [default: "full"]',
      },
      ...lockOptions,
      'dry-run': { type: 'boolean', default: false, describe: 'Show what would be cut, write nothing' },
      verify: { type: 'boolean', describe: 'Prove the cut before writing; --no-verify: don’t  [default: true]' },
      force: { type: 'boolean', default: false, describe: 'Replace the output where it exists' },
      report: { type: 'string', describe: 'Write the JSON report to this file, too' },
    })
    .example(
      "$0 prune ssd.onnx -o small.onnx --pruned-params 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0' --target-ratio 0.2",
      '',
    )
    .example(
      "$0 prune ssd.onnx -o small.onnx --pruned-params 'conv2d_[1-9].w_0' --target-ratio 0.5 --calibrate VOC2007",
      'no training needed: channels chosen and repaired with 256 pictures of the train split',
    )
    .example(
      "$0 prune ssd.onnx -o small.onnx --pruned-params 'conv2d_[1-9].w_0' --target-latency 0.8 --calibrate VOC2007",
      'a fifth less time on this machine',
    )
    .example(
      "$0 prune ssd.onnx -o small.onnx --pruned-params 'conv2d_[1-9].w_0' --target-ratio 0.5 --allocation sensitivity --sensitivities points.json",
      'widths by what each layer costs in mAP, as sensitivity --data measured it',
    )
    .example("$0 prune ssd.onnx --dry-run --pruned-params 'conv2d_[1-9].w_0' --target-ratio 0.1,0.2,0.3", '');
}

export async function handler(args: PruneArguments): Promise<void> {
  const ui = makeUi(args);
  const targets = parseTargets(args);
  // What is written carries detector settings, whether or not pictures were prepared by them.
  const byPictures = Object.keys(calibrationOptions).filter((name) => name !== 'detector' || args.dryRun);
  if (args.calibrate === undefined) refuseWithout('calibrate', [...byPictures, 'repair'], args);
  if (args.targetLatency === undefined) refuseWithout('target-latency', ['threads'], args);
  if (args.allocation !== 'sensitivity') refuseWithout('allocation sensitivity', ['sensitivities'], args);
  if (args.criterion !== 'random') refuseWithout('criterion random', ['seed'], args);
  if (args.paddle1x && args.ranking === 'frozen')
    throw usage('Paddle 1.x ranks each layer after the earlier cuts: leave --ranking frozen or --paddle1x off.');
  if (args.dryRun && args.verify) throw usage('--dry-run proves nothing: leave --verify off.');
  if (args.dryRun && args.output !== undefined) throw usage('--dry-run writes nothing: leave -o off.');
  if (!args.dryRun && args.output === undefined)
    throw usage('Say where to write the smaller model with -o OUT.onnx, or add --dry-run.');
  if (targets.length > 1) {
    if (!args.dryRun) throw usage('Several targets need --dry-run.');
    if (args.calibrate !== undefined) throw usage('Several targets are compared without --calibrate.');
    if (args.targetLatency !== undefined) throw usage('Several targets are compared without --target-latency.');
    return compareTargets(args, ui, targets);
  }
  const { pruneFile } = require('../prune/prune-file') as typeof import('../prune/prune-file');
  const report = await pruneFile(args.model, args.output, {
    ...(await options(args, targets[0])),
    verify: args.verify ?? true,
    force: args.force,
    ...(args.report !== undefined && { report: args.report }),
    ...(args.detector !== undefined && { detector: args.detector }),
    onStage: (stage) => stage === 'verify' && ui.note('proving the cut on noise pictures …'),
    ...(args.calibrate !== undefined && {
      calibrate: {
        ...calibration(args, args.calibrate, ui),
        ...(args.repair !== undefined && { repair: args.repair }),
      },
    }),
    ...(args.targetLatency !== undefined && { latency: latency(args, args.targetLatency, ui) }),
  });
  const { renderPruneReport } = require('../prune/prune-table') as typeof import('../prune/prune-table');
  ui.result(report, () => renderPruneReport(report));
}

function latency({ threads }: PruneArguments, target: string, ui: Ui): LatencyBudget {
  const { parseLatencyTarget } = require('../latency/target') as typeof import('../latency/target');
  let bar: Progress | undefined;
  return {
    target: parseLatencyTarget(target),
    ...(threads !== undefined && { threads }),
    onNote: ui.note,
    onProgress(stage, done, total) {
      bar ??= ui.progress(stages[stage], total);
      bar.update(done);
      if (done < total) return;
      bar.stop();
      bar = undefined;
    },
  };
}

const stages: Record<LatencyStage, string> = { table: 'timing layers', widths: 'trying widths', result: 'timing' };

/** `--dry-run` with several targets: one column each, and what can't be reached says so. */
async function compareTargets(args: PruneArguments, ui: Ui, targets: readonly number[]): Promise<void> {
  const { readModel } = require('../model/read') as typeof import('../model/read');
  const { checkReport, saveReport } = require('../prune/prune-file') as typeof import('../prune/prune-file');
  const { openPruner } = require('../prune/prune-model') as typeof import('../prune/prune-model');
  const { buildReport } = require('../prune/report') as typeof import('../prune/report');
  const { renderTargets } = require('../prune/prune-table') as typeof import('../prune/prune-table');
  const base = await options(args, undefined);
  const model = await readModel(args.model);
  if (args.report !== undefined) await checkReport(args.report, model, base);
  const pruner = openPruner(model, base.inputShapes);
  const columns: Parameters<typeof renderTargets>[0][number][] = [];
  for (const target of targets) {
    // An interruption comes through here: planning itself blocks.
    await breathe();
    const given = { ...base, targetRatio: target };
    try {
      const plan = pruner.plan(given);
      columns.push({ target, report: buildReport(pruner, plan, pruner.cut(plan), given) });
    } catch (error) {
      if (!(error instanceof SsdPruneError && error.code === 'ERR_TARGET_UNREACHABLE')) throw error;
      columns.push({ target, error: error.message });
    }
  }
  await breathe();
  const largest = pruner.largestCut(base);
  const document = {
    schema: 'ssd-prune.prune-targets/1',
    model: args.model,
    largestReachable: largest,
    targets: columns,
  };
  if (args.report !== undefined) await saveReport(args.report, document);
  ui.result(document, () => renderTargets(columns, largest));
}

async function options(args: PruneArguments, targetRatio: number | undefined): Promise<PruneOptions> {
  const { sensitivities } = args;
  const { readLossCurves } = require('../sensitivity/loss-curves') as typeof import('../sensitivity/loss-curves');
  const set = <K extends keyof PruneOptions>(key: K, value: PruneOptions[K] | undefined) =>
    value === undefined ? {} : { [key]: value };
  return {
    ...layerOptions(args),
    paddle1x: args.paddle1x,
    ...set('seed', args.seed),
    ...set('criterion', args.criterion),
    ...set('allocation', args.allocation),
    ...set('sensitivities', sensitivities === undefined ? undefined : await readLossCurves(sensitivities)),
    ...set('targetRatio', targetRatio),
    ...set('ratios', parseRatios(args.ratios)),
    ...set('ranking', args.ranking),
    ...set(
      'order',
      args.order?.split(',').map((name) => name.trim()),
    ),
  };
}

function parseTargets({ targetRatio, ratios, targetLatency }: PruneArguments): number[] {
  if (targetRatio === undefined) {
    if (ratios === undefined && targetLatency === undefined)
      throw usage('Say how much to cut: --target-ratio 0.2, --target-latency 0.8, or --ratios NAME=0.25,…');
    return [];
  }
  return targetRatio.split(',').map((text) => {
    const value = decimal(text);
    if (!(value > 0 && value < 1)) {
      throw usage(`Expected a number between 0 and 1 for --target-ratio but received ${JSON.stringify(text)}.`);
    }
    return value;
  });
}

function parseRatios(text: string | undefined): Map<string, number> | undefined {
  if (text === undefined) return undefined;
  const ratios = new Map<string, number>();
  for (const entry of text.split(',')) {
    const at = entry.lastIndexOf('=');
    const name = entry.slice(0, Math.max(0, at)).trim();
    const value = decimal(entry.slice(at + 1));
    if (name === '' || Number.isNaN(value)) {
      throw usage(`Expected NAME=RATIO in --ratios but received ${JSON.stringify(entry)}.`);
    }
    if (ratios.has(name)) throw usage(`--ratios names ${JSON.stringify(name)} twice.`);
    ratios.set(name, value);
  }
  return ratios;
}

/** A decimal number, or NaN: Number() alone would take nothing for 0 and 0x1 for 1. */
const decimal = (text: string): number =>
  /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : Number.NaN;

const usage = (message: string): SsdPruneError => new SsdPruneError('ERR_USAGE', message);
