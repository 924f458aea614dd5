import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { readConfig } from '../../lib/config/config';
import { ConfigFolder, ownYaml, paddleYaml } from './folder';

const folder = new ConfigFolder();
const at = (...names: string[]) => folder.at(...names);
afterAll(() => folder.remove());

const none = { page: null, log: null, tensorboard: null };
const read = (text: string, set?: string[]) => readConfig(folder.write('run.yaml', text), set && { set });

describe("PaddleSlim's own file with our sections", () => {
  test('gives everything, defaults filled in and paths absolute', async () => {
    expect(await read(paddleYaml + ownYaml)).toEqual({
      file: at('run.yaml'),
      paddle1x: false,
      model: { file: at('m.onnx'), teacher: at('m.onnx') },
      data: { folder: at('voc'), train: 'train', evaluation: 'val', skipBad: false },
      training: {
        batchSize: 8,
        precision: 'fp32',
        decay: 'cosine',
        headsFirst: 0,
        augment: 'light',
        batchStatistics: true,
        heldBack: 0.1,
        explosion: 20,
        seed: 0,
        labels: 'annotations',
        optimizer: { rule: 'muon', maxNorm: 10, average: 0.998 },
        groups: { weightDecay: 0.0005, backboneRate: 1 },
        loss: { overlap: 0.5, teacher: { classWeight: 1, boxWeight: 1, temperature: 1 } },
      },
      evaluation: { protocol: 'detection_map', evaluateDifficult: false },
      calibration: { pictures: at('voc'), split: 'train', images: 256, seed: 0 },
      device: { evaluation: 'auto', threads: 0 },
      output: { ...none, model: at('out.onnx'), report: null, keep: 'best' },
      compressor: {
        epochs: 200,
        checkpoints: { folder: at('checkpoints'), keep: 2, minutes: 10 },
        evalEpoch: 1,
        strategies: [
          {
            name: 'uniform_pruning_strategy',
            class: 'UniformPruneStrategy',
            options: {
              prunedParams: 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0',
              criterion: 'l1_norm',
              repair: 'none',
              allocation: 'uniform',
              skipLocked: false,
              includeTied: false,
              startEpoch: 0,
              endEpoch: 0,
              targetRatio: 0.2,
            },
            where: `${at('run.yaml')}:11:5`,
          },
        ],
      },
      warnings: [],
    });
  });

  test('the older name compress_pass is the compressor', async () => {
    const text = (paddleYaml + ownYaml).replace('compressor:', 'compress_pass:');
    const { compressor } = await read(text);
    expect(compressor).toEqual((await read(paddleYaml + ownYaml)).compressor);
  });

  test("what is tuned in Python's syntax is read: quotes, none in any case, versions as text", async () => {
    const text = paddleYaml
      .replace('version: 1.0', "version: '1.0'")
      .replace("#init_model: './checkpoints/0'", 'init_model: None')
      .replace("pruned_params: 'conv", "metric_name: none\n        pruned_params: 'conv");
    const config = await read(text + ownYaml);
    expect(config.compressor.initModel).toBeUndefined();
    expect(config.warnings).toEqual([]);
  });
});

test('without labels no split is looked for unless one is named', async () => {
  const text = paddleYaml + ownYaml;
  const { data, calibration } = await read(`${text}\ntraining: {labels: none}\n`);
  expect([data.train, calibration.split]).toEqual([null, undefined]);
  const labelled = await read(text);
  expect([labelled.data.train, labelled.calibration.split]).toEqual(['train', 'train']);
});

