import { create } from '@bufbuild/protobuf';
import { invalidArgument } from '../errors';
import { vocClasses } from './class-names';
import { detectorKey } from './detector-key';
import { GraphWriter } from './graph-writer';
import { ModelProtoSchema } from './onnx_pb';
import { OnnxModel } from './onnx-model';
import { generatePriors, type PriorLayer } from './prior-boxes';
import { uniform } from './random';

export interface MobileNetV1SsdOptions {
  /** Number of classes with the background, as Paddle counts. Defaults to `21`, Pascal VOC's. */
  classes?: number;
  /** Their names, background first. Defaults to VOC's names for 21 classes, else `class1`, `class2`, … */
  classNames?: readonly string[];
  /**
   * Factor on every width of backbone and extra layers, rounded to the next multiple of 8 and at least 8 (the extras
   * scale too, as in TensorFlow's models). Defaults to `1`; at most 4.
   */
  width?: number;
  /**
   * Width and height of the input in pixels, from 64 to 2048. Defaults to `300`. Extra stages follow until a map has
   * one place, at most four.
   */
  inputSize?: number;
  /**
   * Share of the picture that the squares on the first map have; those of the other maps grow evenly up to 0.95.
   * Defaults to `0.2`. The smaller the input, the further apart are a map's places: larger priors still overlap.
   */
  smallestPrior?: number;
  /** Of the weights, an integer from 0. Defaults to `0`. */
  seed?: number;
}

/** Output channels and stride of the 13 separable blocks. */
const blocks: readonly [channels: number, stride: number][] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
];
/** Channels of the 1x1 convolution and of the 3x3 one with stride 2 of each extra stage. */
const extras: readonly [squeeze: number, expand: number][] = [
  [256, 512],
  [128, 256],
  [128, 256],
  [64, 128],
];
/** The block (from 0) whose output feeds the first heads, beside the last one's and each extra stage's. */
const firstTap = 10;

/** Shares of the picture that the squares of the last map have; those of the first are an option. */
const largestPrior = 0.95;
/** Ratios of the oblong priors of the first map, and of the others. */
const aspectRatios = [[2], [2, 3]] as const;
const priorsPerPlace = [3, 6, 6, 6, 6, 6];

/**
 * Width and height of the maps that feed heads. A convolution with stride 2 and padding halves, rounding up: four of
 * them lie before the first tap, five before the second, one more in every extra stage.
 */
function tappedMaps(inputSize: number): number[] {
  const maps = [Math.ceil(inputSize / 16), Math.ceil(inputSize / 32)];
  while (maps.at(-1)! > 1 && maps.length < priorsPerPlace.length) maps.push(Math.ceil(maps.at(-1)! / 2));
  return maps;
}

function priorLayersOf(inputSize: number, smallestPrior: number): PriorLayer[] {
  const maps = tappedMaps(inputSize);
  const sizeOf = (layer: number): number =>
    inputSize * Math.min(1, smallestPrior + ((largestPrior - smallestPrior) * layer) / (maps.length - 1));
  return maps.map((map, i) => ({
    map: [map, map],
    minSizes: [sizeOf(i)],
    maxSizes: i === 0 ? [] : [sizeOf(i + 1)],
    aspectRatios: [...aspectRatios[i === 0 ? 0 : 1]],
  }));
}

/**
 * MobileNetV1-SSD 300 of PaddlePaddle's model collection, untrained: its parameter names, shapes and definition order,
 * BatchNormalization unfolded. Input `image` (N, 3, 300, 300), or of another size;
 * outputs `boxes` (N, 1917, 4), offsets to the priors, and `scores` (N, 1917, classes), logits. Detector settings lie in the metadata.
 * @throws {SsdPruneError} ERR_USAGE for options out of range
 */
