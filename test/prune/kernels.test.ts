const { rankChannels, rankChannelsAsync, selectKept, sliceTensors, sliceTensorsAsync } =
  require('../../dist/lib/prune/kernels') as typeof import('../../lib/prune/kernels');

type Job = Parameters<typeof rankChannels>[0][number];
type Slice = Parameters<typeof sliceTensors>[0][number];

const bytes = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
/** Two filters of two inputs: (3, −4) and (−1, 0). */
const job = (more: Partial<Job> = {}): Job => ({
  name: 'conv.w',
  bytes: bytes(3, -4, -1, 0),
  dataType: 'float32',
  dims: [2, 2],
  axis: 0,
  criterion: 'l1_norm',
  ...more,
});
const slice = (more: Partial<Slice> = {}): Slice => ({
  bytes: bytes(1, 2, 3, 4, 5, 6),
  elementSize: 4,
  dims: [2, 3],
  keep: [null, Int32Array.of(0, 2)],
  ...more,
});
const floats = (array: Uint8Array): number[] => [...new Float32Array(Uint8Array.from(array).buffer)];

test('scores by hand, here and on another thread', async () => {
  const jobs = [job(), job({ criterion: 'l2_norm' }), job({ criterion: 'geometry_median' }), job({ axis: 1 })];
  const expected = [
    [7, 1],
    [5, 1],
    [Math.sqrt(32), Math.sqrt(32)],
    [4, 4],
  ];
  expect(rankChannels(jobs).map((scores) => [...scores])).toEqual(expected);
  expect((await rankChannelsAsync(jobs)).map((scores) => [...scores])).toEqual(expected);
  const second = job({ keepOther: [{ axis: 1, indexes: Int32Array.of(1) }] });
  expect([...rankChannels([second])[0]!]).toEqual([4, 0]);
  expect([...rankChannels([job({ bytes: bytes(-2, 1), dims: [2, 1], criterion: 'values' })])[0]!]).toEqual([2, 1]);
});

test('slices by hand, here and on another thread', async () => {
  expect(sliceTensors([slice()]).map(floats)).toEqual([[1, 3, 4, 6]]);
  expect((await sliceTensorsAsync([slice({ keep: [Int32Array.of(1), null] })])).map(floats)).toEqual([[4, 5, 6]]);
});

test.each<[string, Partial<Job>, string]>([
  ['a NaN', { bytes: bytes(1, 2, Number.NaN, 0) }, 'ERR_BAD_MODEL'],
  ['an infinity', { bytes: bytes(1, Number.POSITIVE_INFINITY, 2, 0) }, 'ERR_BAD_MODEL'],
  ['too few bytes', { bytes: bytes(1, 2) }, 'ERR_USAGE'],
  ['an axis that is none', { axis: 2 }, 'ERR_USAGE'],
  ['a negative dimension', { dims: [-2, -2] }, 'ERR_USAGE'],
  ['its own axis restricted', { keepOther: [{ axis: 0, indexes: Int32Array.of(0) }] }, 'ERR_USAGE'],
  ['an index beyond the axis', { keepOther: [{ axis: 1, indexes: Int32Array.of(2) }] }, 'ERR_USAGE'],
  ['an unknown type', { dataType: 'int4' as Job['dataType'] }, 'ERR_USAGE'],
  ['an unknown criterion', { criterion: 'best' as Job['criterion'] }, 'ERR_UNSUPPORTED_CRITERION'],
  ['values of a matrix', { criterion: 'values' }, 'ERR_UNSUPPORTED_CRITERION'],
  ['Paddle along the inputs', { criterion: 'l1_paddle1x', axis: 1 }, 'ERR_UNSUPPORTED_CRITERION'],
])('ranking refuses %s before native code', (_, more, code) => {
  expect(() => rankChannels([job(more)])).toThrow(expect.objectContaining({ code }));
});

test.each<[string, Partial<Slice>]>([
  ['an index beyond the axis', { keep: [null, Int32Array.of(3)] }],
  ['a negative index', { keep: [null, Int32Array.of(-1)] }],
  ['indexes that are no Int32Array', { keep: [null, [0] as unknown as Int32Array] }],
  ['an axis without an entry', { keep: [null] }],
  ['elements of three bytes', { elementSize: 3 }],
  ['too many bytes', { dims: [1, 3] }],
])('slicing refuses %s before native code', (_, more) => {
  expect(() => sliceTensors([slice(more)])).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
});

test('the best stay, and of equals the lower index', () => {
  expect([...selectKept(Float64Array.of(1, 5, 3, 4), 2)]).toEqual([1, 3]);
  // Within 1e-6 of the last that stays, all count as equal.
  expect([...selectKept(Float64Array.of(1, 1 + 5e-7, 1 - 5e-7, 2), 3)]).toEqual([0, 1, 3]);
  expect([...selectKept(Float64Array.of(1 - 2e-6, 1, 1 + 5e-7, 2), 3)]).toEqual([1, 2, 3]);
  expect([...selectKept(Float64Array.of(0, 0, 0), 2)]).toEqual([0, 1]);
  expect([...selectKept(Float64Array.of(3, 1, 2), 0)]).toEqual([]);
  expect([...selectKept(Float64Array.of(3, 1, 2), 3)]).toEqual([0, 1, 2]);
  for (const keep of [-1, 4, 1.5]) {
    expect(() => selectKept(Float64Array.of(3, 1, 2), keep)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
  }
  expect(() => selectKept(Float64Array.of(3, Number.NaN), 1)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
});