test('every key of our own reaches the result', async () => {
  const text = `
version: 1
compat: paddle1x
model: {file: m.onnx, detector: detector.json, teacher: teacher.onnx}
data: {folder: voc, train: trainval, evaluation: none, skip_bad: true}
strategies:
  one: {class: UniformPruneStrategy, target_ratio: 0.1, pruned_params: a, skip_locked: true, include_tied: true}
  two: {class: UniformPruneStrategy, start_epoch: 3, end_epoch: 9, pruned_params: b}
compressor:
  epoch: 4
  init_model: start.onnx
  checkpoint_path: states
  eval_epoch: 2
  keep_checkpoints: 5
  checkpoint_minutes: 0.5
  strategies: [two, one]
training:
  batch_size: 32
  micro_batch: 8
  precision: bf16
  rate: 1e-3
  decay: paddle
  warm_up: 10
  heads_first: 0.5
  optimizer: rmsprop
  max_norm: 0
  average: 0
  weight_decay: 5e-5
  backbone_rate: 0.1
  loss: softmax
  overlap: 0.4
  augment: none
  teacher_classes: 2
  teacher_boxes: 0
  teacher_features: 4
  temperature: 3
  batch_statistics: false
  recalibrate: 0
  held_back: 0.2
  explosion: none
  seed: 7
  labels: none
evaluation: {protocol: voc, ap_version: integral, overlap_threshold: 0.6, evaluate_difficult: true, batch_size: 4}
calibration: {pictures: pictures.txt, images: 64, seed: 3}
device: {evaluation: cpu, threads: 2}
output: {model: out/small.onnx, report: out/report.json, page: out/page.html, log: out/log.jsonl, tensorboard: out/curves, keep: last}
`;
  mkdirSync(at('out'), { recursive: true });
  expect(await read(text)).toEqual({
    file: at('run.yaml'),
    paddle1x: true,
    model: { file: at('m.onnx'), detector: at('detector.json'), teacher: at('teacher.onnx') },
    data: { folder: at('voc'), train: 'trainval', evaluation: null, skipBad: true },
    training: {
      batchSize: 32,
      microBatch: 8,
      precision: 'bf16',
      rate: 0.001,
      decay: 'paddle',
      warmUp: 10,
      headsFirst: 0.5,
      optimizer: { rule: 'rmsprop' },
      groups: { weightDecay: 0.00005, backboneRate: 0.1 },
      loss: {
        classes: 'softmax',
        overlap: 0.4,
        teacher: { classWeight: 2, boxWeight: 0, featureWeight: 4, temperature: 3 },
      },
      augment: 'none',
      batchStatistics: false,
      recalibrate: 0,
      heldBack: 0.2,
      explosion: null,
      seed: 7,
      labels: 'none',
    },
    evaluation: {
      protocol: 'voc',
      apVersion: 'integral',
      overlapThreshold: 0.6,
      evaluateDifficult: true,
      batchSize: 4,
    },
    calibration: { pictures: at('pictures.txt'), images: 64, seed: 3 },
    device: { evaluation: 'cpu', threads: 2 },
    output: {
      model: at('out', 'small.onnx'),
      report: at('out', 'report.json'),
      page: at('out', 'page.html'),
      log: at('out', 'log.jsonl'),
      tensorboard: at('out', 'curves'),
      keep: 'last',
    },
    compressor: {
      // The second strategy ends later than the file says.
      epochs: 9,
      initModel: at('start.onnx'),
      checkpoints: { folder: at('states'), keep: 5, minutes: 0.5 },
      evalEpoch: 2,
      strategies: [
        expect.objectContaining({
          name: 'two',
          options: expect.objectContaining({ startEpoch: 3, endEpoch: 9, targetRatio: 0.5, prunedParams: 'b' }),
        }),
        expect.objectContaining({
          name: 'one',
          options: expect.objectContaining({ targetRatio: 0.1, skipLocked: true, includeTied: true }),
        }),
      ],
    },
    warnings: [],
  });
});

const cut = (keys: string, criterions = "{'*': l1_norm}", more = '') => `${more}
pruners: {p: {class: StructurePruner, criterions: ${criterions}}}
strategies: {u: {class: UniformPruneStrategy, pruner: p${keys}}}
compressor: {epoch: 2, strategies: [u]}
${ownYaml}`;

