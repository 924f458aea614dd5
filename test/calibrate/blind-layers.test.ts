import path from 'node:path';
import { feedsOf, graphBatch, missed } from './missed';

const { calibrate } = require('../../dist/lib/calibrate/calibrate') as typeof import('../../lib/calibrate/calibrate');
const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { Pruner } = require('../../dist/lib/prune/prune') as typeof import('../../lib/prune/prune');

// None of their layers can be measured or mended with pictures.
test.each(['quant-qdq-resnet-17', 'quant-qdq-per-channel-13', 'fp16-resnet-dynamo-18', 'fp16-all-legacy-13'])(
  '%s: pictures make no cut worse than weights alone, and the plan says that widths are uniform',
  async (name) => {
    const model = await readModel(path.join(__dirname, '..', 'graphs', `${name}.onnx`));
    const options = {
      prunedParams: '.*',
      skipLocked: true,
      includeTied: true,
      targetRatio: 0.25,
      tolerance: 0.05,
      align: 1,
    };
    const batch = graphBatch(model);
    const source = {
      count: 4,
      feeds: async (first: number, last: number) => feedsOf(model, 100 + first, last - first),
    };
    const found = await calibrate(
      model,
      { ...options, criterion: 'obs', allocation: 'error' },
      { source, batchSize: batch },
    );
    const plain = new Pruner(model);
    const byWeights = plain.cut(plain.plan(options)).model;
    expect(await missed(model, found.cut.model, batch)).toBeLessThanOrEqual(await missed(model, byWeights, batch));
    expect(found.plan.options.allocation).toBe('uniform');
  },
);
