import { z } from 'zod';
import { apVersions, protocols } from '../evaluate/mean-ap';
import { recipeKeys } from '../train/recipe-settings';
import { controllers } from './controllers';
import { pruners } from './pruners';
import { fraction, number, optional, share, text, whole } from './schema-kinds';
import { strategyClasses } from './strategies';

const model = z.strictObject({
  file: text.describe('ONNX file of the model to be pruned'),
  detector: text.optional().describe("Detector settings (JSON), where the model's metadata have none"),
  teacher: text
    .nullable()
    .default('unpruned')
    .describe('What is learnt from besides the annotations; unpruned: the model as it came; none; or an ONNX file'),
});

const data = z.strictObject({
  folder: text.describe('Folder in Pascal VOC or COCO layout'),
  train: optional(text, {
    describe: 'Split to train on',
    unset: 'train; for training.labels: none in a folder of another layout all pictures',
  }),
  evaluation: text
    .nullable()
    .default('val')
    .describe('Split that mAP is reported on; none: only what is held back of the training pictures is looked at'),
  skip_bad: z.boolean().default(false).describe('Leave out pictures and annotations that are broken'),
});

const { precision, decay, optimizer, loss, augment, labels } = recipeKeys;

const training = z.strictObject({
  batch_size: whole(1).default(recipeKeys.batchSize.default).describe(recipeKeys.batchSize.describe),
  micro_batch: optional(whole(1), recipeKeys.microBatch),
  precision: z.enum(precision.choices).default(precision.default).describe(precision.describe),
  rate: optional(number.gt(0), recipeKeys.rate),
  decay: z.enum(decay.choices).default(decay.default).describe(decay.describe),
  warm_up: optional(whole(0), recipeKeys.warmUp),
  heads_first: number.min(0).default(recipeKeys.headsFirst.default).describe(recipeKeys.headsFirst.describe),
  optimizer: z.enum(optimizer.choices).default(optimizer.default).describe(optimizer.describe),
  max_norm: number.min(0).default(recipeKeys.maxNorm.default).describe(recipeKeys.maxNorm.describe),
  average: fraction.default(recipeKeys.average.default).describe(recipeKeys.average.describe),
  weight_decay: number.min(0).default(recipeKeys.weightDecay.default).describe(recipeKeys.weightDecay.describe),
  backbone_rate: number.min(0).default(recipeKeys.backboneRate.default).describe(recipeKeys.backboneRate.describe),
  loss: optional(z.enum(loss.choices), loss),
  overlap: share.default(recipeKeys.overlap.default).describe(recipeKeys.overlap.describe),
  augment: z.enum(augment.choices).default(augment.default).describe(augment.describe),
  teacher_classes: number
    .min(0)
    .default(recipeKeys.teacherClasses.default)
    .describe(recipeKeys.teacherClasses.describe),
  teacher_boxes: number.min(0).default(recipeKeys.teacherBoxes.default).describe(recipeKeys.teacherBoxes.describe),
  teacher_features: optional(number.min(0), recipeKeys.teacherFeatures),
  temperature: number.gt(0).default(recipeKeys.temperature.default).describe(recipeKeys.temperature.describe),
  batch_statistics: z
    .boolean()
    .default(recipeKeys.batchStatistics.default)
    .describe(recipeKeys.batchStatistics.describe),
  recalibrate: optional(whole(0), recipeKeys.recalibrate),
  held_back: fraction.default(recipeKeys.heldBack.default).describe(recipeKeys.heldBack.describe),
  explosion: number.gt(1).nullable().default(recipeKeys.explosion.default).describe(recipeKeys.explosion.describe),
  seed: whole(0).default(recipeKeys.seed.default).describe(recipeKeys.seed.describe),
  labels: z.enum(labels.choices).default(labels.default).describe(labels.describe),
});

