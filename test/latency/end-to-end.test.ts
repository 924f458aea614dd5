import { summarise } from '../../lib/latency/end-to-end';
import { checkLatencyTarget, parseLatencyTarget } from '../../lib/latency/target';

test('figures of two models that took turns, by hand', () => {
  const before = [10, 11, 12, 13, 14, 10, 10, 10, 20, 30];
  const after = [8, 8, 8, 8, 9, 8, 8, 8, 8, 9];
  const found = summarise(before, after);
  expect(found).toMatchObject({
    before: { minMilliseconds: 10, medianMilliseconds: 11.5 },
    after: { minMilliseconds: 8, medianMilliseconds: 8 },
    runs: 10,
  });
  expect(found.share).toBeCloseTo(8 / 11.5, 12);
});

test('the standard error is of turns: none where all are alike, that of their mixture where they are not', () => {
  const turns = (shares: readonly number[]) => shares.flatMap((share) => Array<number>(5).fill(share));
  const hundred = turns(Array<number>(20).fill(100));
  expect(summarise(hundred, turns(Array<number>(20).fill(80))).standardError).toBeCloseTo(0, 12);
  const mixed = summarise(hundred, turns(Array.from({ length: 20 }, (_, i) => 70 + i)));
  // The median of 20 even steps: about 1.25 standard deviations (5.8) over the root of 20.
  expect(mixed.standardError).toBeGreaterThan(0.008);
  expect(mixed.standardError).toBeLessThan(0.028);
});

test.each([
  ['0.8', { share: 0.8 }],
  ['80%', { share: 0.8 }],
  [' .5 ', { share: 0.5 }],
  ['9.5ms', { milliseconds: 9.5 }],
  ['12 ms', { milliseconds: 12 }],
])('%s as a target', (text, target) => expect(parseLatencyTarget(text)).toEqual(target));

test.each(['1', '0', '1.2', '-0.5', '0ms', 'ms', '9.5s', '120%', '0.8,0.6', ''])('%j is no target', (text) => {
  expect(() => parseLatencyTarget(text)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
});

test('the library’s targets are checked, too', () => {
  for (const target of [{ share: 1 }, { share: Number.NaN }, { milliseconds: 0 }, { milliseconds: Number.NaN }]) {
    expect(() => checkLatencyTarget(target)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
  }
  checkLatencyTarget({ share: 0.5 });
});
