import { belowStart, fewHeldBack } from '../../lib/train/weight-warnings';

test.each<[number, string | undefined]>([
  [0, undefined],
  [1, 'only 1 picture is held back: '],
  [19, 'only 19 pictures are held back: '],
  [20, undefined],
])('of %d pictures held back', (held, warning) => {
  const said = fewHeldBack(held, '--held-back');
  expect(said?.slice(0, warning?.length)).toBe(warning);
});

test('training that made something better is no reason for a warning, and one that kept the last weights says so', () => {
  const evaluations = [
    { step: 0, epoch: 0, map: 0.5 },
    { step: 8, epoch: 1, map: 0.25 },
  ];
  const words = { began: 'it began with', output: 'out.onnx', keep: 'last', advice: 'a lower --rate' } as const;
  expect(belowStart({ belowStart: false, evaluations }, words)).toBeUndefined();
  expect(belowStart({ belowStart: true, evaluations }, words)).toBe(
    'training made nothing better than what it began with, by the pictures held back (mAP 0.5000 at the start, 0.2500 at the end): out.onnx holds the last ones all the same; try a lower --rate',
  );
});
