import { readFileSync } from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv/dist/2020';
import { parse } from 'yaml';
import { readConfig } from '../../lib/config/config';
import { ConfigFolder } from './folder';

const folder = new ConfigFolder();
afterAll(() => folder.remove());

/** What a right configuration consists of; a case brings some sections of its own, and the others stand behind it. */
const sections = {
  model: 'model: {file: m.onnx}',
  data: 'data: {folder: voc}',
  output: 'output: {model: out.onnx}',
  compressor: 'compressor: {epoch: 4}',
};

/** In a case: in front of the place that the message is to name. */
const mark = '→';

function caseOf(text: string, without: readonly string[] = []) {
  const before = text.split(mark)[0]!.split('\n');
  const others = Object.entries(sections).filter(
    ([name]) => !without.includes(name) && !new RegExp(`^${name}:`, 'm').test(text.replace(mark, '')),
  );
  const place = text.includes(mark) ? `${before.length}:${before.at(-1)!.length + 1}` : '1:1';
  return { text: [text.replace(mark, ''), ...others.map(([, section]) => section)].join('\n'), place };
}

const uniform = (keys: string, more = '') =>
  `pruners: {p1: {class: StructurePruner}}
strategies:
  u: {class: UniformPruneStrategy, pruner: p1${keys}}
compressor: {epoch: 4, strategies: [u]${more}}`;

type Case = [text: string, message: string];

const syntax: Case[] = [
  ['training:\n→\tseed: 1', 'tabs are not allowed as indentation: write spaces'],
  ['training: {seed: 1, →seed: 2}', 'the key "seed" stands here a second time'],
  ['training:\n  seed: 1\n→training:\n  rate: 1', 'the key "training" stands here a second time'],
  ['training: →*base', 'no anchor &base before this alias'],
  ["pruners:\n  p:\n    criterions:\n      *→: 'l1_norm'", 'no name of an alias: a * alone is written in quotes, "*"'],
  [
    'training: →seed: 1',
    'a second "key: value" on one line: write text with a colon in quotes, a map on lines of its own',
  ],
  [
    'training: {seed: 1\n→data: {folder: voc}',
    'Flow map in block collection must be sufficiently indented and end with a }',
  ],
  ['training: {seed: →!!python/object/apply:os.system [ls]}', 'tags (!…) are not supported'],
  ['training: {seed: 1}\n→---', 'a second document begins here: a file has one'],
  ['training:\n  ? →[seed]\n  : 1', "what stands here can't be a key: a key is a name"],
  ['training: {→__proto__: 1}', "__proto__ can't be a key: a key is a name"],
  ['training: {<<: →3}', '<< takes a map, or a list of maps'],
  ['training: &t {seed: →*t}', 'the alias *t is inside of its own anchor'],
];

const keys: Case[] = [
  ['→versoin: 1.0', 'unknown key versoin: did you mean version?'],
  [
    '→dataset: {folder: voc}',
    'unknown key dataset: there are version, include, compat, model, data, pruners, controllers, strategies, compressor, compress_pass, training, evaluation, calibration, device, output',
  ],
  ['training:\n  seed: 1\n  →bach_size: 4', 'unknown key bach_size in training: did you mean batch_size?'],
  [
    'compressor:\n  epoch: 4\n  →batch_size: 4',
    'unknown key batch_size in compressor: it belongs in training or evaluation',
  ],
  ['compressor: {epoch: 4, →target_ratio: 0.2}', 'unknown key target_ratio in compressor: it belongs in strategies'],
  ['→epoch: 4', 'unknown key epoch: it belongs in compressor'],
  ['data: {folder: voc, →optimiser: sgd}', 'unknown key optimiser in data: did you mean optimizer in training?'],
  ['device: {→gpu: 1}', 'unknown key gpu in device: there are evaluation, threads'],
  ['device: {→constructor: 1}', 'unknown key constructor in device: there are evaluation, threads'],
  [uniform(', →start_epohc: 1'), 'unknown key start_epohc in strategies.u: did you mean start_epoch?'],
  [
    'pruners: {p: {class: StructurePruner, →criterion: l1_norm}}',
    'unknown key criterion in pruners.p: did you mean criterions?',
  ],
  ['→compressor: {eval_epoch: 1}', 'missing key epoch in compressor (Epochs of the whole run)'],
  ['→model: {detector: detector.json}', 'missing key file in model (ONNX file of the model to be pruned)'],
  ['strategies:\n  →u:\n    target_ratio: 0.2', 'missing key class in strategies.u'],
  [
    '→compress_pass: {epoch: 4}\ncompressor: {epoch: 4}',
    'compress_pass is an older name of compressor, which is there, too',
  ],
];

