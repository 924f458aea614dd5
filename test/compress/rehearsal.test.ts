import type { CompressionEvent } from '../../lib/compress/events';
import type { PlannedCut, Strategy } from '../../lib/compress/strategy';
import type { RunConfig } from '../../lib/config/config';
import { temporary } from '../data/folders';
import { pattern, scenesFolder, scenesRun } from './scenes-run';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { Compressor } = dist('compress/compressor') as typeof import('../../lib/compress/compressor');
const { rehearseConfig, rehearse } = dist('compress/rehearsal') as typeof import('../../lib/compress/rehearsal');
const { embeddedDetector } = dist('embedded/detector') as typeof import('../../lib/embedded/detector');
const { readModel } = dist('model/read') as typeof import('../../lib/model/read');
const { pruneModel } = dist('prune/prune-model') as typeof import('../../lib/prune/prune-model');

jest.setTimeout(300_000);

type Entry = [className: string, startEpoch: number, options: object];

/** A run of these strategies, each called by its place: the first one `s0`, in line 10. */
function runOf(data: string, ...entries: Entry[]): RunConfig {
  const config = scenesRun(data);
  const { targetRatio: _, ...common } = config.compressor.strategies[0]!.options;
  const strategies = entries.map(([name, startEpoch, options], i) => ({
    ...{ name: `s${i}`, class: name, where: `run.yaml:${10 + i}:5` },
    options: { ...common, startEpoch, ...options },
  }));
  return { ...config, compressor: { ...config.compressor, epochs: 6, strategies } };
}

/** What a rehearsal of them says: the error, or the warnings. */
async function outcome(...entries: Entry[]): Promise<string> {
  const warnings: string[] = [];
  const config = runOf(temporary(), ...entries);
  return rehearseConfig(config, (message) => warnings.push(message)).then(
    () => warnings.join('\n'),
    ({ code, message }) => `${code} ${message}`,
  );
}

const uniform = (startEpoch: number, targetRatio: number, more: object = {}): Entry => [
  'UniformPruneStrategy',
  startEpoch,
  { targetRatio, ...more },
];

/** Share of the work that is gone when all selected layers have one block of 8 channels. */
async function narrowest(): Promise<number> {
  const message = await outcome(uniform(0, 0.99));
  return Number(/can lose (\d+\.\d+) % at most/.exec(message)![1]) / 100;
}

