import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createRegistry, equals } from '@bufbuild/protobuf';
import { buildMobileNetV1Ssd } from '../../lib/model/mobilenet-v1-ssd';
import { ModelProtoSchema } from '../../lib/model/onnx_pb';
import type { OnnxModel } from '../../lib/model/onnx-model';
import { decodeModel, readModel } from '../../lib/model/read';
import { toFloat32 } from '../../lib/model/tensor';
import { encodeModel, writeModel } from '../../lib/model/write';
import { expected, failure, fixture, fixtureBytes, fixtureNames } from './onnx-files';

const same = (a: OnnxModel, b: OnnxModel) =>
  equals(ModelProtoSchema, a.proto, b.proto, { registry: createRegistry(), unknown: true });
const scratch = () => mkdtempSync(path.join(tmpdir(), 'ssd-prune-model-'));

describe.each(fixtureNames('good'))('%s', (name) => {
  test('comes back equal, unknown fields included', async () => {
    const model = await readModel(fixture(name));
    const file = path.join(scratch(), 'out.onnx');
    await writeModel(model, file);
    expect(same(await readModel(file), model)).toBe(true);
    expect(same(decodeModel(encodeModel(model)), model)).toBe(true);
    expect(same(model.clone(), model)).toBe(true);
  });
});

test.each(Object.keys(expected))('%s holds what Python reads in it', async (name) => {
  const model = await readModel(fixture(name));
  expect(model.opset()).toBe(expected[name]!.opset);
  for (const [tensor, values] of Object.entries(expected[name]!.values)) {
    if (tensor === 'int4') continue;
    expect(Array.from(toFloat32(model.constant(tensor)!))).toEqual(values.map(Math.fround));
  }
});

test('all that is not ours survives in the bytes', () => {
  const text = Buffer.from(encodeModel(decodeModel(fixtureBytes('everything')))).toString('latin1');
  for (const part of ['of a node', 'of a tensor', 'of the graph', 'of the model', 'SCALE_TENSOR', 'a graph', 'adds'])
    expect(text.split(part).length - 1).toBe(1);
});

test('big weights are written from the arrays they were read into', async () => {
  const { encodeChunks } = require('../../lib/model/write') as typeof import('../../lib/model/write');
  const model = buildMobileNetV1Ssd();
  const chunks = encodeChunks(model);
  const weights = model.constant('conv2d_13.w_0')!.rawData;
  expect(chunks).toContain(weights);
  expect(same(decodeModel(encodeModel(model)), model)).toBe(true);
});

test('nodes out of order are put in order', () => {
  const model = decodeModel(fixtureBytes('unordered'));
  expect(model.graph.node.map((node) => node.name)).toEqual(['conv', 'relu']);
});

describe('writing', () => {
  const model = decodeModel(fixtureBytes('opset-13'));

  test('replaces an old file when forced, leaves no other', async () => {
    const folder = scratch();
    const file = path.join(folder, 'out.onnx');
    writeFileSync(file, 'old');
    const { code, message } = await failure(() => writeModel(model, file));
    expect(code).toBe('ERR_OUTPUT_EXISTS');
    // The way out for callers of both kinds.
    expect(message).toBe(`${file} exists: name another file, or say --force, in Node { force: true }, to replace it`);
    expect(readFileSync(file, 'utf8')).toBe('old');
    await writeModel(model, file, { force: true });
    expect(readdirSync(folder)).toEqual(['out.onnx']);
    expect(same(await readModel(file), model)).toBe(true);
  });

  test.each(['the same path', 'a symbolic link', 'a hard link', 'another spelling'])(
    'refuses a file that is there by %s',
    async (how) => {
      const folder = scratch();
      const input = path.join(folder, 'in.onnx');
      await writeModel(model, input);
      let output = path.join(folder, 'link.onnx');
      if (how === 'the same path') output = input;
      else if (how === 'a symbolic link') symlinkSync(input, output);
      else if (how === 'a hard link') linkSync(input, output);
      else output = `${folder}/./in.onnx`;
      const error = await failure(() => writeModel(model, output));
      expect(error.code).toBe('ERR_OUTPUT_EXISTS');
      await writeModel(model, output, { force: true });
      expect(same(await readModel(output), model)).toBe(true);
    },
  );

  test('a folder, a missing folder and a device are refused and stay', async () => {
    const folder = scratch();
    mkdirSync(path.join(folder, 'sub'));
    for (const file of [path.join(folder, 'sub'), path.join(folder, 'none', 'out.onnx'), '/dev/null'])
      expect((await failure(() => writeModel(model, file))).code).toBe('ERR_IO');
    expect(readdirSync(folder)).toEqual(['sub']);
    expect(existsSync('/dev/null')).toBe(true);
  });

  test('leaves no temporary file when it fails', async () => {
    const folder = scratch();
    const file = path.join(folder, 'out.onnx');
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    jest.spyOn(require('node:fs/promises'), 'rename').mockRejectedValueOnce(full);
    const error = await failure(() => writeModel(model, file));
    expect(error.code).toBe('ERR_IO');
    expect(error.message).toContain('the disk is full');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('the longest name that a file may have', async () => {
    const file = path.join(scratch(), `${'n'.repeat(250)}.onnx`);
    await writeModel(model, file);
    expect(same(await readModel(file), model)).toBe(true);
  });

  test('past the limit weights go to a file beside it', async () => {
    const folder = scratch();
    const file = path.join(folder, 'big.onnx');
    const big = buildMobileNetV1Ssd({ width: 0.25 });
    await writeModel(big, file, { inlineLimit: 1_000_000 });
    expect(readdirSync(folder).sort()).toEqual(['big.onnx', 'big.onnx.data']);
    const beside = path.join(folder, 'big.onnx.data');
    const other = path.join(folder, 'other.onnx');
    symlinkSync(beside, `${other}.data`);
    expect((await failure(() => writeModel(big, other, { inlineLimit: 1_000_000 }))).code).toBe('ERR_OUTPUT_EXISTS');
    expect(existsSync(other)).toBe(false);
    expect(readFileSync(file).length).toBeLessThan(400_000);
    expect(same(await readModel(file), big)).toBe(true);
  });
});
