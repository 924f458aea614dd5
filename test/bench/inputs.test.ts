import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { benchFeeds, completeInputs } from '../../lib/bench/feeds';
import { measureLatency } from '../../lib/bench/latency';
import { DetectorSession } from '../../lib/evaluate/session';
import { GraphWriter } from '../../lib/model/graph-writer';
import { TensorProto_DataType as DataType, ModelProtoSchema } from '../../lib/model/onnx_pb';
import { OnnxModel } from '../../lib/model/onnx-model';
import { encodeModel } from '../../lib/model/write';

/** A model whose inputs of each type come out as float32; pictures may have any size if the metadata name one. */
function castModel(types: Record<string, DataType>, dims: (number | string)[], metadata: Record<string, string> = {}) {
  const writer = new GraphWriter('casts');
  for (const [name, type] of Object.entries(types)) {
    const input = writer.input(name, dims);
    const info = writer.graph.input.at(-1)!.type!.value;
    if (info.case === 'tensorType') info.value.elemType = type;
    writer.node('Cast', `cast_${name}`, [input], { to: DataType.FLOAT }, `${name}_out`);
    writer.output(`${name}_out`, dims);
  }
  const metadataProps = Object.entries(metadata).map(([key, value]) => ({ key, value }));
  const opsetImport = [{ domain: '', version: 13n }];
  return encodeModel(
    new OnnxModel(create(ModelProtoSchema, { irVersion: 7n, opsetImport, graph: writer.graph, metadataProps })),
  );
}

const types = {
  f32: DataType.FLOAT,
  f16: DataType.FLOAT16,
  f64: DataType.DOUBLE,
  u8: DataType.UINT8,
  i32: DataType.INT32,
  i64: DataType.INT64,
  flag: DataType.BOOL,
};

test('inputs of every type get the values of their feeds', async () => {
  const session = await DetectorSession.create(castModel(types, ['n']));
  const feed = { dims: [3], data: Float32Array.of(0, 1, 1) };
  const feeds = Object.fromEntries(Object.keys(types).map((name) => [name, feed]));
  feeds.u8 = { dims: [3], data: Float32Array.of(0, 7, 255) };
  feeds.i64 = { dims: [3], data: Float32Array.of(-3, 0, 1e6) };
  const outputs = await session.run(feeds);
  await session.close();
  const found = Object.fromEntries(
    Object.entries(outputs).map(([name, { data }]) => [name, Array.from(data as Float32Array)]),
  );
  expect(found).toEqual({
    f32_out: [0, 1, 1],
    f16_out: [0, 1, 1],
    f64_out: [0, 1, 1],
    u8_out: [0, 7, 255],
    i32_out: [0, 1, 1],
    i64_out: [-3, 0, 1e6],
    flag_out: [0, 1, 1],
  });
});

test('a type that cannot be fed is refused by name', async () => {
  const model = castModel({ odd: DataType.UINT32 }, [1]);
  await expect(measureLatency([{ name: 'odd.onnx', model }], { runs: 1 })).rejects.toMatchObject({
    code: 'ERR_UNSUPPORTED_OP',
    message: expect.stringContaining("'odd' holds uint32"),
  });
});

test('pictures get noise, everything else ones, the same at every call', () => {
  const inputs = completeInputs(
    'm',
    [
      { name: 'image', type: 'float32', dims: ['n', 3, 20, 20] },
      { name: 'bytes', type: 'uint8', dims: [1, 20, 20, 3] },
      { name: 'scale_factor', type: 'float32', dims: ['n', 2] },
    ],
    {},
  );
  const feeds = benchFeeds(inputs, 2);
  expect(feeds.image!.dims).toEqual([2, 3, 20, 20]);
  expect(feeds.bytes!.dims).toEqual([1, 20, 20, 3]);
  expect(feeds.scale_factor).toEqual({ dims: [2, 2], data: Float32Array.of(1, 1, 1, 1) });
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [noise, bytes] = [feeds.image!.data, feeds.bytes!.data];
  // Uniform noise: the mean of 2,400 values from -1 to 1 strays by 0.012, of 1,200 from 0 to 255 by 2.1.
  expect(Math.abs(mean(noise))).toBeLessThan(0.06);
  expect(Math.abs(mean(bytes) - 127.5)).toBeLessThan(11);
  expect([Math.min(...noise) >= -1, Math.max(...noise) < 1, new Set(noise).size > 2000]).toEqual([true, true, true]);
  expect([Math.min(...bytes) >= 0, Math.max(...bytes) <= 255, bytes.every(Number.isInteger)]).toEqual([
    true,
    true,
    true,
  ]);
  expect(benchFeeds(inputs, 2)).toEqual(feeds);
});

test('detector settings in the metadata say how large open pictures are', async () => {
  const model = castModel({ image: DataType.FLOAT }, ['n', 3, 'h', 'w'], {
    'ssd-prune.detector': JSON.stringify({ input: { width: 24, height: 16 } }),
  });
  const { models } = await measureLatency([{ name: 'sized', model }], { runs: 1, batchSizes: [1] });
  expect(models[0]!.inputs[0]!.dims).toEqual([1, 3, 16, 24]);
});

test('sessions that wait take no processor from the one that runs', async () => {
  const model = castModel({ image: DataType.FLOAT }, ['n', 3, 64, 64]);
  const sessions = await Promise.all([1, 2, 2].map((threads) => DetectorSession.create(model, { threads })));
  const feeds = { image: { dims: [1, 3, 64, 64], data: new Float32Array(3 * 64 * 64) } };
  for (const session of sessions) await session.time(feeds, { runs: 3 });
  // What the first moments after a run still take (garbage, timers) is not what is meant.
  await sleep(300);
  const before = process.cpuUsage();
  await sleep(600);
  const { user, system } = process.cpuUsage(before);
  await Promise.all(sessions.map((session) => session.close()));
  // One spinning thread would take 600 ms.
  expect((user + system) / 1000).toBeLessThan(200);
});