const evaluation = z.strictObject({
  protocol: z.enum(protocols).default('detection_map').describe("Whose rules mAP follows; detection_map: Paddle's"),
  ap_version: optional(z.enum(apVersions), { describe: 'How precision is averaged; not for coco', unset: '11point' }),
  overlap_threshold: optional(share, {
    describe: 'Intersection over union from which on a box is right; not for coco',
    unset: '0.5',
  }),
  evaluate_difficult: z.boolean().default(false).describe('Count difficult objects too'),
  batch_size: optional(whole(1, 4096), {
    describe: 'Pictures that the detector is given at a time',
    unset: 'one that suits the device',
  }),
});

const calibration = z.strictObject({
  pictures: optional(text, {
    describe: 'Pictures that criterion obs and repairs are computed from: a folder, or a list (a path a line)',
    unset: 'data.folder',
  }),
  split: optional(text, { describe: 'Their split', unset: 'data.train, where the pictures are those of data.folder' }),
  images: whole(1).default(256).describe('Pictures drawn of them'),
  seed: whole(0).default(0).describe('Seed of the draw'),
});

const device = z.strictObject({
  evaluation: z.enum(['auto', 'cuda', 'cpu']).default('auto').describe('Where mAP is measured'),
  threads: whole(0, 256).default(0).describe('Threads of training; 0: one a core. They change no bit'),
});

const output = z.strictObject({
  model: text.describe('Where the pruned, trained model is written (ONNX)'),
  report: text.nullable().default(null).describe('Where the report is written'),
  page: text
    .nullable()
    .default(null)
    .describe('Where the report is written as a page (HTML), with the curves of training; needs report'),
  log: text.nullable().default(null).describe('Where everything that happens is written (JSON lines)'),
  tensorboard: text.nullable().default(null).describe("Folder for TensorBoard's event files"),
  keep: z.enum(['best', 'last']).default('best').describe('Which weights are written'),
});

const compressor = z.strictObject({
  epoch: whole(1).describe('Epochs of the whole run; a greater end_epoch of a strategy counts instead'),
  init_model: text.optional().describe('ONNX file whose weights are started from instead of those of model.file'),
  checkpoint_path: text.default('./checkpoints').describe('Folder of checkpoints, which a run goes on from'),
  eval_epoch: whole(1).default(1).describe('Epochs between evaluations'),
  keep_checkpoints: whole(1).default(2).describe('Checkpoints that are kept besides the best one'),
  checkpoint_minutes: number.gt(0).default(10).describe('Minutes between checkpoints inside of an epoch'),
  strategies: z.array(text).default([]).describe('Names of the strategies that are used, in the order they act in'),
});

/** The schema of a strategy: that of its class. */
export const strategy = () => {
  const [first, ...rest] = [...strategyClasses.values()].map(({ schema }) => schema);
  return z.discriminatedUnion('class', [first!, ...rest]);
};

/** What a configuration may say; includes are gone by then. */
export const runSchema = () =>
  z.strictObject({
    version: z.union([z.number(), z.string()]).default(1).describe("Version of PaddleSlim's format: 1.0"),
    include: z.array(text).optional().describe('Files to begin with, relative to this one; what stands here wins'),
    compat: z
      .enum(['paddle1x'])
      .optional()
      .describe(
        "paddle1x: PaddleSlim 1.x's counter, rounding and ranking, exactly, instead of MACs and widths in multiples of 8",
      ),
    model: model.describe('The model'),
    data: data.describe('The pictures'),
    pruners: pruners.optional().describe('How channels are ranked, by name'),
    controllers: controllers.optional().describe('What searches for an AutoPruneStrategy, by name'),
    strategies: z.record(z.string(), strategy()).optional().describe('What is cut when, by name'),
    compressor: compressor.optional().describe('The run'),
    compress_pass: compressor.optional().describe('An older name of compressor'),
    training: training.prefault({}).describe('How what is left is trained, as by the command finetune'),
    evaluation: evaluation.prefault({}).describe('How mAP is computed, as by the command eval'),
    calibration: calibration.prefault({}).describe('Pictures for criterion obs and for repairs'),
    device: device.prefault({}).describe('Where it runs'),
    output: output.describe('What comes of it'),
  });

export type RunDocument = z.infer<ReturnType<typeof runSchema>>;
