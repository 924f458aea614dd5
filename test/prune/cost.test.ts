import path from 'node:path';
import { uniform } from '../../lib/model/random';

const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { Pruner } = require('../../dist/lib/prune/prune') as typeof import('../../lib/prune/prune');

describe('parts of the work', () => {
  test.each(['concat-densenet-legacy-12', 'residual-mobilenetv2-dynamo-18', 'concat-csp-slice-legacy-11'])(
    '%s: with a constant they add up to all of it, two widths at a time',
    async (name) => {
      const model = await readModel(path.join(__dirname, '..', 'graphs', `${name}.onnx`));
      const { macs } = new Pruner(model);
      const factors = macs.factors();
      const sum = (kept: readonly number[]) => factors.reduce((total, { cost }) => total + cost(kept), 0);
      const whole = macs.whole();
      const constant = macs.total(whole) - sum(whole);
      const random = uniform(5, name);
      for (let draw = 0; draw < 20; draw++) {
        const kept = whole.map((size, group) => 1 + Math.floor(random(draw * whole.length + group) * size));
        expect(constant + sum(kept)).toBeCloseTo(macs.total(kept), 3);
      }
      for (const { groups, cost } of factors) {
        expect(groups.length).toBeLessThanOrEqual(2);
        // Other groups don't matter to it.
        const kept = whole.map((size, group) => (groups.includes(group) ? size : 1));
        expect(cost(kept)).toBe(cost(whole));
      }
    },
  );
});
