import path from 'node:path';
import { zoo } from './zoo';

const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { describeParameters } =
  require('../../dist/lib/prune/parameter-list') as typeof import('../../lib/prune/parameter-list');
const { openPruner } = require('../../dist/lib/prune/prune-model') as typeof import('../../lib/prune/prune-model');

const graph = (name: string) => path.join(__dirname, '..', 'graphs', `${name}.onnx`);

test.each(zoo.map(({ file, path: place }) => [file, place]))(
  '%s: all that can be cut, or follows a cut, can be named',
  async (_, place) => {
    const pruner = openPruner(await readModel(place));
    const names = new Set(pruner.parameters.map(({ name }) => name));
    const cuttable = [...pruner.graph.producers.keys(), ...pruner.graph.followers.keys()];
    expect(cuttable.filter((name) => !names.has(name))).toEqual([]);
    expect(names.size).toBe(pruner.parameters.length);
  },
);

test('weights behind QuantizeLinear and DequantizeLinear are listed by the stored name', async () => {
  const { parameters } = describeParameters(await readModel(graph('quant-qdq-per-channel-13')));
  const weights = parameters.filter(({ shape }) => shape.length === 4);
  expect(weights.map(({ type }) => type)).toEqual(weights.map(() => 'INT8'));
  expect(weights.every(({ name }) => name.endsWith('_quantized'))).toBe(true);
});

test('says what is selected, what looser ways of matching would take, and what is locked', async () => {
  const list = describeParameters(await readModel(graph('lrn-13')), 'tail|tail_a|second.w|stem');
  expect(list.selected).toEqual(['second.w']);
  expect(list.prefixOnly).toEqual(['stem.w', 'stem.b', 'tail_a.w', 'tail_a.b', 'tail_b.w', 'tail_b.b']);
  expect(list.searchOnly).toEqual([]);
  const locked = Object.fromEntries(list.parameters.map((row) => [row.name, row.locked]));
  expect(locked['second.w']).toContain('LRN');
  expect(locked['second.w']).toContain('neighbouring channels');
  expect(locked['stem.w']).toBeNull();
  expect(locked['stem.b']).toContain('opens no channels');
  const loose = describeParameters(await readModel(graph('lrn-13')), 'ail_a.w');
  expect([loose.selected, loose.prefixOnly, loose.searchOnly]).toEqual([[], [], ['tail_a.w']]);
});
