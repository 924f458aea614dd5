import { existsSync } from 'node:fs';
import path from 'node:path';
import type { CalibrateOptions } from '../../lib/calibrate/calibrate';
import type { PruneOptions } from '../../lib/prune/options';
import { shared } from '../shared';

const { calibrate } = require('../../dist/lib/calibrate/calibrate') as typeof import('../../lib/calibrate/calibrate');
const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { noiseFor } = require('../../scripts/noise-error');

/** An untrained MobileNetV2 with residual Adds: on noise a cut by a quarter leaves little to be explained. */
const residual = path.join(shared, 'graphs', '03_mobilenetv2_residual.onnx');
const available = existsSync(residual) ? test : test.skip;

jest.setTimeout(600_000);

interface Way {
  options: Partial<PruneOptions>;
  repair: NonNullable<CalibrateOptions['repair']>;
}
/** The defaults of `prune --calibrate`. */
const byPictures: Way = { options: { criterion: 'obs', allocation: 'error' }, repair: 'full' };
const byWeights: Way = { options: { criterion: 'l1_norm' }, repair: 'none' };

available.each([
  [2, 0.9],
  [8, 0.8],
])(
  'a residual network calibrated on %i pictures of noise is nearer to itself on others than cut by L1',
  async (pictures, most) => {
    const { model, source, errorOf } = await noiseFor(await readModel(residual), pictures);
    const cut = async ({ options, repair }: Way) => {
      const given = { prunedParams: '.*', skipLocked: true, targetRatio: 0.25, align: 1, ...options };
      const found = await calibrate(model, given, { source, repair });
      return { ...found, error: (await errorOf(found.cut.model)) as number };
    };
    const [own, plain] = [await cut(byPictures), await cut(byWeights)];
    expect(own.error).toBeLessThan(most * plain.error);
    // What a fit misses of what it was fitted to: never more than a constant does.
    for (const { layer, errorKept } of own.repair) expect([layer, errorKept! <= 1]).toEqual([layer, true]);
  },
);
