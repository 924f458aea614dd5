import path from 'node:path';
import type { OnnxModel } from '../../lib/model/onnx-model';

const dist = (name: string) => require(path.resolve(__dirname, '../../dist/lib', name));
const { buildMobileNetV1Ssd } = dist('model/mobilenet-v1-ssd') as typeof import('../../lib/model/mobilenet-v1-ssd');
const { keptKey, readKept, recordKept } = dist('model/kept-channels') as typeof import('../../lib/model/kept-channels');
const { pruneModel } = dist('prune/prune-model') as typeof import('../../lib/prune/prune-model');
const { tensorBytes, tensorDims } = dist('model/tensor') as typeof import('../../lib/model/tensor');

const build = () => buildMobileNetV1Ssd({ classes: 3, width: 0.25, seed: 1 });
const cut = async (model: OnnxModel, ratio: number) =>
  (await pruneModel(model, { prunedParams: 'conv2d_[2-5].w_0', targetRatio: ratio, align: 1, verify: false })).cut
    .model;

/** The first number of each filter: by it filters of a random model are told from each other. */
function firsts(model: OnnxModel, name: string): number[] {
  const tensor = model.constant(name)!;
  const bytes = tensorBytes(tensor).slice();
  const floats = new Float32Array(bytes.buffer, 0, bytes.length / 4);
  const row = floats.length / tensorDims(tensor)[0]!;
  return Array.from({ length: floats.length / row }, (_, i) => floats[i * row]!);
}

test('a cut notes which filters stayed; a second cut says it in the original’s numbers', async () => {
  const original = build();
  expect(readKept(original).size).toBe(0);
  const once = await cut(original, 0.1);
  const twice = await cut(once, 0.1);
  for (const [model, least] of [
    [once, 3],
    [twice, 3],
  ] as const) {
    const kept = readKept(model);
    expect(kept.size).toBeGreaterThanOrEqual(least);
    for (const [name, { of, kept: places }] of kept) {
      expect(of).toBe(tensorDims(original.constant(name)!)[0]);
      expect(name).toMatch(/^conv2d_[2-5]\.w_0$/);
      // Layers behind a cut lose inputs, so that a filter's first number is its own only where the first input stayed.
      if (name === 'conv2d_2.w_0') {
        const all = firsts(original, name);
        expect(firsts(model, name)).toEqual(places.map((place) => all[place]));
      }
      expect(places).toHaveLength(tensorDims(model.constant(name)!)[0]!);
      expect([...places].sort((a, b) => a - b)).toEqual([...places]);
    }
  }
  for (const [name, { kept }] of readKept(twice)) {
    const before = readKept(once).get(name)?.kept ?? [];
    if (before.length > 0) expect(before).toEqual(expect.arrayContaining([...kept]));
  }
  expect(original.metadata(keptKey)).toBeUndefined();
});

test('numbers of a cut are looked up in those of the cut before', () => {
  const model = build();
  recordKept(model, new Map([['a', { of: 12, kept: [1, 4, 5, 9] }]]));
  recordKept(
    model,
    new Map([
      ['a', { of: 4, kept: [0, 2, 3] }],
      ['b', { of: 8, kept: [7] }],
    ]),
  );
  expect([...readKept(model)]).toEqual([
    ['a', { of: 12, kept: [1, 5, 9] }],
    ['b', { of: 8, kept: [7] }],
  ]);
  recordKept(model, new Map());
  expect(model.metadata(keptKey)).toBe('{"a":{"of":12,"kept":[1,5,9]},"b":{"of":8,"kept":[7]}}');
});

test.each([
  ['[', 'no JSON'],
  ['[1]', 'no object'],
  ['null', 'no object'],
  ['{"a":[1,2]}', 'no list of filters for a'],
  ['{"a":{"of":4}}', 'no list of filters for a'],
  ['{"a":{"of":4,"kept":[1,-2]}}', 'no list of filters for a'],
  ['{"a":{"of":4,"kept":[0.5]}}', 'no list of filters for a'],
  ['{"a":{"of":4,"kept":[4]}}', 'no list of filters for a'],
  ['{"a":{"of":4,"kept":[1,1]}}', 'no list of filters for a'],
  ['{"a":{"of":"4","kept":[1]}}', 'no list of filters for a'],
])('metadata that hold %s are refused', (text, found) => {
  const model = build();
  model.setMetadata(keptKey, text);
  const refused = { code: 'ERR_BAD_MODEL', message: expect.stringContaining(found) };
  expect(() => readKept(model)).toThrow(expect.objectContaining(refused));
});

test.each([
  ['{"a":{"of":9,"kept":[3,4]},"b":{"of":2,"kept":[1]}}', [['b', { of: 2, kept: [1] }]]],
  ['[]', []],
])('a cut begins anew where earlier notes are %s', (text, left) => {
  const model = build();
  model.setMetadata(keptKey, text);
  recordKept(model, new Map([['a', { of: 3, kept: [1, 2] }]]));
  expect(new Map(readKept(model))).toEqual(new Map([['a', { of: 3, kept: [1, 2] }], ...(left as [])]));
});

test('metadata lie in one order, whatever was written first', () => {
  const keys = (order: string[]) => {
    const model = build();
    for (const key of order) model.setMetadata(key, 'x');
    return model.proto.metadataProps.map(({ key }) => key);
  };
  const own = keys([]);
  const orders = [
    ['ssd-prune.kept', 'ssd-prune.detector', 'a'],
    ['a', 'ssd-prune.detector', 'ssd-prune.kept'],
    ['ssd-prune.detector', 'a', 'ssd-prune.kept'],
  ].map(keys);
  expect(orders[1]).toEqual(orders[0]);
  expect(orders[2]).toEqual(orders[0]);
  expect(new Set(orders[0])).toEqual(new Set([...own, 'a', 'ssd-prune.detector', 'ssd-prune.kept']));
});
