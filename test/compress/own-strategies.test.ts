import type { CompressionEvent } from '../../lib/compress/events';
import type { CompressionContext, Strategy } from '../../lib/compress/strategy';
import { pattern, scenesFolder, scenesRun } from './scenes-run';

const dist = (name: string) => require(`../../dist/lib/${name}`);
const { registerStrategy } = dist('compress/strategies') as typeof import('../../lib/compress/strategies');
const { Compressor } = dist('compress/compressor') as typeof import('../../lib/compress/compressor');

jest.setTimeout(300_000);

let data: string;
beforeAll(async () => {
  data = await scenesFolder();
});

test('a strategy of one’s own is told of everything in order, saved, and restored', async () => {
  const config = scenesRun(data);
  class Counting implements Strategy {
    readonly name = 'counting';
    readonly calls: string[] = [];
    count = 0;
    onCompressionBegin = ({ epochs }: CompressionContext): void => this.#call(`begin ${epochs}`);
    onEpochBegin = ({ epoch }: CompressionContext): void => this.#call(`epoch ${epoch}`);
    onEpochEnd = ({ epoch, metrics }: CompressionContext): void => this.#call(`end ${epoch} ${metrics.at(-1)!.stage}`);
    onCompressionEnd = (): void => this.#call('done');
    #call(what: string): void {
      this.count++;
      this.calls.push(what);
    }
    save = (): unknown => this.count;
    restore(saved: unknown): void {
      this.count = saved as number;
    }
  }
  const own = new Counting();
  const controller = new AbortController();
  const onEvent = (event: CompressionEvent) => event.event === 'step' && event.step === 10 && controller.abort();
  const options = { strategies: [own], onEvent, signal: controller.signal };
  await expect(new Compressor(config, options).run()).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  expect(own.calls).toEqual(['begin 3', 'epoch 0', 'end 0 epoch', 'epoch 1']);
  const next = new Counting();
  await new Compressor(config, { strategies: [next], resume: true }).run();
  expect(next.calls).toEqual(['end 1 epoch', 'epoch 2', 'end 2 epoch', 'done']);
  expect(next.count).toBe(8);
  expect(() => new Compressor(config, { strategies: [own, next] })).toThrow(
    expect.objectContaining({ code: 'ERR_BAD_CONFIG' }),
  );
});

test.each<[string, Partial<Strategy> | object, RegExp]>([
  ['a state that is no JSON', { save: () => 1n }, /^mine: what its save\(\) gives is no plain JSON: /],
  ['a state that is a promise', { save: async () => 1 }, /^mine: what its save\(\) gives is no plain JSON: .* promise/],
  [
    'a word that is no function',
    { onEpochBegin: 1 },
    /^Expected a function for onEpochBegin of the strategy mine but /,
  ],
  [
    'a plan that is none',
    { plannedCuts: () => [null] },
    /^Expected cuts, each \{ epoch, request \}, .* plannedCuts of mine/,
  ],
  [
    'a plan of nothing',
    { plannedCuts: () => [{ epoch: 0 }] },
    /^Expected cuts, .* for what plannedCuts of mine gives but /,
  ],
  [
    'a plan of no time',
    { plannedCuts: () => [{ epoch: 'x', request: { prunedParams: pattern, targetRatio: 0.1 } }] },
    /^Expected cuts, .* for what plannedCuts of mine gives but /,
  ],
  ['plans that are none', { plannedCuts: () => undefined }, /^Expected .* for what plannedCuts of mine gives but /],
  [
    'a cut of nothing',
    { onEpochBegin: (context: CompressionContext) => context.cut(undefined as never) },
    /^mine: Expected an object with prunedParams.* for options but /,
  ],
  [
    'work that is no JSON',
    { onEpochBegin: (context: CompressionContext) => context.keep(1n) },
    /^mine: what it keeps is no plain JSON: /,
  ],
])('%s is the strategy’s fault', async (_, parts, message) => {
  const config = scenesRun(data);
  config.compressor.strategies = [];
  const run = async () => new Compressor(config, { strategies: [{ name: 'mine', ...parts }] }).run();
  await expect(run()).rejects.toMatchObject({ code: 'ERR_USAGE', message: expect.stringMatching(message) });
});

test.each([
  ['nothing', () => undefined],
  ['a promise of one', async () => ({ name: 'mine' })],
])('what is registered has to make a strategy, and not %s', (what, make) => {
  registerStrategy(`Of ${what}`, make as never);
  const config = scenesRun(data);
  const [first] = config.compressor.strategies;
  config.compressor.strategies = [{ ...first!, class: `Of ${what}` }];
  expect(() => new Compressor(config)).toThrow(
    expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringContaining(`what Of ${what} is registered`) }),
  );
});

test('work is kept while a strategy has its word, and not behind it', async () => {
  const config = scenesRun(data);
  config.compressor.strategies = [];
  config.compressor.epochs = 1;
  let context: CompressionContext | undefined;
  const onEpochBegin = (given: CompressionContext): void => {
    context = given;
  };
  const strategies: Strategy[] = [{ name: 'mine', onEpochBegin }];
  await new Compressor(config, { strategies }).run();
  await expect(context!.kept()).rejects.toMatchObject({ code: 'ERR_USAGE' });
  await expect(context!.keep({})).rejects.toMatchObject({ code: 'ERR_USAGE' });
});

test('options of a class of one’s own make it another run, whatever they are called', async () => {
  registerStrategy('Reading', ({ name }) => ({ name }));
  const config = scenesRun(data);
  const reading = (file: string, steps: number) => {
    const entry = { class: 'Reading', where: 'run.yaml:1:1' };
    // Two may well read the same.
    config.compressor.strategies = ['a', 'b'].map((name) => ({ ...entry, name, options: { file, steps } }));
    return config;
  };
  config.compressor.epochs = 1;
  await new Compressor(reading('a.txt', 1)).run();
  await expect(new Compressor(reading('b.txt', 2), { resume: true }).run()).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('a: file was "a.txt", now it is "b.txt"; a: steps was 1, now it is 2; b: file'),
  });
});

test('a cut at the end of an epoch is one behind it', async () => {
  const config = scenesRun(data);
  config.compressor.strategies = [];
  const cutting: Strategy = {
    name: 'late',
    onEpochEnd: async (context) => {
      if (context.epoch === 1) await context.cut({ prunedParams: pattern, targetRatio: 0.1, tolerance: 0.05 });
    },
  };
  const { metrics } = await new Compressor(config, { strategies: [cutting] }).run();
  expect(metrics.map(({ stage, epoch }) => `${stage} ${epoch}`)).toEqual([
    ...['start 0', 'epoch 1', 'epoch 2', 'cut 2', 'epoch 3'],
  ]);
});
