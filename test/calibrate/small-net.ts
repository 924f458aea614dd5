import { create } from '@bufbuild/protobuf';

const { GraphWriter } = require('../../dist/lib/model/graph-writer') as typeof import('../../lib/model/graph-writer');
const { OnnxModel } = require('../../dist/lib/model/onnx-model') as typeof import('../../lib/model/onnx-model');
const { ModelProtoSchema } = require('../../dist/lib/model/onnx_pb') as typeof import('../../lib/model/onnx_pb');
const { normalNoise } = require('../../dist/lib/prune/noise') as typeof import('../../lib/prune/noise');

/** The weights of {@link smallNet}, by name. */
export type Weights = Record<string, Float32Array>;

export const noise = (seed: number, count: number, scale = 1): Float32Array =>
  normalNoise(seed, 'calibration', count).map((value) => Math.fround(value * scale));

export function smallWeights(): Weights {
  return {
    'c1.w': noise(1, 10 * 3 * 9, 0.4),
    'c1.b': noise(2, 10, 0.3),
    'dw.w': noise(3, 10 * 9, 0.4),
    'dw.b': noise(4, 10, 0.1),
    'c2.w': noise(5, 6 * 10, 0.4),
    'c2.b': noise(6, 6, 0.2),
    'c3.w': noise(7, 4 * 6 * 9, 0.2),
    'c3.b': noise(8, 4, 0.1),
  };
}

/**
 * image (n, 3, 9, 9) → 3×3 convolution to 10 → Relu6 → depthwise with stride 2 and asymmetric padding → Relu → 1×1 to 6
 * → Relu → 3×3 to 4. With `batchNorm` the 1×1 has no bias of its own but a BatchNormalization behind it.
 */
export function smallNet(weights: Weights, batchNorm = false): InstanceType<typeof OnnxModel> {
  const g = new GraphWriter('small');
  const w = (name: string, dims: number[]) => g.weights(name, dims, Float32Array.from(weights[name]!));
  const conv = (
    name: string,
    x: string,
    dims: number[],
    pads: number[],
    more: Record<string, number | number[]> = {},
  ) =>
    g.node('Conv', name, [x, w(`${name}.w`, dims), ...(weights[`${name}.b`] ? [w(`${name}.b`, [dims[0]!])] : [])], {
      pads,
      ...more,
    });
  let x = g.input('image', ['n', 3, 9, 9]);
  x = conv('c1', x, [10, 3, 3, 3], [1, 1, 1, 1]);
  x = g.node('Clip', 'relu6', [x, g.weights('zero', [], Float32Array.of(0)), g.weights('six', [], Float32Array.of(6))]);
  x = conv('dw', x, [10, 1, 3, 3], [0, 0, 1, 1], { strides: [2, 2], group: 10 });
  x = g.node('Relu', 'relu1', [x]);
  x = conv('c2', x, [6, 10, 1, 1], [0, 0, 0, 0]);
  if (batchNorm)
    x = g.node('BatchNormalization', 'bn', [
      x,
      ...['scale', 'shift', 'mean', 'var'].map((name) => w(`bn.${name}`, [6])),
    ]);
  x = g.node('Relu', 'relu2', [x]);
  x = conv('c3', x, [4, 6, 3, 3], [1, 1, 1, 1]);
  g.graph.node.at(-1)!.output[0] = 'out';
  g.output('out', ['n', 4, 4, 4]);
  return new OnnxModel(
    create(ModelProtoSchema, { irVersion: 8n, opsetImport: [{ domain: '', version: 13n }], graph: g.graph }),
  );
}
