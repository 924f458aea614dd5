const { fromFloat16, toFloat16 } =
  require('../../dist/lib/evaluate/float16') as typeof import('../../lib/evaluate/float16');

/** Values and the bits that IEEE 754 binary16 gives them. */
const exact: [number, number][] = [
  [0, 0x0000],
  [1, 0x3c00],
  [-2, 0xc000],
  [65504, 0x7bff],
  [2 ** -14, 0x0400],
  [2 ** -24, 0x0001],
  [1023 * 2 ** -24, 0x03ff],
  [Number.POSITIVE_INFINITY, 0x7c00],
  [Number.NEGATIVE_INFINITY, 0xfc00],
  [0.333251953125, 0x3555],
];

test.each(exact)('%f is the bits %i, both ways', (value, bits) => {
  expect(toFloat16(Float32Array.of(value))[0]).toBe(bits);
  expect(fromFloat16(Uint16Array.of(bits))[0]).toBe(value);
});

test.each([
  // Between 1 and the next value 1 + 2^-10: halves go to the even one.
  [1 + 2 ** -11, 0x3c00],
  [1 + 2 ** -11 + 2 ** -20, 0x3c01],
  [1 + 3 * 2 ** -11, 0x3c02],
  // Subnormal halves too, and the step up to the least normal value.
  [2 ** -25, 0x0000],
  [3 * 2 ** -25, 0x0002],
  [1023.5 * 2 ** -24, 0x0400],
  // 65520 is half way to 65536, which is beyond the range.
  [65519.99, 0x7bff],
  [65520, 0x7c00],
  [1e30, 0x7c00],
  [-1e-30, 0x8000],
])('%f rounds to the bits %i', (value, bits) => {
  expect(toFloat16(Float32Array.of(value))[0]).toBe(bits);
});

test('what is no number stays none, and minus zero keeps its sign', () => {
  const bits = toFloat16(Float32Array.of(Number.NaN, -0));
  expect(fromFloat16(bits)[0]).toBeNaN();
  expect(Object.is(fromFloat16(bits)[1], -0)).toBe(true);
});

test('every half that is a number comes back from its value', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((half) => (half & 0x7fff) <= 0x7c00);
  expect(toFloat16(fromFloat16(all))).toEqual(all);
});