test('cuts in a row whose sum is out of reach are refused before anything is measured or trained', async () => {
  const data = await scenesFolder();
  const seen: string[] = [];
  const run = new Compressor(runOf(data, uniform(0, 0.4), uniform(1, 0.7)), {
    onEvent: ({ event }: CompressionEvent) => seen.push(event),
  }).run();
  await expect(run).rejects.toMatchObject({ code: 'ERR_TARGET_UNREACHABLE' });
  const message = await run.then(String, (error: Error) => error.message);
  expect(message).toMatch(/^s1: its cut at the beginning of epoch 1 \(run\.yaml:11:5\) can't be made: 70\.00 % /);
  expect(seen).toEqual([]);
  // By hand: what the narrowest network leaves of what the first cut leaves.
  const model = await readModel(embeddedDetector);
  const { report } = await pruneModel(model, { prunedParams: pattern, targetRatio: 0.4, tolerance: 0.05 });
  const most = 1 - (1 - (await narrowest())) / (1 - report.macs.cut);
  expect(Number(/can lose (\d+\.\d+) % at most/.exec(message)![1])).toBeCloseTo(100 * most, 1);
});

test('each alone and all together within reach, they are rehearsed in the order of their epochs', async () => {
  expect(await outcome(uniform(0, 0.7))).toBe('');
  expect(await outcome(uniform(3, 0.4), uniform(1, 0.3))).toBe('');
  // The one that stands last acts first.
  expect(await outcome(uniform(3, 0.7), uniform(1, 0.4))).toMatch(/^ERR_TARGET_UNREACHABLE s0: .* epoch 3 /);
  expect(await outcome(uniform(1, 0.4), uniform(9, 0.7))).toBe('');
});

test('a target that only the cut before brings within reach is none to refuse', async () => {
  // These hold 27 % of the work at first, and 44 % of what is left without a third of it elsewhere.
  const late = uniform(2, 0.35, { prunedParams: 'conv2d_1[0-2].w_0' });
  expect(await outcome(late)).toMatch(/^ERR_TARGET_UNREACHABLE s0: /);
  expect(await outcome(uniform(0, 0.36, { prunedParams: 'conv2d_[1-8].w_0' }), late)).toBe('');
});

test('iterative cuts are rehearsed one by one behind others', async () => {
  const iterative = (targetRatio: number): Entry => [
    'IterativePruneStrategy',
    1,
    { targetRatio, steps: 3, every: 1, curve: 'exponential' },
  ];
  expect(await outcome(iterative(0.7))).toBe('');
  expect(await outcome(uniform(0, 0.4), iterative(0.5))).toBe('');
  expect(await outcome(uniform(0, 0.4), iterative(0.7))).toMatch(
    /^ERR_TARGET_UNREACHABLE s1: its cut at the beginning of epoch 3 \(run\.yaml:11:5\)/,
  );
});

test('behind cuts that go by pictures only what no widths could reach is refused, else it is warned of', async () => {
  const byPictures = (startEpoch: number, targetRatio: number, prunedParams = pattern): Entry =>
    uniform(startEpoch, targetRatio, { criterion: 'obs', repair: 'full', allocation: 'error', prunedParams });
  expect(await outcome(byPictures(0, 0.4), byPictures(1, 0.6))).toBe('');
  expect(await outcome(byPictures(0, 0.4), byPictures(1, 0.7))).toMatch(/^ERR_TARGET_UNREACHABLE s1: .*:11:5/);
  const fewer = 'conv2d_[1-9].w_0';
  expect(await outcome(byPictures(0, 0.4), byPictures(1, 0.7, fewer))).toMatch(/^s1: .* may be out of reach: 70\.00 %/);
  const sensitive = { targetRatio: 0.9, steps: 2, ratios: [0.5], file: 'none.json', evalRate: 1 };
  expect(await outcome(['SensitivePruneStrategy', 0, sensitive])).toMatch(/^ERR_TARGET_UNREACHABLE s0: .* epoch 1 /);
  const annealing = { reduceRate: 0.9, initTemperature: 0.02, maxIterNumber: 300 };
  const auto: Entry = ['AutoPruneStrategy', 0, { minRatio: 0.1, maxRatio: 0.5, searchSteps: 1, annealing, seed: 0 }];
  // It may take as little as a tenth.
  expect(await outcome(auto, uniform(1, 0.75))).toBe('');
  expect(await outcome(auto, uniform(1, 0.79))).toMatch(/^ERR_TARGET_UNREACHABLE s1/);
});

test('a strategy of one’s own says what it will cut, and is told what that left; one that doesn’t is passed over', async () => {
  const model = await readModel(embeddedDetector);
  const config = runOf(temporary());
  const left: number[] = [];
  const own: Strategy = {
    name: 'own',
    *plannedCuts(): Generator<PlannedCut, void, { macs: { cut: number } }> {
      for (const epoch of [0, 1]) {
        const { macs } = yield { epoch, request: { prunedParams: pattern, targetRatio: 0.3 } };
        left.push(macs.cut);
      }
      yield { epoch: 2, request: { prunedParams: pattern, targetRatio: 0.7 } };
    },
  };
  await expect(rehearse(model, [{ name: 'silent' }, own], config, () => {})).rejects.toMatchObject({
    code: 'ERR_TARGET_UNREACHABLE',
    message: expect.stringMatching(/^own: its cut at the beginning of epoch 2 can't be made/),
  });
  for (const cut of left) expect(Math.abs(cut - 0.305)).toBeLessThanOrEqual(0.0051);
  expect(left).toHaveLength(2);
});
