const dist = (name: string) => require(`../../dist/lib/${name}`);
const { explosionLimit, noLoss, withLoss } = dist('train/divergence') as typeof import('../../lib/train/divergence');

const limits = (losses: readonly number[], times: number | null = 20) => {
  let mean = noLoss;
  return losses.map((loss) => {
    const limit = explosionLimit(mean, times);
    mean = withLoss(mean, loss);
    return limit;
  });
};

test('a step may lose so many times the least running mean, from the second one on', () => {
  // Means by hand: 4, 3, 4, 5.
  expect(limits([4, 2, 6, 8, 0])).toEqual([Number.POSITIVE_INFINITY, 80, 60, 60, 60]);
  expect(limits([4, 2], null)).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
});

test('a loss that doubles step by step passes the limit, though the mean of now follows it', () => {
  const losses = Array.from({ length: 12 }, (_, i) => 3 * 1.9 ** i);
  const passed = losses.findIndex((loss, i) => loss > limits(losses)[i]!);
  // 3 · 1.9^5 = 74 is the first above 60.
  expect(passed).toBe(5);
});

test('losses near nothing count as 1: what begins as its teacher has none, and may come to some', () => {
  expect(limits([0, 0.01, 0.5])).toEqual([Number.POSITIVE_INFINITY, 20, 20]);
});
