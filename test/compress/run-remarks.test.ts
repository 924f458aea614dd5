import type { CompressionEvent } from '../../lib/compress/events';
import { scenesFolder, scenesRun } from './scenes-run';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { Compressor } = dist('compress/compressor') as typeof import('../../lib/compress/compressor');

jest.setTimeout(300_000);

let data: string;
beforeAll(async () => {
  data = await scenesFolder();
});

test('what is odd about cuts is in the report, of a resumed run, too', async () => {
  const config = scenesRun(data);
  const [first] = config.compressor.strategies;
  const options = { ...first!.options, prunedParams: 'conv2d_1|conv2d_[2-9].w_0' };
  config.compressor.strategies = [{ ...first!, options }];
  config.compressor.epochs = 1;
  config.warnings = ['run.yaml:1:1: odd'];
  const controller = new AbortController();
  const onEvent = (event: CompressionEvent) => event.event === 'step' && event.step === 3 && controller.abort();
  await expect(new Compressor(config, { onEvent, signal: controller.signal }).run()).rejects.toMatchObject({
    code: 'ERR_ABORTED',
  });
  const { warnings } = await new Compressor(config, { resume: true }).run();
  expect(warnings.slice(0, 3)).toEqual([
    'run.yaml:1:1: odd',
    expect.stringMatching(/^conv2d_1\|.* whole names: conv2d_1\.w_0/),
    // 8 of the 40 pictures.
    expect.stringMatching(/^only 8 pictures are held back: .* with a greater training\.held_back$/),
  ]);
});

test('a pattern that selects nothing and a target out of reach end it before anything is trained', async () => {
  const run = (options: object) => {
    const config = structuredClone(scenesRun(data));
    const [first] = config.compressor.strategies;
    const entry = { ...first!, options: { ...first!.options, ...options, startEpoch: 2 } };
    const seen: string[] = [];
    const onEvent = ({ event }: CompressionEvent) => seen.push(event);
    const compressor = { ...config.compressor, strategies: [entry] };
    return { seen, done: new Compressor({ ...config, compressor }, { onEvent }).run() };
  };
  const nothing = run({ prunedParams: 'conv.*_weights' });
  // There may be several strategies: which one it is, is said.
  const message = expect.stringMatching(/^first: /);
  await expect(nothing.done).rejects.toMatchObject({ code: 'ERR_NO_MATCH', message });
  expect(nothing.seen).toEqual([]);
  await expect(run({ targetRatio: 0.99 }).done).rejects.toMatchObject({ code: 'ERR_TARGET_UNREACHABLE', message });
});

test('where nothing is held back the weights of the last step are kept, and said to be', async () => {
  const config = scenesRun(data);
  config.training.heldBack = 0;
  config.compressor.epochs = 1;
  config.compressor.strategies = config.compressor.strategies.slice(0, 1);
  expect(await new Compressor(config).run()).toMatchObject({ kept: 'last', keptAt: null, heldBack: [] });
});

test('training that makes nothing better than what the last cut left is warned of, in the report too', async () => {
  const config = scenesRun(data);
  Object.assign(config.training, { rate: 1e-9, recalibrate: 0, batchStatistics: false, heldBack: 0.5 });
  config.compressor.epochs = 1;
  config.compressor.strategies = config.compressor.strategies.slice(0, 1);
  const seen: string[] = [];
  const onEvent = (event: CompressionEvent) => event.event === 'warning' && seen.push(event.message);
  const report = await new Compressor(config, { onEvent }).run();
  expect(report.keptAt).toEqual(report.heldBack[0]);
  // Half of the 40 pictures are enough of them.
  const [warning, ...more] = report.warnings;
  expect([more, seen]).toEqual([[], [warning]]);
  const map = report.heldBack[0]!.map.toFixed(4);
  expect(warning).toContain(`nothing better than what the last cut left, by the pictures held back (mAP ${map} at the`);
  expect(warning).toContain(': small.onnx holds the weights the last cut left; try a lower training.rate');
});
