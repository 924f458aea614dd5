import { SsdPruneError } from '../../lib/errors';
import {
  averageDecay,
  checkSchedule,
  groupRates,
  learningRate,
  paddleDecay,
  type Schedule,
} from '../../lib/train/schedule';

const at = (schedule: Schedule, steps: number[]) => steps.map((step) => learningRate(schedule, step));

test('a rate alone stays', () => {
  expect(at({ rate: 0.01 }, [0, 1, 1e6])).toEqual([0.01, 0.01, 0.01]);
});

test("Paddle's recipe: boundaries belong to what follows", () => {
  // 16,551 pictures in batches of 64: 258 steps an epoch.
  const schedule: Schedule = { rate: 0.001, decay: paddleDecay(258) };
  const expected = [0.001, 0.001, 0.0005, 0.0005, 0.00025, 0.0001, 0.00001, 0.00001];
  const rates = at(schedule, [0, 10_319, 10_320, 15_479, 15_480, 20_640, 25_800, 51_600]);
  rates.forEach((rate, i) => {
    expect(rate).toBeCloseTo(expected[i]!, 12);
  });
});

test('warm-up rises to the full rate in its last step', () => {
  expect(at({ rate: 1, warmUp: 4 }, [0, 1, 2, 3, 4])).toEqual([0.25, 0.5, 0.75, 1, 1]);
});

test('cosine from the end of the warm-up to its last step', () => {
  const schedule: Schedule = { rate: 2, warmUp: 10, decay: { kind: 'cosine', steps: 110, final: 0.1 } };
  const rates = at(schedule, [9, 10, 35, 60, 110, 500]);
  // 0.1 + 0.9·(1 + cos(π/4))/2 = 0.868198…
  [2, 2, 1.736396, 1.1, 0.2, 0.2].forEach((expected, i) => {
    expect(rates[i]).toBeCloseTo(expected, 6);
  });
});

test('warm-up and boundaries multiply', () => {
  const decay = { kind: 'piecewise', boundaries: [2], factors: [0.5] } as const;
  expect(at({ rate: 1, warmUp: 4, decay }, [1, 2, 3, 4])).toEqual([0.5, 0.375, 0.5, 0.5]);
});

test('heads first: the rest is frozen, then has a warm-up of its own', () => {
  const groups = [
    { multiplier: 1, head: true },
    { multiplier: 0.5, head: false },
    { multiplier: 0, head: true },
  ];
  const schedule: Schedule = { rate: 1, warmUp: 2, headsFirst: 3 };
  const rates = [0, 1, 2, 3, 4, 5].map((step) => [...groupRates(schedule, step, groups)]);
  expect(rates).toEqual([
    [0.5, 0, 0],
    [1, 0, 0],
    [1, 0, 0],
    [1, 0.25, 0],
    [1, 0.5, 0],
    [1, 0.5, 0],
  ]);
});

test('the average forgets its start', () => {
  expect([0, 8, 90].map((step) => averageDecay(0.999, step))).toEqual([0.1, 0.5, 0.91]);
  expect(averageDecay(0.999, 1e6)).toBe(0.999);
});

test.each<[string, Schedule]>([
  ['rate', { rate: 0 }],
  ['rate', { rate: Number.NaN }],
  ['warmUp', { rate: 1, warmUp: -1 }],
  ['headsFirst', { rate: 1, headsFirst: 0.5 }],
  ['decay.kind', { rate: 1, decay: {} as never }],
  ['decay.kind', { rate: 1, decay: { kind: 'linear', steps: 10 } as never }],
  ['decay.boundaries', { rate: 1, decay: { kind: 'piecewise' } as never }],
  ['decay.steps', { rate: 1, warmUp: 10, decay: { kind: 'cosine', steps: 10 } }],
  ['decay.final', { rate: 1, decay: { kind: 'cosine', steps: 10, final: 2 } }],
  ['decay.boundaries', { rate: 1, decay: { kind: 'piecewise', boundaries: [5, 5], factors: [1, 1] } }],
  ['decay.factors', { rate: 1, decay: { kind: 'piecewise', boundaries: [5], factors: [] } }],
])('%s that makes no sense is refused', (name, schedule) => {
  expect(() => checkSchedule(schedule)).toThrow(SsdPruneError);
  expect(() => checkSchedule(schedule)).toThrow(new RegExp(`for ${name.replace('.', '\\.')} `));
});

test('schedules that make sense are not refused', () => {
  checkSchedule({ rate: 1e-3, decay: paddleDecay(258), warmUp: 20, headsFirst: 100 });
  checkSchedule({ rate: 1e-3, decay: { kind: 'cosine', steps: 345 }, warmUp: 20 });
});
