import { noise, smallNet, smallWeights } from './small-net';

const { calibrate } = require('../../dist/lib/calibrate/calibrate') as typeof import('../../lib/calibrate/calibrate');
const { defaultSampleBytes, SampleMemory, takeSamples } =
  require('../../dist/lib/calibrate/samples') as typeof import('../../lib/calibrate/samples');
const { toFloat32 } = require('../../dist/lib/model/tensor') as typeof import('../../lib/model/tensor');

/** A 1×1 layer with so many places, columns and outputs. */
const layer = (name: string, total: number, columns: number, outputs: number) => {
  const reader = { name, input: `${name}.in`, output: `${name}.out`, window: undefined, total };
  return {
    reader: reader as unknown as Parameters<InstanceType<typeof SampleMemory>['layout']>[0][0]['reader'],
    columns,
    outputs,
  };
};

/** Bytes [begin, end) of all the rows, in the order in which they lie. */
const blocks = (layers: ReturnType<InstanceType<typeof SampleMemory>['layout']>) =>
  layers
    .flatMap(({ x, y, pictures, places, columns, outputs }) => [
      [x, x + 4 * pictures * places * columns] as const,
      [y, y + 4 * pictures * places * outputs] as const,
    ])
    .sort(([a], [b]) => a - b);

describe('memory for samples', () => {
  const wide = [layer('a', 361, 4608, 512), layer('b', 100, 512, 1024)];

  test.each([
    ['one wide layer', wide.slice(0, 1)],
    ['two layers, which share it', wide],
    ['sixty narrow ones', Array.from({ length: 60 }, (_, i) => layer(`${i}`, 10, 64, 24))],
  ])('50,000 pictures stay in its bound: %s', (_, layers) => {
    const memory = new SampleMemory();
    const found = memory.layout(layers, 50_000, { seed: 0 });
    expect(found[0]!.memory.byteLength).toBeLessThanOrEqual(defaultSampleBytes);
    const ends = blocks(found);
    for (const [i, [begin]] of ends.entries()) expect(begin).toBeGreaterThanOrEqual(ends[i - 1]?.[1] ?? 0);
    expect(ends.at(-1)![1]).toBeLessThanOrEqual(defaultSampleBytes);
    for (const { pictures, places, columns, outputs } of found) {
      expect(places).toBe(1);
      expect(pictures).toBeLessThan(50_000);
      // As many as fit: a hundredth more would not.
      expect(4 * pictures * (columns + outputs) * 1.01 * layers.length).toBeGreaterThan(defaultSampleBytes);
    }
  });

  test('twice as many samples take twice as many places, within the same bound', () => {
    const found = (times: number, sampleBytes: number) =>
      new SampleMemory().layout([layer('a', 361, 40, 20)], 100, { seed: 0, rows: 5000, sampleBytes }, times)[0]!;
    expect([found(1, 1e9).places, found(2, 1e9).places]).toEqual([50, 100]);
    // 60 values a row, 4 bytes each, 100 pictures: 20 places in 480,000 bytes.
    expect([found(1, 480_000).places, found(2, 480_000).places]).toEqual([20, 20]);
  });

  test('all pictures are sampled where each has room for a place', () => {
    const pictures = Math.floor(defaultSampleBytes / 4 / (4608 + 512));
    const [found] = new SampleMemory().layout(wide.slice(0, 1), pictures, { seed: 0 });
    expect(found).toMatchObject({ pictures, places: 1 });
    const [few] = new SampleMemory().layout(wide.slice(0, 1), 256, { seed: 0 });
    expect(few).toMatchObject({ pictures: 256, places: Math.floor(pictures / 256) });
  });

  test('a batch that is sampled in part, and one behind', () => {
    const bytes = 4 * 4 * (3 + 2) + 128;
    const [one] = new SampleMemory().layout([layer('a', 1, 3, 2)], 11, { seed: 0, sampleBytes: bytes });
    expect(one).toMatchObject({ pictures: 4, places: 1 });
    const feeds = (first: number, last: number, columns: number, name: string) => ({
      [name]: {
        dims: [last - first, 1, columns],
        data: Float32Array.from({ length: (last - first) * columns }, (_, i) => 100 * first + i),
      },
    });
    for (const [first, last] of [
      [0, 3],
      [3, 6],
      [6, 9],
    ] as const)
      takeSamples(one!, 0, first, last, feeds(first, last, 3, 'a.in'), feeds(first, last, 2, 'a.out'));
    const rows = (begin: number, count: number) => Array.from(new Float32Array(one!.memory, begin, count));
    expect(rows(one!.x, 12)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 300, 301, 302]);
    expect(rows(one!.y, 8)).toEqual([0, 1, 2, 3, 4, 5, 300, 301]);
  });
});

test('more pictures than fit: the cut is that of the first ones, and no others are run', async () => {
  const images = noise(99, 12 * 243);
  const asked: number[] = [];
  const source = (count: number) => ({
    count,
    feeds: async (first: number, last: number) => {
      asked.push(last);
      return { image: { dims: [last - first, 3, 9, 9], data: images.slice(first * 243, last * 243) } };
    },
  });
  const given = { prunedParams: 'c1\\.w', ratios: new Map([['c1.w', 0.4]]), align: 1, criterion: 'obs' as const };
  const common = { batchSize: 4, lanes: 1, repair: 'least_squares' as const };
  // The one layer that reads c1 has 10 columns and 6 outputs.
  const tight = await calibrate(smallNet(smallWeights()), given, {
    ...{ ...common, source: source(12), sampleBytes: 6 * 4 * 16 + 128 },
  });
  expect(Math.max(...asked)).toBe(8);
  const roomy = await calibrate(smallNet(smallWeights()), given, { ...common, source: source(6), positions: 1 });
  for (const name of ['c1.w', 'c2.w', 'c2.b'])
    expect(toFloat32(tight.cut.model.constant(name)!)).toEqual(toFloat32(roomy.cut.model.constant(name)!));
});
