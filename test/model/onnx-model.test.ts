import { create } from '@bufbuild/protobuf';
import { getFloat, getInt, getInts, getString, getTensor, setInt, setInts } from '../../lib/model/attributes';
import { NodeProtoSchema, TensorProto_DataType as T } from '../../lib/model/onnx_pb';
import { decodeModel } from '../../lib/model/read';
import { makeTensor, setTensorBytes, tensorDims, toFloat32, toInts } from '../../lib/model/tensor';
import { encodeModel } from '../../lib/model/write';
import { failure, fixtureBytes } from './onnx-files';

const load = (name: string) => decodeModel(fixtureBytes(name));
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

describe('constants', () => {
  test('in every form a Constant node has', () => {
    const model = load('constants');
    expect(tensorDims(model.constant('w')!)).toEqual([4, 3, 1, 1]);
    expect(Array.from(toFloat32(model.constant('half')!))).toEqual([0.5]);
    expect(tensorDims(model.constant('half')!)).toEqual([]);
    expect(Array.from(toFloat32(model.constant('bias')!))).toEqual([1, 2, 3, 4]);
    expect(toInts(model.constant('two')!)).toEqual([2]);
    expect(toInts(model.constant('shape')!)).toEqual([-1, 4]);
    for (const name of ['word', 'sparse', 'c', 'x', 'nowhere']) expect(model.constant(name)).toBeUndefined();
  });

  test('behind Identity nodes', () => {
    const model = load('constants');
    expect(model.constant('w2')).toBeUndefined();
    expect(model.source('w2')).toBe('w');
    expect(model.source('y')).toBe('y');
  });

  test.each(['w', 'bias', 'half'])('%s is replaced in place, for good', (name) => {
    const model = load('constants');
    model.replaceConstant(name, makeTensor('any', T.FLOAT, [2], floats(7, 8)));
    const again = decodeModel(encodeModel(model));
    for (const m of [model, again]) expect(Array.from(toFloat32(m.constant(name)!))).toEqual([7, 8]);
    expect(again.graph.node).toHaveLength(load('constants').graph.node.length);
  });

  test('an initializer keeps its name, and its IR 3 input follows', () => {
    const model = load('opset-7');
    expect([model.isGraphInput('x'), model.isGraphInput('w')]).toEqual([true, false]);
    model.replaceConstant('b', makeTensor('other', T.FLOAT, [2], floats(7, 8)));
    expect(model.constant('b')!.name).toBe('b');
    const type = model.graph.input.find((i) => i.name === 'b')!.type!.value;
    expect(type.case === 'tensorType' && type.value.shape!.dim.map((d) => d.value.value)).toEqual([2n]);
  });

  test('a name that is none', async () => {
    const tensor = makeTensor('t', T.FLOAT, [1], floats(1));
    expect((await failure(() => load('constants').replaceConstant('c', tensor))).code).toBe('ERR_INTERNAL');
  });
});

test('a new initializer needs a new name, and an input before IR 4', async () => {
  for (const [name, inputs] of [
    ['opset-7', 4],
    ['opset-13', 1],
  ] as const) {
    const model = load(name);
    expect(model.uniqueName('w')).toBe('w_1');
    expect(model.uniqueName('fresh')).toBe('fresh');
    model.addInitializer(makeTensor('fresh', T.FLOAT, [1], floats(1)));
    expect(model.uniqueName('fresh')).toBe('fresh_1');
    expect(model.graph.input).toHaveLength(inputs);
    expect(tensorDims(decodeModel(encodeModel(model)).constant('fresh')!)).toEqual([1]);
    const taken = makeTensor('relu', T.FLOAT, [1], floats(1));
    expect((await failure(() => model.addInitializer(taken))).code).toBe('ERR_INTERNAL');
  }
});

test('producers and consumers, subgraphs included', () => {
  const model = load('everything');
  const names = (tensor: string) => model.consumers(tensor).map((node) => node.opType);
  expect(names('outer')).toEqual(['If']);
  expect(names('x')).toEqual(['If']);
  expect(names('d')).toEqual(['Add']);
  expect(names('y')).toEqual([]);
  expect(model.producer('y')!.name).toBe('add');
  expect(model.producer('x')).toBeUndefined();
  expect(model.isGraphOutput('y')).toBe(true);
  expect(model.uniqueName('t')).toBe('t_1');
  expect(model.where(model.producer('y')!)).toBe('Add node "add" (#2)');
  expect([model.opset(), model.opset('ai.onnx'), model.opset('local'), model.opset('none')]).toEqual([17, 17, 1, 0]);
});

test('the tables follow the graph after invalidate', () => {
  const model = load('opset-13');
  expect(model.consumers('c')).toHaveLength(1);
  model.graph.node.pop();
  model.invalidate();
  expect(model.consumers('c')).toEqual([]);
});

test('metadata', () => {
  const model = load('everything');
  expect([model.metadata('ssd-prune.note'), model.metadata('none')]).toEqual(['ü — kept', undefined]);
  model.setMetadata('ssd-prune.note', 'new');
  model.setMetadata('more', 'yes');
  const again = decodeModel(encodeModel(model));
  expect([again.metadata('ssd-prune.note'), again.metadata('more')]).toEqual(['new', 'yes']);
});

test('a clone shares bytes and nothing else', () => {
  const model = load('opset-13');
  const clone = model.clone();
  expect(clone.constant('w')!.rawData).toBe(model.constant('w')!.rawData);
  setTensorBytes(clone.constant('w')!, [1], floats(3));
  clone.graph.node[0]!.name = 'renamed';
  setInts(clone.graph.node[0]!, 'kernel_shape', [3, 3]);
  expect(tensorDims(model.constant('w')!)).toEqual([4, 3, 1, 1]);
  expect(model.graph.node[0]!.name).toBe('conv');
  expect(getInts(model.graph.node[0]!, 'kernel_shape', [])).toEqual([1, 1]);
});

describe('attributes', () => {
  const node = create(NodeProtoSchema, { opType: 'Conv', name: 'c' });
  setInt(node, 'group', 4);
  setInts(node, 'pads', [1, 2]);
  setInt(node, 'group', 8);

  test('read back, or the default', () => {
    expect([getInt(node, 'group', 1), getInt(node, 'none', 1), getInt(node, 'none', undefined)]).toEqual([
      8,
      1,
      undefined,
    ]);
    expect([getInts(node, 'pads', []), getInts(node, 'none', [0])]).toEqual([[1, 2], [0]]);
    expect([getFloat(node, 'none', 0.5), getString(node, 'none', 'NOTSET'), getTensor(node, 'none')]).toEqual([
      0.5,
      'NOTSET',
      undefined,
    ]);
    expect(node.attribute).toHaveLength(2);
  });

  test('of another type are refused', async () => {
    for (const call of [
      () => getInts(node, 'group', []),
      () => getFloat(node, 'pads', 0),
      () => setInt(node, 'pads', 1),
    ])
      expect((await failure(call)).code).toBe('ERR_BAD_MODEL');
  });
});
