import { create } from '@bufbuild/protobuf';
import type { OnnxModel } from '../../lib/model/onnx-model';
import { quarterCuts } from './missed';
import { noise, smallNet, smallWeights } from './small-net';

const { calibrate } = require('../../dist/lib/calibrate/calibrate') as typeof import('../../lib/calibrate/calibrate');
const { AttributeProtoSchema, GraphProtoSchema, NodeProtoSchema, ValueInfoProtoSchema } =
  require('../../dist/lib/model/onnx_pb') as typeof import('../../lib/model/onnx_pb');
const { makeTensor, toFloat32 } = require('../../dist/lib/model/tensor') as typeof import('../../lib/model/tensor');
const { Student } = require('../../dist/lib/calibrate/student') as typeof import('../../lib/calibrate/student');
const { verifyCut } = require('../../dist/lib/prune/verify') as typeof import('../../lib/prune/verify');

const images = noise(99, 12 * 243);
const source = {
  count: 12,
  feeds: async (first: number, last: number) => ({
    image: { dims: [last - first, 3, 9, 9], data: images.slice(first * 243, last * 243) },
  }),
};
type Options = Parameters<typeof calibrate>[2];
const cut = (model: OnnxModel, repair: NonNullable<Options['repair']> = 'least_squares') =>
  calibrate(
    model,
    { prunedParams: 'c1\\.w', ratios: new Map([['c1.w', 0.4]]), align: 1, criterion: 'obs' },
    { source, positions: 81, repair },
  );
const values = (model: OnnxModel, name: string) => Array.from(toFloat32(model.constant(name)!));
const node = (model: OnnxModel, name: string) => model.graph.node.find((other) => other.name === name)!;

/** Puts nodes in front of all others. */
function prepend(model: OnnxModel, ...nodes: [opType: string, input: string[], output: string][]): OnnxModel {
  const made = nodes.map(([opType, input, output]) =>
    create(NodeProtoSchema, { opType, name: output, input, output: [output] }),
  );
  model.graph.node.unshift(...made);
  model.invalidate();
  return model;
}

/** The small network, whose second layer's bias is `value` everywhere, computed as the newer exporter does. */
function expanded(value: number): OnnxModel {
  const { 'c2.b': _, ...weights } = smallWeights();
  const model = smallNet(weights);
  const int = (name: string, ...numbers: number[]) =>
    makeTensor(
      name,
      7,
      numbers.length > 1 ? [numbers.length] : [],
      new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer),
    );
  model.graph.initializer.push(int('value', value));
  model.graph.initializer.push(makeTensor('one', 7, [1], new Uint8Array(BigInt64Array.of(1n).buffer)));
  prepend(
    model,
    ['Shape', ['c2.w'], 'dims'],
    ['Gather', ['dims', 'zeroth'], 'filters'],
    ['Reshape', ['filters', 'one'], 'length'],
    ['CastLike', ['value', 'image'], 'cast'],
    ['Expand', ['cast', 'length'], 'bias'],
  );
  model.graph.initializer.push(int('zeroth', 0));
  model.proto.opsetImport[0]!.version = 15n;
  node(model, 'c2').input[2] = 'bias';
  model.invalidate();
  return model;
}