const values: Case[] = [
  ['version: →2.0', 'version 2 is not known: 1.0 is'],
  ['version: →[1]', 'Expected a number or text for version but received a list'],
  ['compat: →paddle2x', 'Expected paddle1x for compat but received "paddle2x" of type string'],
  [
    'compressor: {epoch: →"200 epochs"}',
    'Expected a whole number from 1 up for compressor.epoch but received "200 epochs" of type string',
  ],
  ['compressor: {epoch: →0}', 'Expected a whole number from 1 up for compressor.epoch but received 0 of type number'],
  [
    'compressor: {epoch: →1.5}',
    'Expected a whole number from 1 up for compressor.epoch but received 1.5 of type number',
  ],
  [
    'compressor:\n  epoch: 4\n  eval_epoch: →0',
    'Expected a whole number from 1 up for compressor.eval_epoch but received 0 of type number',
  ],
  [
    'compressor:\n  epoch: 4\n  strategies: →u',
    'Expected a list for compressor.strategies but received "u" of type string',
  ],
  [
    'compressor:\n  epoch: 4\n  strategies:\n    - →u: 1',
    'Expected text for compressor.strategies.0 but received a map',
  ],
  ['compressor: →4', 'Expected a map for compressor but received 4 of type number'],
  [
    'compressor: {epoch: 4, keep_checkpoints: →0}',
    'Expected a whole number from 1 up for compressor.keep_checkpoints but received 0 of type number',
  ],
  [
    'compressor: {epoch: 4, checkpoint_minutes: →0}',
    'Expected a number above 0 for compressor.checkpoint_minutes but received 0 of type number',
  ],
  [
    uniform(', target_ratio: →1.2'),
    'Expected a number between 0 and 1 for strategies.u.target_ratio but received 1.2 of type number',
  ],
  [
    uniform(', target_ratio: →0'),
    'Expected a number between 0 and 1 for strategies.u.target_ratio but received 0 of type number',
  ],
  [
    uniform(', target_ratio: →20%'),
    'Expected a number between 0 and 1 for strategies.u.target_ratio but received "20%" of type string',
  ],
  [
    uniform(', start_epoch: →-1'),
    'Expected a whole number from 0 up for strategies.u.start_epoch but received -1 of type number',
  ],
  [uniform(', pruned_params: →[a]'), 'Expected text for strategies.u.pruned_params but received a list'],
  [
    uniform(", pruned_params: →'conv2d_(?#one)1.w_0'"),
    'The pattern "conv2d_(?#one)1.w_0" can\'t be used: comments (?#…) are not supported (at place 8)',
  ],
  [
    uniform(', repair: →all'),
    'Expected one of none, bias, least_squares, full for strategies.u.repair but received "all" of type string',
  ],
  [
    uniform(', align: →7.5'),
    'Expected a whole number from 1 up for strategies.u.align but received 7.5 of type number',
  ],
  [
    uniform(', skip_locked: →yes'),
    'Expected true or false for strategies.u.skip_locked but received "yes" of type string',
  ],
  [
    "pruners: {p: {class: StructurePruner, pruning_axis: {'*': →1}}}",
    'Expected 0 for pruners.p.pruning_axis.* but received 1 of type number',
  ],
  [
    "pruners: {p: {class: StructurePruner, criterions: {'*': →l1}}}",
    'Expected one of l1_norm, l2_norm, geometry_median, bn_scale, random, obs for pruners.p.criterions.* but received "l1" of type string',
  ],
  ['strategies: →[u]', 'Expected a map for strategies but received a list'],
  ['strategies: {u: →0.2}', 'Expected a map for strategies.u but received 0.2 of type number'],
  [
    'training: {batch_size: →0}',
    'Expected a whole number from 1 up for training.batch_size but received 0 of type number',
  ],
  ['training: {rate: →.nan}', 'Expected a number above 0 for training.rate but received NaN of type number'],
  [
    'training: {weight_decay: →1e999}',
    'Expected a number from 0 up for training.weight_decay but received Infinity of type number',
  ],
  [
    'training: {seed: →12345678901234567890}',
    'Expected a whole number from 0 up for training.seed but received 12345678901234567000 of type number',
  ],
  ['training: {average: →1}', 'Expected a number from 0 to below 1 for training.average but received 1 of type number'],
  [
    'training: {optimizer: →adam}',
    'Expected one of sgd, rmsprop, adamw, muon for training.optimizer but received "adam" of type string',
  ],
  ['training: {explosion: →1}', 'Expected a number above 1 for training.explosion but received 1 of type number'],
  [
    'training: {batch_statistics: →1}',
    'Expected true or false for training.batch_statistics but received 1 of type number',
  ],
  [
    'evaluation: {overlap_threshold: →1.5}',
    'Expected a number from 0 to 1 for evaluation.overlap_threshold but received 1.5 of type number',
  ],
  [
    'evaluation: {protocol: →VOC}',
    'Expected one of detection_map, voc, coco for evaluation.protocol but received "VOC" of type string',
  ],
  [
    'device: {threads: →300}',
    'Expected a whole number from 0 to 256 for device.threads but received 300 of type number',
  ],
  [
    'device: {evaluation: →gpu}',
    'Expected one of auto, cuda, cpu for device.evaluation but received "gpu" of type string',
  ],
  ['output: {model: →""}', 'Expected text for output.model but received "" of type string'],
  ['model: {file: →}', 'Expected text for model.file but received nothing'],
  ['include: →base.yaml', 'Expected a list of files for include'],
  ['include: [→3]', 'Expected the name of a file in include'],
];

