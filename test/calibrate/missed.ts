import path from 'node:path';
import type { Calibrated, CalibrateOptions } from '../../lib/calibrate/calibrate';
import type { OnnxModel } from '../../lib/model/onnx-model';
import { noise } from './small-net';

const { calibrate } = require('../../dist/lib/calibrate/calibrate') as typeof import('../../lib/calibrate/calibrate');
const { DetectorSession } = require('../../dist/lib/evaluate/session') as typeof import('../../lib/evaluate/session');
const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { encodeModel } = require('../../dist/lib/model/write') as typeof import('../../lib/model/write');
const { Pruner } = require('../../dist/lib/prune/prune') as typeof import('../../lib/prune/prune');
const { comparedTensors, exposeTensors } =
  require('../../dist/lib/prune/observed-tensors') as typeof import('../../lib/prune/observed-tensors');

/** Mean squared difference of two models' compared tensors on held-back noise, as a share of the first one's variance. */
export async function missed(original: OnnxModel, model: OnnxModel, batch: number): Promise<number> {
  const pruner = new Pruner(original);
  const names = comparedTensors(pruner.graph, original);
  const outputs = async (which: OnnxModel) => {
    const copy = which.clone();
    exposeTensors(copy, names);
    const session = await DetectorSession.create(encodeModel(copy));
    const found = [];
    for (let i = 0; i < 4; i++) found.push(await session.run(feedsOf(original, 5000 + i, batch), names));
    await session.close();
    return found;
  };
  const [a, b] = [await outputs(original), await outputs(model)];
  let [error, power] = [0, 0];
  a.forEach((found, i) => {
    for (const name of names) {
      const [x, y] = [found[name]!.data as Float32Array, b[i]![name]!.data as Float32Array];
      const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
      x.forEach((value, j) => {
        error += (value - y[j]!) ** 2;
        power += (value - mean) ** 2;
      });
    }
  });
  return error / power;
}

/** Noise for every input of a model that the caller feeds. */
export function feedsOf(model: OnnxModel, seed: number, batch: number) {
  const { infos } = new Pruner(model).graph;
  const inputs = model.graph.input.filter(({ name }) => !model.constant(name));
  return Object.fromEntries(
    inputs.map(({ name }, k) => {
      const dims = [batch, ...infos.get(name)!.shape!.slice(1)];
      return [
        name,
        {
          dims,
          data: noise(
            31 * seed + k,
            dims.reduce((x, y) => x * y, 1),
          ),
        },
      ];
    }),
  );
}

/** Pictures that a model takes a run; 4 where it takes any number. */
export function graphBatch(model: OnnxModel): number {
  const input = model.graph.input.find(({ name }) => !model.constant(name));
  const dim = input?.type?.value.case === 'tensorType' ? input.type.value.value.shape?.dim[0] : undefined;
  return dim?.value.case === 'dimValue' ? Number(dim.value.value) : 4;
}

/** A graph of the zoo and two cuts of it by a quarter, and what each misses on noise that it was not calibrated on. */
export interface QuarterCuts {
  readonly model: OnnxModel;
  readonly calibrated: Calibrated;
  readonly missedByCalibrated: number;
  readonly missedByWeights: number;
}

/** A quarter of all layers that can be cut. */
export const quarter = {
  prunedParams: '.*',
  skipLocked: true,
  includeTied: true,
  targetRatio: 0.25,
  tolerance: 0.05,
  align: 1,
};

/** Pictures of noise for a model to calibrate on. */
export const noisePictures = (model: OnnxModel, count: number) => ({
  count,
  feeds: async (first: number, last: number) => feedsOf(model, 100 + first, last - first),
});

/** Cuts a graph of the zoo by L1 norms, and with `pictures` of noise at widths by error curves. */
export async function quarterCuts(
  name: string,
  pictures: number,
  more: Partial<CalibrateOptions> = {},
): Promise<QuarterCuts> {
  const model = await readModel(path.join(__dirname, '..', 'graphs', `${name}.onnx`));
  const batch = graphBatch(model);
  const calibrated = await calibrate(
    model,
    { ...quarter, criterion: 'obs', allocation: 'error' },
    { source: noisePictures(model, pictures), batchSize: batch, ...more },
  );
  const plain = new Pruner(model);
  return {
    model,
    calibrated,
    missedByCalibrated: await missed(model, calibrated.cut.model, batch),
    missedByWeights: await missed(model, plain.cut(plain.plan(quarter)).model, batch),
  };
}
