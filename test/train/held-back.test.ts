import { holdBack } from '../../lib/train/held-back';

const samples = Array.from({ length: 40 }, (_, i) => ({ id: `picture-${i}` }));
const ids = (of: readonly { id: string }[]) => of.map(({ id }) => id);

test('parts the pictures by seed and id alone, and keeps their order', () => {
  const { trained, held } = holdBack(samples, 0.25, 3);
  expect([trained.length, held.length]).toEqual([30, 10]);
  expect(ids([...trained, ...held]).sort()).toEqual(ids(samples).sort());
  const order = (part: readonly { id: string }[]) => part.map((sample) => samples.indexOf(sample));
  expect(order(held)).toEqual([...order(held)].sort((a, b) => a - b));
  const turned = holdBack([...samples].reverse(), 0.25, 3);
  expect(ids(turned.held).sort()).toEqual(ids(held).sort());
  expect(ids(holdBack(samples, 0.25, 4).held)).not.toEqual(ids(held));
});

test('a larger share holds back the same pictures and more', () => {
  const held = ids(holdBack(samples, 0.5, 3).held);
  for (const id of ids(holdBack(samples, 0.25, 3).held)) expect(held).toContain(id);
  expect(holdBack(samples, 0, 3)).toEqual({ trained: samples, held: [] });
});