const unsupported: Case[] = [
  ['→quantizers: {q: {class: BasicQuantizer}}', 'quantizers is not supported: ssd-prune quantises nothing'],
  ['→distillers: {}', 'distillers is not supported: what is learnt from is model.teacher'],
  [
    'strategies: {q: {class: →QuantizationStrategy}}',
    'QuantizationStrategy is not supported: ssd-prune quantises nothing',
  ],
  [
    'strategies: {q: {class: →DistillationStrategy}}',
    'DistillationStrategy is not supported: what is learnt from is model.teacher',
  ],
  [
    'strategies: {q: {class: →LightNASStrategy}}',
    'LightNASStrategy is not supported: ssd-prune searches no architectures',
  ],
  [
    'strategies: {q: {class: →UniformPrune}}',
    'unknown class UniformPrune: there is UniformPruneStrategy, SensitivePruneStrategy, IterativePruneStrategy, LatencyPruneStrategy, AutoPruneStrategy, and what is registered in Node by registerStrategy',
  ],
  [
    'strategies: {q: {class: →UniformPruneStrategie}}',
    'unknown class UniformPruneStrategie: did you mean UniformPruneStrategy?',
  ],
  [
    'strategies: {q: {class: →3}}',
    'Expected one of UniformPruneStrategy, SensitivePruneStrategy, IterativePruneStrategy, LatencyPruneStrategy, AutoPruneStrategy for strategies.q.class but received 3 of type number',
  ],
  ['pruners: {p: {class: →RatioPruner}}', 'RatioPruner is not supported: whole channels are cut, by a StructurePruner'],
];