describe('cuts', () => {
  const options = async (text: string) => (await read(text)).compressor.strategies[0]!.options;

  test('criterion obs repairs in full and spreads by error, unless the strategy says otherwise', async () => {
    const obs = { criterion: 'obs', repair: 'full', allocation: 'error' };
    expect(await options(cut('', "{'*': obs}"))).toMatchObject(obs);
    const said = await options(cut(', repair: none, allocation: uniform', "{'*': obs}"));
    expect(said).toMatchObject({ criterion: 'obs', repair: 'none', allocation: 'uniform' });
  });

  test('the criterion may be said by exact names as well, where all are the same', async () => {
    expect(await options(cut('', "{'*': l2_norm, conv2d_1.w_0: l2_norm}"))).toMatchObject({ criterion: 'l2_norm' });
  });

  test('widths are as said', async () => {
    const keys = ', align: 4, count: paddle1x, tolerance: 0, min_channels: 2';
    expect(await options(cut(keys))).toMatchObject({ align: 4, count: 'paddle1x', tolerance: 0, minChannels: 2 });
  });

  test('without a pruner the criterion is l1_norm', async () => {
    expect(await options(cut('').replace(', pruner: p', ''))).toMatchObject({ criterion: 'l1_norm' });
  });
});

describe('other strategies', () => {
  const options = async (strategy: string, more = '') => {
    const text = `${ownYaml}${more}\nstrategies: {s: {${strategy}}}\ncompressor: {epoch: 2, strategies: [s]}\n`;
    const { compressor } = await read(text);
    return { epochs: compressor.epochs, ...compressor.strategies[0]!.options };
  };

  test('a little every few epochs: the run lasts to the end of the last cut’s', async () => {
    expect(await options('class: IterativePruneStrategy, num_steps: 3, every: 2, curve: cosine')).toMatchObject({
      ...{ epochs: 5, endEpoch: 5, startEpoch: 0, steps: 3, every: 2, curve: 'cosine', targetRatio: 0.5 },
    });
  });

  test('latency as a share, in percent, or in milliseconds', async () => {
    const target = async (text: string) =>
      (await options(`class: LatencyPruneStrategy, target_latency: ${text}`)) as Record<string, unknown>;
    expect(await target('0.8')).toMatchObject({ target: { share: 0.8 }, threads: 1, startEpoch: 0 });
    expect(await target('75%')).toMatchObject({ target: { share: 0.75 } });
    expect(await target('9.5ms')).toMatchObject({ target: { milliseconds: 9.5 } });
  });

  test('by sensitivities: PaddleSlim’s keys, its steps of delta_rate written out, its file beside the configuration', async () => {
    const keys = 'num_steps: 2, delta_rate: 0.3, eval_rate: 0.5, sensitivities: {}, metric_name: map';
    expect(await options(`class: SensitivePruneStrategy, ${keys}, sensitivities_file: s.data`)).toMatchObject({
      ...{
        steps: 2,
        ratios: [0.3, 0.6, 0.9],
        evalRate: 0.5,
        file: at('s.data'),
        targetRatio: 0.5,
        criterion: 'l1_norm',
      },
    });
    expect(await options('class: SensitivePruneStrategy')).toMatchObject({
      ...{ steps: 1, ratios: [0.2, 0.4, 0.6, 0.8], evalRate: 1, file: at('sensitivities.json') },
    });
  });

  test('annealing as its controller says, or as suits mAP', async () => {
    const own = { reduceRate: 0.9, initTemperature: 0.02, maxIterNumber: 300 };
    expect(await options('class: AutoPruneStrategy, min_ratio: 0.1, max_ratio: 0.3')).toMatchObject({
      ...{ minRatio: 0.1, maxRatio: 0.3, searchSteps: 50, seed: 0, annealing: own },
    });
    const controllers = '\ncontrollers: {sa: {class: SAController, reduce_rate: 0.5}}';
    expect(await options('class: AutoPruneStrategy, controller: sa', controllers)).toMatchObject({
      annealing: { reduceRate: 0.5, initTemperature: 1024, maxIterNumber: 300 },
    });
  });
});

test('defaults lie beside the file that was named, wherever its sections come from', async () => {
  folder.write('preset/run.yaml', cut('').replace('Uniform', 'Sensitive').replace(ownYaml, ''));
  const { compressor, included } = await read(`include: [preset/run.yaml]\n${ownYaml}`);
  expect(compressor.checkpoints.folder).toBe(at('checkpoints'));
  expect(compressor.strategies[0]!.options.file).toBe(at('sensitivities.json'));
  expect(included).toEqual([at('preset', 'run.yaml')]);
});