export function buildMobileNetV1Ssd(options: MobileNetV1SsdOptions = {}): OnnxModel {
  const { classNames, width = 1, inputSize = 300, smallestPrior = 0.2, seed = 0 } = options;
  const classes = options.classes ?? classNames?.length ?? vocClasses.length;
  if (!Number.isSafeInteger(classes) || classes < 2 || classes > 10_000)
    throw invalidArgument('classes', 'an integer from 2 (with the background) to 10000', classes);
  if (!Number.isFinite(width) || width <= 0 || width > 4)
    throw invalidArgument('width', 'a number above 0 and at most 4', width);
  if (!Number.isSafeInteger(inputSize) || inputSize < 64 || inputSize > 2048)
    throw invalidArgument('inputSize', 'a whole number from 64 to 2048', inputSize);
  if (!(smallestPrior > 0 && smallestPrior < largestPrior))
    throw invalidArgument('smallestPrior', `a share between 0 and ${largestPrior}`, smallestPrior);
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalidArgument('seed', 'an integer from 0', seed);
  const names = classNames ?? defaultNames(classes);
  if (names.length !== classes) throw invalidArgument('classNames', `${classes} names, background first`, names.length);
  if (new Set(names).size !== names.length) throw invalidArgument('classNames', 'names that differ', names.join(', '));

  const model = new OnnxModel(
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [{ domain: '', version: 17n }],
      producerName: 'ssd-prune',
      docString: `MobileNetV1-SSD ${inputSize}`,
      graph: new Network(width, inputSize, seed).build(classes),
    }),
  );
  model.setMetadata(
    detectorKey,
    JSON.stringify(detectorSettings(names, inputSize, priorLayersOf(inputSize, smallestPrior))),
  );
  return model;
}

function defaultNames(classes: number): readonly string[] {
  if (classes === vocClasses.length) return vocClasses;
  return ['background', ...Array.from({ length: classes - 1 }, (_, i) => `class${i + 1}`)];
}

/** Writes the layers in Paddle's order of creation, which is the order of its parameters. */
class Network {
  readonly #writer = new GraphWriter('mobilenet_v1_ssd');
  readonly #width: number;
  readonly #inputSize: number;
  readonly #seed: number;
  #convolutions = 0;
  #depthwise = 0;
  #normalizations = 0;

  constructor(width: number, inputSize: number, seed: number) {
    this.#width = width;
    this.#inputSize = inputSize;
    this.#seed = seed;
  }