const together: Case[] = [
  ['output: {model: out.onnx, page: →page.html}', 'the page shows output.report: name that, too'],
  [
    'output: {model: out.onnx, report: r.json, page: →page.txt}',
    'Expected a name that ends in .html for output.page but received page.txt',
  ],
  [
    "pruners: {p: {class: StructurePruner, criterions: {'*': obs}}}\nstrategies: {s: {class: SensitivePruneStrategy, pruner: →p}}\ncompressor: {epoch: 1, strategies: [s]}",
    'losses are measured with a criterion of the weights: obs is not one',
  ],
  [
    "pruners: {p: {class: StructurePruner, criterions: {'*': obs}}}\nstrategies: {u: {class: UniformPruneStrategy, pruner: p, allocation: →global}}\ncompressor: {epoch: 1, strategies: [u]}",
    'The allocation global ranks channels across layers by their weights, and the criterion obs chooses by pictures: name a criterion of the weights (l1_norm, …), or leave the allocation off.',
  ],
  [
    'strategies: {s: {class: SensitivePruneStrategy, delta_rate: →1}}\ncompressor: {epoch: 1, strategies: [s]}',
    'Expected a number from 0.01 to below 1 for strategies.s.delta_rate but received 1 of type number',
  ],
  [
    'controllers: {sa: {class: SAController, reduce_rate: →1}}',
    'Expected a number between 0 and 1 for controllers.sa.reduce_rate but received 1 of type number',
  ],
  [
    'controllers: {sa: {class: SAController}}\nstrategies: {a: {class: AutoPruneStrategy, controller: →as}}\ncompressor: {epoch: 1, strategies: [a]}',
    'there is no controller as: did you mean sa?',
  ],
  [
    'strategies: {a: {class: AutoPruneStrategy, min_ratio: →0.8}}\ncompressor: {epoch: 1, strategies: [a]}',
    'min_ratio is 0.8, and must be below max_ratio, 0.7',
  ],
  [
    'strategies: {l: {class: LatencyPruneStrategy, target_latency: →[1]}}\ncompressor: {epoch: 1, strategies: [l]}',
    'Expected a number or text for strategies.l.target_latency but received a list',
  ],
  [
    'strategies: {l: {class: LatencyPruneStrategy, target_latency: →1.5}}\ncompressor: {epoch: 1, strategies: [l]}',
    'Expected a share of the latency between 0 and 1 such as 0.8, or milliseconds such as 9.5ms, for target_latency but received "1.5" of type string',
  ],
  [
    'strategies: {l: {class: →LatencyPruneStrategy, target_latency: 9.5ms}}\ncompressor: {epoch: 1, strategies: [l]}\ncompat: paddle1x',
    'compat: paddle1x knows no latency: leave one of them off',
  ],
  [uniform(', start_epoch: →4'), 'start_epoch is 4, and the run has 4 epochs, from 0 to 3: it would never begin'],
  [
    'strategies: {u: {class: UniformPruneStrategy, start_epoch: →1}}\ncompressor: {epoch: 1, strategies: [u]}',
    'start_epoch is 1, and the run has 1 epoch, number 0: it would never begin',
  ],
  [uniform('').replace('pruner: p1', 'pruner: →p2'), 'there is no pruner p2: did you mean p1?'],
  [
    'strategies: {uniform: {class: UniformPruneStrategy}}\ncompressor: {epoch: 4, strategies: [→unifrom]}',
    'there is no strategy unifrom: did you mean uniform?',
  ],
  [
    'strategies: {u: {class: UniformPruneStrategy}}\ncompressor: {epoch: 4, strategies: [u, →u]}',
    'the strategy u stands here a second time',
  ],
  [
    "pruners: {p: {class: StructurePruner, →criterions: {'*': l1_norm, conv2d_1.w_0: l2_norm}}}",
    'one criterion for all parameters is supported, and here are l1_norm, l2_norm',
  ],
  [
    'pruners: {p: {class: StructurePruner, →criterions: {conv2d_1.w_0: obs}}}',
    'one criterion for all parameters is supported, and here are l1_norm, obs',
  ],
  [
    `compat: paddle1x\n${uniform(', align: →8')}`,
    'compat: paddle1x knows only align: 1, since PaddleSlim 1.x does; leave one of them off',
  ],
  [
    `compat: paddle1x\n${uniform(', repair: →full')}`,
    'compat: paddle1x knows only repair: none, since PaddleSlim 1.x does; leave one of them off',
  ],
  [
    "compat: paddle1x\npruners: {p: {class: StructurePruner, criterions: {'*': obs}}}\nstrategies: {u: {class: UniformPruneStrategy, pruner: →p}}",
    'compat: paddle1x knows only criterion l1_norm, since PaddleSlim 1.x does, and this pruner has obs',
  ],
  [
    'training: {batch_size: 16, micro_batch: →5}',
    'Expected a divisor of batch_size (16) for training.micro_batch but received 5',
  ],
  ['training: {heads_first: →5}', 'heads_first is 5, and the run has 4 epochs'],
  [
    'training: {labels: →none}\nmodel: {file: m.onnx, teacher: none}',
    'without labels a teacher is needed, and model.teacher is none',
  ],
  [
    'training: {teacher_features: →5}\nmodel: {file: m.onnx, teacher: none}',
    'a weight for its inner maps needs a teacher, and model.teacher is none',
  ],
  [
    'training: {labels: →none, teacher_classes: 0, teacher_boxes: 0, teacher_features: 0}',
    'without labels a teacher is needed, and teacher_classes, teacher_boxes and teacher_features are 0',
  ],
  [
    'training: {held_back: →0}\nstrategies: {a: {class: SensitivePruneStrategy}}\ncompressor: {epoch: 1, strategies: [a]}',
    'a chooses by pictures held back: hold some',
  ],
  [
    'strategies: {s: {class: SensitivePruneStrategy, start_epoch: 2, num_steps: →3}}\ncompressor: {epoch: 4, strategies: [s]}',
    'num_steps is 3, one an epoch at most, from epoch 2 on, and the run has 4 epochs',
  ],
  [
    'strategies: {s: {class: SensitivePruneStrategy, delta_rate: →1e-9}}',
    'Expected a number from 0.01 to below 1 for strategies.s.delta_rate but received 1e-9 of type number',
  ],
  [
    'strategies: {s: {class: IterativePruneStrategy, num_steps: →1e8}}',
    'Expected a whole number from 1 to 1000 for strategies.s.num_steps but received 100000000 of type number',
  ],
  [
    'strategies: {s: {class: AutoPruneStrategy, →uniform_range: 4}}',
    'uniform_range is not supported: AutoPruneStrategy begins with uniform widths and finds its way from there',
  ],
  [
    'strategies: {s: {class: AutoPruneStrategy, retrain_epoch: →1}}',
    'retrain_epoch is not supported: nothing is trained between trials; leave it at 0',
  ],
  [
    'strategies: {s: {class: SensitivePruneStrategy, eval_rate: →2}}',
    'Expected a number above 0, at most 1 for strategies.s.eval_rate but received 2 of type number',
  ],
  [
    'controllers: {c: {class: →LightNASController}}',
    'LightNASController is not supported: ssd-prune searches no architectures',
  ],
  ['output: {model: →nowhere/out.onnx}', 'output.model: its folder FOLDER/nowhere is not there'],
  [
    'output: {model: out.onnx, report: r.json, page: p.html, log: →p.html}',
    'output.log would replace output.page: name another file',
  ],
  [
    'training: {held_back: →0}\nstrategies: {a: {class: AutoPruneStrategy}}\ncompressor: {epoch: 1, strategies: [a]}',
    'a chooses by pictures held back: hold some',
  ],
  ['evaluation: {protocol: coco, ap_version: →11point}', 'protocol coco has its own: leave ap_version off'],
  ['evaluation: {protocol: coco, overlap_threshold: →0.5}', 'protocol coco has its own: leave overlap_threshold off'],
  ['model: {file: →FOLDER/nowhere.onnx}', 'model.file: FOLDER/nowhere.onnx is not there'],
  ['model: {file: →voc}', 'model.file: FOLDER/voc is a folder, not a file'],
  ['data: {folder: →m.onnx}', 'data.folder: FOLDER/m.onnx is no folder'],
  ['compressor: {epoch: 4, init_model: →./checkpoints/0}', 'compressor.init_model: FOLDER/checkpoints/0 is not there'],
  ['output: {model: →./m.onnx}', 'output.model would replace model.file: name another file'],
  ['output: {model: out.onnx, report: →out.onnx}', 'output.report would replace output.model: name another file'],
  ['compressor: {epoch: 4, checkpoint_path: →m.onnx/x}', 'compressor.checkpoint_path: FOLDER/m.onnx is no folder'],
  ['output: {model: out.onnx, tensorboard: →m.onnx/x}', 'output.tensorboard: FOLDER/m.onnx is no folder'],
  ['output: {model: out.onnx, log: →/dev/null}', 'output.log: /dev/null is no regular file'],
  [
    'strategies: {s: {class: SensitivePruneStrategy}}\ncompressor: {epoch: 4, strategies: [s]}\noutput: {model: out.onnx, report: →sensitivities.json.json}',
    'output.report would replace sensitivities_file of s: name another file',
  ],
  ['output: {model: →./voc}', 'output.model: FOLDER/voc is a folder, not a file'],
  [
    'output: {model: out.onnx, tensorboard: →run.yaml/}',
    'output.tensorboard would replace the configuration: name another file',
  ],
  [
    'output: {model: out.onnx, report: →./run.yaml}',
    'output.report would replace the configuration: name another file',
  ],
  ['compressor: {epoch: 4, checkpoint_path: →./m.onnx}', 'compressor.checkpoint_path: FOLDER/m.onnx is no folder'],
  [
    'strategies: {s: {class: SensitivePruneStrategy}}\ncompressor: {epoch: 4, strategies: [s]}\noutput: {model: out.onnx, report: →sensitivities.json}',
    'output.report would replace sensitivities_file of s: name another file',
  ],
  [
    'output: {model: out.onnx, log: →checkpoints/history.jsonl}',
    "output.log: FOLDER/checkpoints/history.jsonl is a place of the run's own in checkpoint_path: name another one",
  ],
  [
    'output: {model: out.onnx, log: →checkpoints/latency/log.jsonl}',
    "output.log: FOLDER/checkpoints/latency/log.jsonl is a place of the run's own in checkpoint_path: name another one",
  ],
  [
    'strategies: {s: {class: SensitivePruneStrategy}, →t: {class: SensitivePruneStrategy, start_epoch: 1}}\ncompressor: {epoch: 2, strategies: [s, t]}',
    's keeps the losses of its own network in FOLDER/sensitivities.json, too: name another file for one of them',
  ],
  [
    'strategies: {→s: {class: LatencyPruneStrategy}}',
    'missing key target_latency in strategies.s (Latency to reach: a share of what the model takes at that moment (0.8, 80%), or milliseconds (9.5ms))',
  ],
  ['include: [→missing.yaml]', "Can't read configuration FOLDER/missing.yaml: there is no such file"],
  ['include: [→run.yaml]', 'include goes in a circle: FOLDER/run.yaml → FOLDER/run.yaml'],
];

