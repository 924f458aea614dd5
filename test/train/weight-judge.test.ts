import type { Sample } from '../../lib/data/dataset';
import { temporary } from '../data/folders';
import { square } from './squares';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { buildMobileNetV1Ssd } = dist('model/mobilenet-v1-ssd') as typeof import('../../lib/model/mobilenet-v1-ssd');
const { readDetectorSettings } = dist('model/detector') as typeof import('../../lib/model/detector');
const { readNetwork } = dist('train/network') as typeof import('../../lib/train/network');
const { parameterOffsets } = dist('train/parameters') as typeof import('../../lib/train/parameters');
const { WeightJudge } = dist('train/weight-judge') as typeof import('../../lib/train/weight-judge');

const classes = ['background', 'red', 'blue'];
const model = buildMobileNetV1Ssd({ classes: 3, width: 0.25, classNames: classes });
const detector = readDetectorSettings(model);
const network = readNetwork(model, detector);

/** Weights whose boxes are e^1000 times as large as their prior boxes. */
function exploded(): Float32Array {
  const { offsets } = parameterOffsets(network.plan);
  const weights = network.weights.slice();
  network.parameters.forEach(({ head, role }, i) => {
    if (head && role === 'bias') weights.fill(1e4, offsets[i]!, offsets[i]! + network.plan.parameters[i]!.size);
  });
  return weights;
}

test('weights that find boxes beyond all bounds have diverged; those that a run begins with are at fault themselves', async () => {
  const folder = temporary();
  const held: Sample[] = [await square(folder, 0)];
  const judge = new WeightJudge({ network, detector, dataset: { classes }, held, threads: 1 });
  expect((await judge.judge(network.weights, 0, 0)).map).toBeGreaterThanOrEqual(0);
  await expect(judge.judge(exploded(), 0, 0)).rejects.toMatchObject({ code: 'ERR_BAD_DATA' });
  await expect(judge.judge(exploded(), 7, 1)).rejects.toMatchObject({
    code: 'ERR_DIVERGED',
    message: expect.stringMatching(/^Evaluated after step 7: Detection \d+, .* isn't finite.*lower learning rate/),
  });
  expect(judge.evaluations).toHaveLength(1);
});