test('what PaddleSlim reads and uses nowhere may say anything', async () => {
  const text = cut(', sensitivities: {conv2d_1.w_0: 0.1}').replace('Uniform', 'Sensitive');
  expect((await read(text)).compressor.strategies).toHaveLength(1);
});

describe('remarks', () => {
  test('accuracy as a metric becomes mAP', async () => {
    const { warnings } = await read(cut(', metric_name: acc_top1'));
    expect(warnings).toEqual([`${at('run.yaml')}:3:71: acc_top1 is not measured here: mAP takes its place`]);
    expect((await read(cut(', metric_name: mAP'))).warnings).toEqual([]);
  });

  test('a strategy that nothing names is not used', async () => {
    const { warnings, compressor } = await read(cut('').replace('strategies: [u]', 'strategies: []'));
    expect(compressor.strategies).toEqual([]);
    expect(warnings).toEqual([
      `${at('run.yaml')}:3:14: the strategy u is not used: compressor.strategies doesn't name it`,
      `${at('run.yaml')}:4:1: nothing is cut: compressor.strategies names no strategy`,
    ]);
  });
});

describe('include', () => {
  test('what a file says itself wins, plugins by name and sections key by key; paths are relative to their files', async () => {
    folder.write('base/more.yaml', 'training: {seed: 1, batch_size: 8, rate: 0.1}\noutput: {model: more.onnx}\n');
    folder.write(
      'base/base.yaml',
      `include: [more.yaml]
pruners: {p: {class: StructurePruner, criterions: {'*': l2_norm}}}
controllers: {c: {class: SAController, reduce_rate: 0.5, max_iter_number: 7}}
strategies:
  u: {class: UniformPruneStrategy, pruner: p, target_ratio: 0.3, min_channels: 4}
  v: {class: UniformPruneStrategy, target_ratio: 0.4, start_epoch: 1}
  w: {class: AutoPruneStrategy, controller: c}
training: {seed: 2, batch_size: 4}
compressor: {epoch: 3, checkpoint_path: states, strategies: [u, v, w]}
`,
    );
    const config = await read(`include:
  - base/base.yaml
strategies:
  u: {class: UniformPruneStrategy, pruner: p, target_ratio: 0.2}
controllers: {c: {class: SAController, reduce_rate: 0.6}}
training: {seed: 3}
model: {file: m.onnx}
data: {folder: voc}
`);
    expect(config.training).toMatchObject({ seed: 3, batchSize: 4, rate: 0.1 });
    expect(config.output.model).toBe(at('base', 'more.onnx'));
    expect(config.compressor.checkpoints.folder).toBe(at('base', 'states'));
    const [u, v, w] = config.compressor.strategies;
    expect(w!.options.annealing).toEqual({ reduceRate: 0.6, initTemperature: 1024, maxIterNumber: 300 });
    expect(u!.options).toMatchObject({ targetRatio: 0.2, criterion: 'l2_norm' });
    expect(u!.options).not.toHaveProperty('minChannels');
    expect(v!.options).toMatchObject({ targetRatio: 0.4, startEpoch: 1 });
    expect([u!.where, v!.where]).toEqual([`${at('run.yaml')}:4:3`, `${at('base', 'base.yaml')}:6:3`]);
  });

  test('what is wrong in an included file has its name', async () => {
    folder.write('base/wrong.yaml', '\ntraining:\n  batch_size: none of them\n');
    await expect(read(`include: [base/wrong.yaml]\n${paddleYaml}${ownYaml}`)).rejects.toMatchObject({
      code: 'ERR_BAD_CONFIG',
      message: `${at('base', 'wrong.yaml')}:3:15: Expected a whole number from 1 up for training.batch_size but received "none of them" of type string`,
    });
  });

  test('two files may include the same third', async () => {
    folder.write('third.yaml', 'training: {seed: 5}');
    folder.write('first.yaml', 'include: [third.yaml]');
    folder.write('second.yaml', 'include: [third.yaml]');
    const config = await read(`include: [first.yaml, second.yaml]\n${paddleYaml}${ownYaml}`);
    expect(config.training.seed).toBe(5);
  });
});