const all = [...syntax, ...keys, ...values, ...unsupported, ...together];

test('there are more than 40 cases, all different', () => {
  expect(new Set(all.map(([text]) => text)).size).toBe(all.length);
  expect(all.length).toBeGreaterThan(40);
});

test.each(all.map(([yaml, message]) => [message, yaml]))('%s', async (message, yaml) => {
  const { text, place } = caseOf(yaml.replaceAll('FOLDER', folder.path));
  const file = folder.write('run.yaml', text);
  await expect(readConfig(file)).rejects.toMatchObject({
    name: 'SsdPruneError',
    code: 'ERR_BAD_CONFIG',
    exitCode: 2,
    message: `${file}:${place}: ${message.replaceAll('FOLDER', folder.path)}`,
  });
});

describe('by the JSON Schema, for an editor', () => {
  const schema = path.resolve(__dirname, '../../lib/config/run.schema.json');
  const takes = new Ajv({ strict: false }).compile(JSON.parse(readFileSync(schema, 'utf8')));

  test('a right configuration is right', () => {
    expect([takes(parse(caseOf('version: 1.0').text)), takes.errors]).toEqual([true, null]);
    expect([takes(parse(caseOf(uniform('')).text)), takes.errors]).toEqual([true, null]);
  });

  test('what PaddleSlim leaves off by none, or by nothing, is right', async () => {
    const text = `compressor: {epoch: 4, init_model: , eval_epoch: none, strategies: [s, a]}
training:
evaluation: {batch_size: None}
strategies:
  s: {class: SensitivePruneStrategy, start_epoch: , eval_rate: none, sensitivities: none}
  a: {class: AutoPruneStrategy, uniform_range: none, init_tokens: None}`;
    const { text: whole } = caseOf(text);
    // Of the schema's own keys: those that aren't supported stand in none.
    const known = parse(whole.replace(', uniform_range: none, init_tokens: None', ''));
    expect([takes(known), takes.errors]).toEqual([true, null]);
    const { compressor, evaluation } = await readConfig(folder.write('run.yaml', whole));
    expect(compressor).toMatchObject({ evalEpoch: 1, strategies: [{ options: { startEpoch: 0, evalRate: 1 } }, {}] });
    expect(evaluation).not.toHaveProperty('batchSize');
  });

  /** What the schema leaves to the reader of the file. */
  const more = [
    'compress_pass is an older name',
    'version 2 is not known',
    'comments (?#…) are not supported',
    'received Infinity',
    'received 12345678901234567000',
  ];
  const known = [...keys, ...values, ...unsupported].map(([yaml, message]) => [message, yaml] as const);

  test.each(known)('%s', (message, yaml) => {
    expect(takes(parse(caseOf(yaml).text))).toBe(more.some((one) => message.includes(one)));
  });
});

