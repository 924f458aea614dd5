import { create } from '@bufbuild/protobuf';
import type { DetectorSettings } from '../../lib/model/detector';
import type { OnnxModel } from '../../lib/model/onnx-model';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { buildMobileNetV1Ssd } = dist('model/mobilenet-v1-ssd') as typeof import('../../lib/model/mobilenet-v1-ssd');
const { readDetectorSettings } = dist('model/detector') as typeof import('../../lib/model/detector');
const { setTensorBytes, tensorDims, toFloat32 } = dist('model/tensor') as typeof import('../../lib/model/tensor');
const { parameterOffsets } = dist('train/parameters') as typeof import('../../lib/train/parameters');
const { statisticRanges } = dist('train/recalibration') as typeof import('../../lib/train/recalibration');
const { AttributeProto_AttributeType, AttributeProtoSchema, NodeProtoSchema } = dist(
  'model/onnx_pb',
) as typeof import('../../lib/model/onnx_pb');
const { readNetwork } = dist('train/network') as typeof import('../../lib/train/network');

const floatAttribute = (name: string, f: number) =>
  create(AttributeProtoSchema, { name, f, type: AttributeProto_AttributeType.FLOAT });

const model = buildMobileNetV1Ssd({ classes: 4, width: 0.25 });
const detector = readDetectorSettings(model);

test('heads are the twelve last convolutions, and nothing else', () => {
  const network = readNetwork(model, detector);
  expect([network.normalises, network.sigmoidHeads]).toEqual([true, false]);
  const heads = network.parameters.filter(({ head }) => head).map(({ name }) => name);
  // Names in the order of definition: two convolutions with bias for each of six taps, behind all others.
  expect(heads).toHaveLength(24);
  for (const name of heads) {
    const rows = Number(model.constant(name)!.dims[0]);
    expect([4, 12, 16, 24]).toContain(rows);
  }
  expect(heads.filter((name) => name.endsWith('.b_0'))).toHaveLength(12);
});

/** The model with background scores that are constant 0. */
function withoutBackground(of: OnnxModel): OnnxModel {
  const copy = of.clone();
  const scores = readNetwork(of, detector).parameters.filter(
    ({ name, head }) => head && Number(of.constant(name)!.dims[0]) % 12 === 0 && isScore(of, name),
  );
  for (const { name } of scores) {
    const tensor = copy.constant(name)!;
    const values = toFloat32(tensor).slice();
    const row = values.length / tensorDims(tensor)[0]!;
    for (let filter = 0; filter * row < values.length; filter += 4) values.fill(0, filter * row, (filter + 1) * row);
    setTensorBytes(tensor, tensorDims(tensor), new Uint8Array(values.buffer));
    copy.replaceConstant(name, tensor);
  }
  return copy;
}

/** Offsets and scores have four numbers a prior each; the first convolution of a tap makes offsets. */
function isScore(of: OnnxModel, name: string): boolean {
  const index = Number(/^conv2d_(\d+)\./.exec(name)![1]);
  const heads = of.graph.node.filter(({ opType, input }) => opType === 'Conv' && input.length === 3);
  const position = heads.findIndex(({ input }) => input[1] === `conv2d_${index}.w_0`);
  return position % 2 === 1;
}

test('heads whose background is constant 0 were trained with sigmoids', () => {
  const sigmoid = withoutBackground(model);
  expect(readNetwork(sigmoid, detector).sigmoidHeads).toBe(true);
});

test('scores that go through sigmoids were trained with them, whatever they say of background', () => {
  const sigmoid = model.clone();
  const { scores } = detector.outputs;
  const logits = `${scores}.logits`;
  sigmoid.graph.node.find(({ output }) => output[0] === scores)!.output[0] = logits;
  sigmoid.graph.node.push(create(NodeProtoSchema, { opType: 'Sigmoid', input: [logits], output: [scores] }));
  expect(readNetwork(model, detector)).toMatchObject({ sigmoidHeads: false, sigmoidScores: false });
  expect(readNetwork(sigmoid, detector)).toMatchObject({ sigmoidHeads: true, sigmoidScores: true });
});