describe('set', () => {
  const text = paddleYaml + ownYaml;

  test('values are YAML, before the schema is checked; missing sections are made', async () => {
    const config = await read(text, [
      'strategies.uniform_pruning_strategy.target_ratio=0.3',
      'training.explosion=null',
      'training.seed=4',
      'training.seed=5',
      'compressor.strategies=[uniform_pruning_strategy]',
      'compressor.strategies.0=uniform_pruning_strategy',
      'evaluation={protocol: coco}',
      'data.evaluation=none',
      'training.rate=',
    ]);
    expect(config.compressor.strategies[0]!.options.targetRatio).toBe(0.3);
    expect(config.training).toMatchObject({ explosion: null, seed: 5 });
    expect(config.training).not.toHaveProperty('rate');
    expect(config.evaluation.protocol).toBe('coco');
    expect(config.data.evaluation).toBeNull();
  });

  test('a wrong value of the file may be set right', async () => {
    const config = await read(text.replace('epoch: 200', 'epoch: many'), ['compressor.epoch=2']);
    expect(config.compressor.epochs).toBe(2);
  });

  test('paths are relative to the working directory', async () => {
    const config = await read(text, [`output.model=${path.basename('small.onnx')}`]);
    expect(config.output.model).toBe(path.resolve('small.onnx'));
  });

  test.each<[set: string, message: string]>([
    ['training', 'Expected KEY.KEY=VALUE'],
    ['=3', 'Expected KEY.KEY=VALUE'],
    ['training..seed=3', 'Expected KEY.KEY=VALUE'],
    ['__proto__.x=3', 'Expected KEY.KEY=VALUE'],
    ['include=[a.yaml]', "include can't be set: files are put together before"],
    ['model.file.name=x', 'model.file is no map: there is no "name" in it'],
    ['compressor.strategies.1=x', 'compressor.strategies is a list of 1: there is no "1" in it'],
    ['training.seed=[1', 'Flow sequence must end with a ]'],
    ['strategies.uniform.target_ratio=0.3', 'strategies has no uniform, only uniform_pruning_strategy'],
    [
      'strategies.uniform_prunin_strategy.seed=3',
      'strategies has no uniform_prunin_strategy: did you mean uniform_pruning_strategy?',
    ],
    ['pruners.p.class=x', 'unknown class x: there is StructurePruner'],
    ['controllers.c.seed=1', 'controllers has no c, nor any'],
    ['training.sed=1', 'unknown key sed in training: did you mean seed?'],
    ['trainin.seed=1', 'unknown key trainin: did you mean training?'],
    ['training.seed=x', 'Expected a whole number from 0 up for training.seed but received "x" of type string'],
    ['training=x', 'Expected a map for training but received "x" of type string'],
    ['model.file=nowhere.onnx', `model.file: ${path.resolve('nowhere.onnx')} is not there`],
  ])('%s: %s', async (set, message) => {
    await expect(read(text, [set])).rejects.toMatchObject({
      code: 'ERR_BAD_CONFIG',
      message: `--set ${set}: ${message}`,
    });
  });
});

describe('YAML', () => {
  test('anchors, aliases and merge keys are written out; what a map says itself wins', async () => {
    const config = await read(`
strategies:
  one: &cut {class: UniformPruneStrategy, target_ratio: &share 0.1, min_channels: 4}
  two: {<<: *cut, start_epoch: 1, target_ratio: 0.2}
  three: {<<: [{target_ratio: *share}, *cut], start_epoch: 2, min_channels: 8}
compressor: {epoch: 3, strategies: [one, two, three]}
${ownYaml}`);
    expect(config.compressor.strategies.map(({ options }) => [options.targetRatio, options.minChannels])).toEqual([
      [0.1, 4],
      [0.2, 4],
      [0.1, 8],
    ]);
  });

  test('a byte order mark and Windows line ends change nothing', async () => {
    const text = `\uFEFF${(paddleYaml + ownYaml).replaceAll('\n', '\r\n')}`;
    expect(await read(text)).toEqual(await read(paddleYaml + ownYaml));
  });

  test('JSON is YAML', async () => {
    const config = await read(
      JSON.stringify({
        compressor: { epoch: 1 },
        model: { file: 'm.onnx' },
        data: { folder: 'voc' },
        output: { model: 'o.onnx' },
      }),
    );
    expect(config.compressor.epochs).toBe(1);
  });
});
