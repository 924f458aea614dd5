import path from 'node:path';
import { readModel } from '../../lib/model/read';
import { openPruner } from '../../lib/prune/prune-model';
import { layersByCurve, measuredGroups } from '../../lib/sensitivity/measured-groups';

const graphs = path.resolve(__dirname, '..', 'graphs');

test('layers that go together share a curve, and each is named by itself for PaddleSlim', async () => {
  const { groups } = openPruner(await readModel(path.join(graphs, 'residual-resnet-legacy-17.onnx')));
  const layers = layersByCurve(groups);
  expect([...layers.keys()]).toEqual(measuredGroups(groups).map(({ name }) => name));
  const tied = [...layers].filter(([, names]) => names.length > 1);
  expect(tied.length).toBeGreaterThan(0);
  for (const [name, names] of layers) expect(names.join(' + ')).toBe(name);
});
