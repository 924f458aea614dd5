import { setInt, setInts } from '../../lib/model/attributes';
import { buildMobileNetV1Ssd } from '../../lib/model/mobilenet-v1-ssd';
import type { NodeProto } from '../../lib/model/onnx_pb';
import type { OnnxModel } from '../../lib/model/onnx-model';
import { setTensorBytes, tensorBytes, tensorDims } from '../../lib/model/tensor';
import { openPruner } from '../../lib/prune/prune-model';

const conv = (model: OnnxModel, weight: string): NodeProto =>
  model.graph.node.find(({ opType, input }) => opType === 'Conv' && input[1] === weight)!;

/** A weight with fewer input channels than its input has. */
function narrow(model: OnnxModel): void {
  const weight = model.constant('conv2d_2.w_0')!;
  const [out, inputs, ...kernel] = tensorDims(weight);
  const bytes = tensorBytes(weight).slice(0, out! * (inputs! - 1) * kernel[0]! * kernel[1]! * 4);
  setTensorBytes(weight, [out!, inputs! - 1, ...kernel], bytes);
}

test.each<[string, RegExp, (model: OnnxModel) => void]>([
  ['a weight that reads other channels', /reads \d+/, narrow],
  ['no group', /group is 0/, (model) => setInt(conv(model, 'depthwise_conv2d_3.w_0'), 'group', 0)],
  ['more groups than fit', /reads/, (model) => setInt(conv(model, 'conv2d_4.w_0'), 'group', 3)],
  [
    'another kernel than the weight has',
    /kernel_shape is \[5,5\]/,
    (model) => setInts(conv(model, 'conv2d_5.w_0'), 'kernel_shape', [5, 5]),
  ],
  [
    'padding beyond all bounds',
    /its output would be/,
    (model) => setInts(conv(model, 'conv2d_5.w_0'), 'pads', [2 ** 40, 0, 0, 0]),
  ],
])('refuses %s, naming the node', (_, message, spoil) => {
  const model = buildMobileNetV1Ssd({ classes: 2, width: 0.25, seed: 0 });
  spoil(model);
  model.invalidate();
  expect(() => openPruner(model)).toThrow(
    expect.objectContaining({ code: 'ERR_BAD_MODEL', message: expect.stringMatching(message) }),
  );
  expect(() => openPruner(model)).toThrow(/Conv node/);
});
