import type { OnnxModel } from '../../lib/model/onnx-model';
import { quarterCuts } from './missed';
import { noise, smallNet, smallWeights } from './small-net';

const { calibrate } = require('../../dist/lib/calibrate/calibrate') as typeof import('../../lib/calibrate/calibrate');
const { writeLayer } =
  require('../../dist/lib/calibrate/layer-weights') as typeof import('../../lib/calibrate/layer-weights');
const { readersOf } = require('../../dist/lib/calibrate/readers') as typeof import('../../lib/calibrate/readers');
const { Student } = require('../../dist/lib/calibrate/student') as typeof import('../../lib/calibrate/student');
const { TensorProto_DataType: T } = require('../../dist/lib/model/onnx_pb') as typeof import('../../lib/model/onnx_pb');
const { setTensorBytes, tensorDims, toFloat32 } =
  require('../../dist/lib/model/tensor') as typeof import('../../lib/model/tensor');
const { verifyCut } = require('../../dist/lib/prune/verify') as typeof import('../../lib/prune/verify');

/** Bits of numbers that a normal half holds exactly. */
const halfBits = (value: number): number => {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const fraction = Math.abs(value) / 2 ** exponent - 1;
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | (fraction * 1024);
};

/** The small network with weights of few bits; with `halves` it stores and computes everything in half precision. */
function coarseNet(halves: boolean): OnnxModel {
  const weights = Object.fromEntries(
    Object.entries(smallWeights()).map(([name, values]) => [name, values.map((value) => Math.round(value * 64) / 64)]),
  );
  const model = smallNet(weights);
  if (!halves) return model;
  for (const tensor of model.graph.initializer) {
    const bits = Uint16Array.from(toFloat32(tensor), halfBits);
    tensor.dataType = T.FLOAT16;
    setTensorBytes(tensor, tensorDims(tensor), new Uint8Array(bits.buffer));
  }
  for (const { type } of [...model.graph.input, ...model.graph.output]) {
    if (type?.value.case === 'tensorType') type.value.value.elemType = T.FLOAT16;
  }
  model.invalidate();
  return model;
}

const images = noise(99, 12 * 243);
const source = {
  count: 12,
  feeds: async (first: number, last: number) => ({
    image: { dims: [last - first, 3, 9, 9], data: images.slice(first * 243, last * 243) },
  }),
};

describe('weights in half precision', () => {
  test('the same channels go as in float32, and refitted weights are those of float32, rounded to the nearest half', async () => {
    const given = { prunedParams: 'c1\\.w', ratios: new Map([['c1.w', 0.4]]), align: 1, criterion: 'obs' as const };
    const cutOf = (halves: boolean) =>
      calibrate(coarseNet(halves), given, { source, positions: 81, repair: 'least_squares' });
    const [float, half] = [await cutOf(false), await cutOf(true)];
    expect(half.repair).toEqual(float.repair);
    expect(half.cut.tensors.map(({ kept }) => kept)).toEqual(float.cut.tensors.map(({ kept }) => kept));
    for (const name of ['c2.w', 'c2.b']) {
      const stored = half.cut.model.constant(name)!;
      expect(stored.dataType).toBe(T.FLOAT16);
      const wanted = toFloat32(float.cut.model.constant(name)!);
      toFloat32(stored).forEach((value, i) => {
        // Half a unit in the last of eleven places.
        expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(Math.abs(wanted[i]!) * 2 ** -11);
      });
    }
    expect(await verifyCut(half.pruner.graph, half.cut)).toMatchObject({ vacuous: false });
  });

  test.each(['fp16-resnet-dynamo-18', 'fp16-all-legacy-13', 'fp16-casts-legacy-13'])(
    '%s: its layers are refitted, and a third of what a cut by weights misses is missed at most',
    async (name) => {
      const { calibrated, model, ...missed } = await quarterCuts(name, 16);
      for (const { criterion, errorKept, reason } of calibrated.repair) {
        expect([criterion, reason]).toEqual(['obs', undefined]);
        expect(errorKept).toBeGreaterThan(0);
      }
      expect(missed.missedByCalibrated).toBeLessThan(missed.missedByWeights / 3);
      const typesOf = ({ graph }: OnnxModel) => graph.initializer.map(({ name, dataType }) => [name, dataType]);
      const before = new Map(typesOf(model) as [string, number][]);
      for (const [name, type] of typesOf(calibrated.cut.model)) {
        if (before.has(name as string)) expect([name, type]).toEqual([name, before.get(name as string)]);
      }
    },
  );

  test('weights that no half holds are refused, and nothing is written', () => {
    const student = new Student(coarseNet(true), { prunedParams: 'c1\\.w', targetRatio: 0.3, align: 1 });
    const { model } = student.pruner;
    const reader = readersOf(student.pruner.graph).get('c2.w');
    if (!reader || 'reason' in reader) throw new Error('c2.w is to be refitted');
    const layer = student.layer(reader);
    const before = toFloat32(model.constant('c2.w')!);
    const fit = { kept: Int32Array.of(0), weights: new Float64Array(6).fill(65520), bias: new Float64Array(6) };
    expect(() => writeLayer(model, student.original, layer, fit)).toThrow(
      expect.objectContaining({
        code: 'ERR_BAD_DATA',
        message: expect.stringMatching(/^c2\.w: .*too large for FLOAT16/),
      }),
    );
    expect(toFloat32(model.constant('c2.w')!)).toEqual(before);
  });
});