test.each(Object.keys(sections))('without the section %s', async (name) => {
  const { text } = caseOf('version: 1.0', [name]);
  const file = folder.write('run.yaml', text);
  await expect(readConfig(file)).rejects.toThrow(`${file}:1:1: missing key ${name} (`);
});

test('all problems are told at once, in the order of the file, options behind', async () => {
  const file = folder.write(
    'run.yaml',
    `training: {rate: -1, sed: 1}
data: {}
model: {file: nowhere.onnx}
strategies: {u: {class: UniformPruneStrategy, target_ratio: 2}, v: {class: Nonsense}}
compressor: {epoch: 1, strategies: [other]}
`,
  );
  const error: Error = await readConfig(file, { set: ['device.threads=-1'] }).catch((reason) => reason);
  expect(error.message.split('\n')).toEqual([
    `${file}:1:1: missing key output (What comes of it)`,
    `${file}:1:18: Expected a number above 0 for training.rate but received -1 of type number`,
    `${file}:1:22: unknown key sed in training: did you mean seed?`,
    `${file}:2:1: missing key folder in data (Folder in Pascal VOC or COCO layout)`,
    `${file}:3:15: model.file: ${folder.at('nowhere.onnx')} is not there`,
    `${file}:4:61: Expected a number between 0 and 1 for strategies.u.target_ratio but received 2 of type number`,
    `${file}:4:76: unknown class Nonsense: there is UniformPruneStrategy, SensitivePruneStrategy, IterativePruneStrategy, LatencyPruneStrategy, AutoPruneStrategy, and what is registered in Node by registerStrategy`,
    `${file}:5:37: there is no strategy other`,
    '--set device.threads=-1: Expected a whole number from 0 to 256 for device.threads but received -1 of type number',
  ]);
});