  build(classes: number) {
    const writer = this.#writer;
    let tensor = writer.input('image', ['N', 3, this.#inputSize, this.#inputSize]);
    let channels = this.#scaled(32);
    tensor = this.#activated(this.#convolution(tensor, 3, channels, 3, 2, 1), channels);
    const taps: [tensor: string, channels: number][] = [];
    for (const [i, [block, stride]] of blocks.entries()) {
      tensor = this.#activated(this.#depthwiseConvolution(tensor, channels, stride), channels);
      const wider = this.#scaled(block);
      tensor = this.#activated(this.#convolution(tensor, channels, wider, 1, 1, 0), wider);
      channels = wider;
      if (i === firstTap || i === blocks.length - 1) taps.push([tensor, channels]);
    }
    const maps = tappedMaps(this.#inputSize);
    for (const [squeeze, expand] of extras.slice(0, maps.length - taps.length)) {
      const [narrow, wide] = [this.#scaled(squeeze), this.#scaled(expand)];
      tensor = this.#activated(this.#convolution(tensor, channels, narrow, 1, 1, 0), narrow);
      tensor = this.#activated(this.#convolution(tensor, narrow, wide, 3, 2, 1), wide);
      channels = wide;
      taps.push([tensor, channels]);
    }
    const places = maps.reduce((sum, map, i) => sum + map * map * priorsPerPlace[i]!, 0);
    this.#heads(taps, classes, places);
    return writer.graph;
  }

  #heads(taps: [tensor: string, channels: number][], classes: number, places: number): void {
    const writer = this.#writer;
    const boxes: string[] = [];
    const scores: string[] = [];
    const shapes: [name: string, values: number[]][] = [
      ['boxes.shape', [0, -1, 4]],
      ['scores.shape', [0, -1, classes]],
    ];
    for (const [i, [tensor, channels]] of taps.entries()) {
      for (const [j, list] of [boxes, scores].entries()) {
        const size = shapes[j]![1][2]!;
        const name = `conv2d_${this.#convolutions}`;
        const raw = this.#convolution(tensor, channels, priorsPerPlace[i]! * size, 1, 1, 0, true);
        const placed = writer.node('Transpose', `${name}.transpose`, [raw], { perm: [0, 2, 3, 1] });
        list.push(writer.node('Reshape', `${name}.reshape`, [placed, shapes[j]![0]]));
      }
    }
    // After the parameters, so that these come first and in Paddle's order.
    for (const [name, values] of shapes) writer.ints(name, values);
    writer.node('Concat', 'boxes.concat', boxes, { axis: 1 }, 'boxes');
    writer.node('Concat', 'scores.concat', scores, { axis: 1 }, 'scores');
    writer.output('boxes', ['N', places, 4]);
    writer.output('scores', ['N', places, classes]);
  }

  #scaled(channels: number): number {
    return Math.max(8, Math.round((channels * this.#width) / 8) * 8);
  }

  #convolution(x: string, from: number, to: number, kernel: number, stride: number, pad: number, bias = false): string {
    const name = `conv2d_${this.#convolutions++}`;
    const inputs = [x, this.#filter(`${name}.w_0`, [to, from, kernel, kernel])];
    if (bias) inputs.push(this.#writer.weights(`${name}.b_0`, [to], new Float32Array(to)));
    return this.#writer.node('Conv', name, inputs, attributes(kernel, stride, pad, 1));
  }

  #depthwiseConvolution(x: string, channels: number, stride: number): string {
    const name = `depthwise_conv2d_${this.#depthwise++}`;
    const filter = this.#filter(`${name}.w_0`, [channels, 1, 3, 3]);
    return this.#writer.node('Conv', name, [x, filter], attributes(3, stride, 1, channels));
  }

  /** BatchNormalization and ReLU. Statistics differ from channel to channel, so that a wrong cut shows. */
  #activated(x: string, channels: number): string {
    const name = `batch_norm_${this.#normalizations++}`;
    const vector = (suffix: string, low: number, high: number) =>
      this.#writer.weights(`${name}.${suffix}`, [channels], this.#fill(`${name}.${suffix}`, channels, low, high));
    const inputs = [
      x,
      vector('w_0', 0.8, 1.2),
      vector('b_0', -0.1, 0.1),
      vector('w_1', -0.1, 0.1),
      vector('w_2', 0.8, 1.2),
    ];
    const normalized = this.#writer.node('BatchNormalization', name, inputs);
    this.#writer.float('epsilon', 1e-5);
    this.#writer.float('momentum', 0.9);
    return this.#writer.node('Relu', `${name}.relu`, [normalized]);
  }

  /** He's uniform initialisation ("MSRA"): ±√(6 / inputs of one output). */
  #filter(name: string, dims: number[]): string {
    const fanIn = dims[1]! * dims[2]! * dims[3]!;
    const limit = Math.sqrt(6 / fanIn);
    return this.#writer.weights(name, dims, this.#fill(name, dims[0]! * fanIn, -limit, limit));
  }

  #fill(name: string, count: number, low: number, high: number): Float32Array {
    const draw = uniform(this.#seed, name);
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) values[i] = low + (high - low) * draw(i);
    return values;
  }
}

const attributes = (kernel: number, stride: number, pad: number, group: number) => ({
  dilations: [1, 1],
  group,
  kernel_shape: [kernel, kernel],
  pads: [pad, pad, pad, pad],
  strides: [stride, stride],
});

/** As `lib/model/detector.ts` reads them. Priors are listed in full, so that other programs need no generator. */
function detectorSettings(classes: readonly string[], inputSize: number, layers: readonly PriorLayer[]) {
  const flat = generatePriors({ image: [inputSize, inputSize], layers });
  const rounded = (value: number) => Number(value.toFixed(7));
  const priors = Array.from({ length: flat.length / 4 }, (_, i) =>
    Array.from(flat.subarray(4 * i, 4 * i + 4), rounded),
  );
  return {
    input: {
      name: 'image',
      width: inputSize,
      height: inputSize,
      channels: 'BGR',
      mean: [127.5, 127.5, 127.5],
      std: [1 / 0.007843, 1 / 0.007843, 1 / 0.007843],
      resize: { kernel: 'lanczos3', antialias: true },
    },
    outputs: { scores: 'scores', boxes: 'boxes', scoresAre: 'logits', boxesAre: 'offsets' },
    priors,
    variances: [0.1, 0.1, 0.2, 0.2],
    classes,
    nms: { scoreThreshold: 0.01, iouThreshold: 0.45, topK: 400, keepTopK: 200 },
  };
}