describe('weights behind Identity nodes', () => {
  test('are refitted as those that are read at once, in the initializer', async () => {
    const plain = await cut(smallNet(smallWeights()));
    const model = prepend(
      smallNet(smallWeights()),
      ['Identity', ['c2.w'], 'w1'],
      ['Identity', ['w1'], 'w2'],
      ['Identity', ['c2.b'], 'b1'],
    );
    node(model, 'c2').input.splice(1, 2, 'w2', 'b1');
    model.invalidate();
    const found = await cut(model);
    expect(found.repair).toEqual(plain.repair);
    for (const name of ['c2.w', 'c2.b']) {
      expect(values(found.cut.model, name)).toEqual(values(plain.cut.model, name));
      expect(values(found.cut.model, name)).not.toEqual(values(model, name));
    }
    expect(node(found.cut.model, 'c2').input.slice(1)).toEqual(['w2', 'b1']);
    expect(await verifyCut(found.pruner.graph, found.cut)).toMatchObject({ vacuous: false });
  });

  test.each<[string, (model: OnnxModel) => void]>([
    ['another node, from the initializer', (model) => prepend(model, ['Neg', ['c2.w'], 'other'])],
    [
      'another node, on the way',
      ({ graph }) => {
        graph.node.splice(
          1,
          0,
          create(NodeProtoSchema, { opType: 'Neg', name: 'other', input: ['w1'], output: ['other'] }),
        );
      },
    ],
  ])('stay as they are where %s has their values', async (_, share) => {
    const model = prepend(smallNet(smallWeights()), ['Identity', ['c2.w'], 'w1']);
    node(model, 'c2').input[1] = 'w1';
    share(model);
    model.invalidate();
    const before = smallWeights()['c2.w']!;
    const { cut: found, repair } = await cut(model);
    for (const { reason } of repair) expect(reason).toMatch(/c2\.w: others read its weight, too/);
    const kept = found.tensors.find(({ name }) => name === 'c1.w')?.kept[0] ?? [...Array(10).keys()];
    const left = Array.from({ length: 6 }, (__, o) => Array.from(kept, (c) => before[o * 10 + c]!)).flat();
    expect(values(found.model, 'c2.w')).toEqual(left);
  });

  test.each<[string, (model: OnnxModel) => void]>([
    ['leave the model', ({ graph }) => graph.output.push(create(ValueInfoProtoSchema, { name: 'w1' }))],
    [
      'are read in the body of an If',
      ({ graph }) => {
        const identity = create(NodeProtoSchema, { opType: 'Identity', input: ['w1'], output: ['inner'] });
        const output = [create(ValueInfoProtoSchema, { name: 'inner' })];
        const attribute = ['then_branch', 'else_branch'].map((name) =>
          create(AttributeProtoSchema, {
            name,
            type: 5,
            g: create(GraphProtoSchema, { name, node: [identity], output }),
          }),
        );
        graph.node.push(create(NodeProtoSchema, { opType: 'If', input: ['yes'], output: ['either'], attribute }));
        graph.initializer.push(makeTensor('yes', 9, [], Uint8Array.of(1)));
      },
    ],
  ])('stay as they are where they %s', (_, share) => {
    const model = prepend(smallNet(smallWeights()), ['Identity', ['c3.w'], 'w1']);
    node(model, 'c3').input[1] = 'w1';
    const given = { prunedParams: 'c1\\.w', targetRatio: 0.3, align: 1 };
    expect(new Student(model.clone(), given).readers.get('c3.w')).not.toHaveProperty('reason');
    share(model);
    const { readers } = new Student(model.clone(), given);
    expect(readers.get('c3.w')).toHaveProperty('reason', 'others read its weight, too');
  });

  test('a bias of theirs that others read, too, becomes one of their own', async () => {
    const weights = smallWeights();
    const plain = await cut(smallNet({ ...weights, 'c3.b': weights['c2.b']!.slice(0, 4) }));
    const model = prepend(
      smallNet({ ...weights, 'c3.b': weights['c2.b']!.slice(0, 4) }),
      ['Identity', ['c2.b'], 'b1'],
      ['Neg', ['c2.b'], 'other'],
    );
    node(model, 'c2').input[2] = 'b1';
    model.graph.output.push(create(ValueInfoProtoSchema, { name: 'other' }));
    model.invalidate();
    const { cut: found } = await cut(model);
    const own = node(found.model, 'c2').input[2]!;
    expect(own).not.toBe('b1');
    expect(values(found.model, own)).toEqual(values(plain.cut.model, 'c2.b'));
    expect(values(found.model, 'c2.b')).toEqual(Array.from(weights['c2.b']!));
    // Nobody reads the Identity any more.
    expect(found.model.graph.node.some(({ name }) => name === 'b1')).toBe(false);
  });
});

describe('a bias that is computed', () => {
  test.each([0, 3])(
    'by Expand of %i: becomes one that is stored where it is refitted, and Shape keeps no weight from it',
    async (value) => {
      const plain = await cut(smallNet({ ...smallWeights(), 'c2.b': new Float32Array(6).fill(value) }));
      const { cut: found, repair } = await cut(expanded(value));
      expect(repair).toEqual(plain.repair);
      expect(repair[0]!.reason).toBeUndefined();
      expect(values(found.model, 'c2.w')).toEqual(values(plain.cut.model, 'c2.w'));
      expect(values(found.model, node(found.model, 'c2').input[2]!)).toEqual(values(plain.cut.model, 'c2.b'));
      const operators = found.model.graph.node.map(({ opType }) => opType);
      for (const gone of ['Shape', 'Gather', 'CastLike', 'Expand']) expect(operators).not.toContain(gone);
    },
  );

  test('stays as it was without a refit', async () => {
    const model = expanded(0);
    const { cut: found } = await cut(model, 'none');
    expect(found.model.graph.node.map(({ input }) => input)).toEqual(model.graph.node.map(({ input }) => input));
    expect(found.model.graph.initializer.map(({ name }) => name)).toEqual(
      model.graph.initializer.map(({ name }) => name),
    );
  });

  test('in another way keeps the layer from being refitted, and the report says so', async () => {
    const model = prepend(smallNet(smallWeights()), ['Neg', ['c2.b'], 'bias']);
    node(model, 'c2').input[2] = 'bias';
    model.invalidate();
    const { repair } = await cut(model);
    expect(repair).toEqual([
      expect.objectContaining({ criterion: 'l1_norm', reason: 'c2.w: its bias is no stored vector' }),
    ]);
  });
});

// Every group of theirs was cut by weights before, or all but one.
test.each(['bn-unfolded-dynamo-23', 'identity-weights-legacy-13', 'dedup-identity-legacy-13'])(
  '%s: all readers are refitted, and a third of what a cut by weights misses is missed at most',
  async (name) => {
    const { calibrated, missedByCalibrated, missedByWeights } = await quarterCuts(name, 16);
    expect(calibrated.repair.length).toBeGreaterThan(0);
    for (const { criterion, readers, reason } of calibrated.repair) {
      expect([criterion, reason]).toEqual(['obs', undefined]);
      expect(readers.length).toBeGreaterThan(0);
    }
    expect(missedByCalibrated).toBeLessThan(missedByWeights / 3);
    expect(await verifyCut(calibrated.pruner.graph, calibrated.cut)).toMatchObject({ vacuous: false });
  },
);
