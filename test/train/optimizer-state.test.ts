import type { OptimizerState } from '../../lib/train/optimizer-state';

const { decodeOptimizerState, encodeOptimizerState, sliceOptimizerState } =
  require('../../dist/lib/train/optimizer-state') as typeof import('../../lib/train/optimizer-state');

const state: OptimizerState = {
  rule: 'adamw',
  parameters: [
    {
      name: 'conv.w',
      dims: [3, 2, 1, 1],
      steps: 17,
      planes: [Float32Array.of(0, 1, 10, 11, 20, 21), Float32Array.of(0.5, 1.5, 10.5, 11.5, 20.5, 21.5)],
      average: Float32Array.of(-0, 1e-40, 10, Number.NaN, 20, 21),
    },
    { name: 'bn.scale', dims: [3], steps: 17, planes: [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)] },
    { name: 'head.b', dims: [2], steps: 3, planes: [Float32Array.of(7, 8), Float32Array.of(9, 10)] },
  ],
};

const kept = (...indexes: number[]) => Int32Array.from(indexes);
const find = (of: OptimizerState, name: string) => of.parameters.find((parameter) => parameter.name === name)!;

test('what belongs to a slice that stays, stays with it', () => {
  const cut = sliceOptimizerState(state, [
    { name: 'conv.w', shapeBefore: [3, 2, 1, 1], shapeAfter: [2, 1, 1, 1], kept: [kept(0, 2), kept(1), null, null] },
    { name: 'bn.scale', shapeBefore: [3], shapeAfter: [2], kept: [kept(0, 2)] },
    { name: 'not.trained', shapeBefore: [3], shapeAfter: [2], kept: [kept(0, 2)] },
  ]);
  expect(cut.rule).toBe('adamw');
  expect(cut.parameters.map(({ name }) => name)).toEqual(['conv.w', 'bn.scale', 'head.b']);
  expect(find(cut, 'conv.w')).toEqual({
    name: 'conv.w',
    dims: [2, 1, 1, 1],
    steps: 17,
    planes: [Float32Array.of(1, 21), Float32Array.of(1.5, 21.5)],
    average: Float32Array.of(1e-40, 21),
  });
  expect(find(cut, 'bn.scale').planes).toEqual([Float32Array.of(1, 3), Float32Array.of(4, 6)]);
  expect(find(cut, 'head.b')).toBe(find(state, 'head.b'));
});

test('a constant that was copied for the cut takes the state of its original, which stays', () => {
  const cut = sliceOptimizerState(state, [
    { name: 'bn.scale_cut', shapeBefore: [3], shapeAfter: [1], kept: [kept(1)], copyOf: 'bn.scale' },
  ]);
  expect(find(cut, 'bn.scale_cut').planes).toEqual([Float32Array.of(2), Float32Array.of(5)]);
  expect(find(cut, 'bn.scale')).toEqual(find(state, 'bn.scale'));
});

test('a state of another shape is refused by name', () => {
  const cut = () =>
    sliceOptimizerState(state, [{ name: 'bn.scale', shapeBefore: [4], shapeAfter: [2], kept: [kept(0, 2)] }]);
  expect(cut).toThrow(expect.objectContaining({ code: 'ERR_BAD_MODEL', message: expect.stringContaining('bn.scale') }));
});

test('bytes hold every bit', () => {
  const bytes = encodeOptimizerState(state);
  const read = decodeOptimizerState(bytes, 'state');
  expect(read).toEqual(state);
  expect(Object.is(find(read, 'conv.w').average![0], -0)).toBe(true);
  expect(encodeOptimizerState(read).equals(bytes)).toBe(true);
  // From anywhere in a larger file.
  const shifted = Buffer.concat([Buffer.from('x'), bytes]).subarray(1);
  expect(decodeOptimizerState(shifted, 'state')).toEqual(state);
});

test('bytes that are cut short, changed or something else are refused', () => {
  const bytes = encodeOptimizerState(state);
  for (let length = 0; length < bytes.length; length += 7) {
    expect(() => decodeOptimizerState(bytes.subarray(0, length), 'step-12')).toThrow(
      expect.objectContaining({ code: 'ERR_BAD_DATA', message: expect.stringMatching(/^step-12 /) }),
    );
  }
  for (const at of [0, 30, bytes.length - 30, bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 4;
    expect(() => decodeOptimizerState(changed, 'step-12')).toThrow(expect.objectContaining({ code: 'ERR_BAD_DATA' }));
  }
});