/** The model with one tensor in another's place, at every node but the first that reads it. */
function joined(of: OnnxModel, inputs: readonly number[]): OnnxModel {
  const copy = of.clone();
  // Of 16 channels both.
  const [first, second] = copy.graph.node.filter(
    ({ opType, input }) => opType === 'BatchNormalization' && Number(copy.constant(input[1]!)!.dims[0]) === 16,
  );
  for (const input of inputs) second!.input[input] = first!.input[input]!;
  return copy;
}

test('layers that share both running statistics are one; those that share one of them are refused', () => {
  const { offsets } = parameterOffsets(readNetwork(model, detector).plan);
  const whole = statisticRanges(readNetwork(model, detector).plan.graph, offsets);
  const { plan } = readNetwork(joined(model, [3, 4]), detector);
  const shared = statisticRanges(plan.graph, parameterOffsets(plan).offsets);
  expect(shared).toHaveLength(whole.length - 2);
  // Twice 0.9 of the way stays.
  expect(shared.map(({ momentum }) => momentum).filter((momentum) => momentum < 0.85)).toEqual(
    Array(2).fill(Math.fround(0.9) ** 2),
  );
  for (const input of [3, 4]) {
    expect(() => readNetwork(joined(model, [input]), detector)).toThrow(
      expect.objectContaining({
        code: 'ERR_UNSUPPORTED_OP',
        message: expect.stringContaining('two BatchNormalizations'),
      }),
    );
  }
});

test('statistics that never move are not measured anew, and a momentum that is no share is refused', () => {
  const withMomentum = (momentum: number) => {
    const copy = model.clone();
    const node = copy.graph.node.find(({ opType }) => opType === 'BatchNormalization')!;
    node.attribute = [
      ...node.attribute.filter(({ name }) => name !== 'momentum'),
      floatAttribute('momentum', momentum),
    ];
    return copy;
  };
  const rangesOf = (of: OnnxModel) => {
    const { plan } = readNetwork(of, detector);
    return statisticRanges(plan.graph, parameterOffsets(plan).offsets);
  };
  expect(rangesOf(withMomentum(1))).toEqual(rangesOf(model).slice(2));
  expect(() => rangesOf(withMomentum(1.5))).toThrow(
    expect.objectContaining({ code: 'ERR_UNSUPPORTED_OP', message: expect.stringContaining('its momentum is 1.5') }),
  );
});

test.each<[string, (settings: DetectorSettings) => DetectorSettings, string]>([
  ['corners', (s) => ({ ...s, outputs: { ...s.outputs, boxesAre: 'corners' } }), 'ERR_UNSUPPORTED_OP'],
  ['other priors', (s) => ({ ...s, priors: s.priors.slice(4) }), 'ERR_BAD_CONFIG'],
  ['other classes', (s) => ({ ...s, classes: [...s.classes, 'more'] }), 'ERR_BAD_CONFIG'],
  ['another size', (s) => ({ ...s, input: { ...s.input, width: 320 } }), 'ERR_BAD_CONFIG'],
])('detector settings with %s are refused', (_, change, code) => {
  expect(() => readNetwork(model, change(detector))).toThrow(expect.objectContaining({ code }));
});

test('a tensor that is trained in one place and follows the data in another is refused by name', () => {
  const joined = model.clone();
  const [shift, mean] = [2, 3];
  const node = joined.graph.node.find(({ opType }) => opType === 'BatchNormalization')!;
  node.input[mean] = node.input[shift]!;
  joined.invalidate();
  expect(() => readNetwork(joined, detector)).toThrow(
    expect.objectContaining({ code: 'ERR_UNSUPPORTED_OP', message: expect.stringContaining(node.input[shift]!) }),
  );
});
