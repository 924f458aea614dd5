import { readFileSync } from 'node:fs';
import path from 'node:path';
import { measureLatency, type TimedModel } from '../../lib/bench/latency';
import { SsdPruneError } from '../../lib/errors';
import type { Feeds } from '../../lib/evaluate/session';

/** Stands in for ONNX Runtime: notes who was asked for what, and takes as many milliseconds as it has been asked. */
const log: string[] = [];
let clock = 0;
const inputsOf: Record<string, { name: string; type: string; dims: (number | string)[] }[]> = {
  a: [{ name: 'image', type: 'float32', dims: ['n', 3, 2, 2] }],
  b: [{ name: 'image', type: 'float32', dims: ['n', 3, 2, 2] }],
  four: [{ name: 'image', type: 'float32', dims: [4, 3, 2, 2] }],
  open: [{ name: 'image', type: 'float32', dims: ['n', 3, 'h', 'w'] }],
};

jest.mock('../../lib/evaluate/session', () => ({
  DetectorSession: {
    async create(_model: unknown, { name, threads }: { name: string; threads: number }) {
      if (name === 'broken') throw new Error('broken');
      return {
        device: 'cpu',
        inputs: inputsOf[name],
        async time(feeds: Feeds, { runs, warmup }: { runs: number; warmup: number }) {
          log.push(`${name}/${threads} ${feeds.image!.dims[0]}: ${warmup}+${runs}`);
          return Array.from({ length: runs }, () => ++clock);
        },
        async close() {
          log.push(`${name}/${threads} closed`);
        },
      };
    },
  },
}));

/** Open in size, and its metadata say nothing of it. */
const open = path.join(__dirname, '..', 'graphs', 'dynamic-all-dynamo-21.onnx');

const models = (...names: string[]) => names.map((name) => ({ name, model: name }));
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof SsdPruneError ? error.code : error),
  );

beforeEach(() => {
  log.length = 0;
  clock = 0;
});

test('models take turns of five runs behind one that is not timed, and change who is first', async () => {
  const steps: string[] = [];
  const { series } = await measureLatency(models('a', 'b'), {
    batchSizes: [1],
    threads: [2],
    runs: 12,
    warmup: 3,
    onProgress: (done, total) => steps.push(`${done}/${total}`),
  });
  expect(log).toEqual([
    'a/2 1: 3+0',
    'b/2 1: 3+0',
    'a/2 1: 1+5',
    'b/2 1: 1+5',
    'b/2 1: 1+5',
    'a/2 1: 1+5',
    'a/2 1: 1+2',
    'b/2 1: 1+2',
    'a/2 closed',
    'b/2 closed',
  ]);
  expect(steps).toEqual(['5/24', '10/24', '15/24', '20/24', '22/24', '24/24']);
  // On a machine that gets slower with every run, neither model has the better half.
  expect(series.map(({ milliseconds }) => milliseconds)).toEqual([
    [1, 2, 3, 4, 5, 16, 17, 18, 19, 20, 21, 22],
    [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 23, 24],
  ]);
});

test('a model of one batch size is measured at that one, others at those asked for', async () => {
  const { series, models: facts } = await measureLatency(models('a', 'four'), { runs: 1, threads: [1, 0] });
  expect(facts.map(({ fixedBatch }) => fixedBatch)).toEqual([null, 4]);
  expect(series.map(({ model, threads, batchSize }) => [model, threads, batchSize])).toEqual([
    [0, 1, 1],
    [1, 1, 4],
    [0, 1, 8],
    [0, 0, 1],
    [1, 0, 4],
    [0, 0, 8],
  ]);
});

test('stops between turns when it is called off, and closes the sessions', async () => {
  const stop = new AbortController();
  const work = measureLatency(models('a', 'b'), {
    runs: 50,
    batchSizes: [1],
    signal: stop.signal,
    onProgress: () => stop.abort(),
  });
  expect(await codeOf(work)).toBe('ERR_ABORTED');
  expect(log.slice(2)).toEqual(['a/1 1: 1+5', 'a/1 closed', 'b/1 closed']);
});

test('closes the others where one session cannot be made', async () => {
  await expect(measureLatency(models('a', 'broken'))).rejects.toThrow('broken');
  expect(log).toEqual(['a/1 closed']);
});

test.each<[string, object]>([
  ['no models', { models: [] }],
  ['a batch of nothing', { batchSizes: [0] }],
  ['a batch in halves', { batchSizes: [1.5] }],
  ['the same threads twice', { threads: [1, 1] }],
  ['no batch size', { batchSizes: [] }],
  ['no run', { runs: 0 }],
  ['a run that is no number', { runs: Number.NaN }],
  ['fewer than no warm-up', { warmup: -1 }],
  ['an open size', { models: [{ name: 'open', model: readFileSync(open) }] }],
  ['a shape for nobody', { inputShapes: new Map([['picture', [1, 3, 2, 2]]]) }],
  ['a shape that the model contradicts', { inputShapes: new Map([['image', [1, 3, 2, 5]]]) }],
  ['a shape of other rank', { inputShapes: new Map([['image', [1, 3]]]) }],
])('refuses %s', async (_, { models: given = models('a'), ...options }: { models?: TimedModel[] }) => {
  expect(await codeOf(measureLatency(given, options))).toBe('ERR_USAGE');
});

test('a given shape fills what is open; the batch stays free', async () => {
  const options = { runs: 1, batchSizes: [2], inputShapes: new Map([['image', [1, 3, 7, 9]]]) };
  const { models: facts } = await measureLatency(models('open'), options);
  expect(facts[0]!.inputs).toEqual([{ name: 'image', type: 'float32', dims: [1, 3, 7, 9], openBatch: true }]);
  expect(log[0]).toBe('open/1 2: 5+0');
});
