import type { CompressionEvent } from '../../lib/compress/events';
import type { CompressionContext, Strategy } from '../../lib/compress/strategy';
import { pattern, scenesFolder, scenesRun } from './scenes-run';

const dist = (name: string) => require(`../../dist/lib/${name}`);
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

test('a state that is no JSON is the strategy’s fault', async () => {
  const strategies = [{ name: 'great', save: () => 1n }];
  await expect(new Compressor(scenesRun(data), { strategies }).run()).rejects.toMatchObject({
    ...{ code: 'ERR_USAGE', message: expect.stringMatching(/^great: what its save\(\) gives is no plain JSON/) },
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
