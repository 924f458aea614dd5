import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SsdPruneError } from '../../lib/errors';
import { uniform } from '../../lib/model/random';
import { decodeModel, readModel } from '../../lib/model/read';
import { encodeModel } from '../../lib/model/write';
import { failure, fixture, fixtureBytes, fixtureNames } from './onnx-files';

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const nested = (field: number, inner: ArrayLike<number>): Uint8Array =>
  Uint8Array.from([...varint(field * 8 + 2), ...varint(inner.length), ...Array.from(inner)]);

/** Decodes; a refusal must be ERR_BAD_MODEL. */
function tolerated(bytes: Uint8Array): 'loaded' | 'refused' {
  try {
    encodeModel(decodeModel(bytes, 'fuzz.onnx'));
    return 'loaded';
  } catch (error) {
    if (error instanceof SsdPruneError && error.code === 'ERR_BAD_MODEL' && error.message.includes('fuzz.onnx'))
      return 'refused';
    throw error;
  }
}

describe('not a model', () => {
  const png = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52];
  const random = uniform(1, 'random bytes');
  test.each<[string, Uint8Array]>([
    ['empty', new Uint8Array(0)],
    ['text', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\n')],
    ['JSON', Buffer.from('{"a": 1}')],
    ['a PNG', Uint8Array.from(png)],
    ['zeros', new Uint8Array(1000)],
    ['0xff', new Uint8Array(1000).fill(255)],
    ['random bytes', Uint8Array.from({ length: 5000 }, (_, i) => random(i) * 256)],
    ['a model without graph', Uint8Array.from([8, 8, ...nested(8, [16, 13])])],
  ])('%s', (_, bytes) => {
    expect(tolerated(bytes)).toBe('refused');
  });
});

describe('hostile claims', () => {
  const opset = nested(8, [16, 13]);
  const model = (graph: Uint8Array): Uint8Array => Uint8Array.from([8, 8, ...nested(7, graph), ...opset]);
  const tensor = (...fields: number[]): Uint8Array => nested(5, Uint8Array.from(fields));
  test.each<[string, Uint8Array]>([
    ['a graph of 2 GiB in a file of bytes', Uint8Array.from([58, ...varint(2 ** 31), 1, 2, 3])],
    ['a length above 2^63', Uint8Array.from([58, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1])],
    ['an endless number', Uint8Array.from([8, ...Array(20).fill(255)])],
    ['weights of 2 GiB in a small tensor', model(tensor(74, ...varint(2 ** 31), 0))],
    ['a shape of 2^62 elements', model(tensor(8, ...varint(2 ** 31), 8, ...varint(2 ** 31), 16, 1))],
    ['an unknown group without end', Uint8Array.from([...varint(3000 * 8 + 3), 8, 1])],
    [
      'fifty thousand nested groups',
      Uint8Array.from(
        Array(50_000)
          .fill([...varint(3000 * 8 + 3)])
          .flat(),
      ),
    ],
    ['a field of the wrong kind', Uint8Array.from([56, 1])],
  ])('%s', (_, bytes) => {
    expect(tolerated(bytes)).toBe('refused');
  });

  test('fifty thousand nested subgraphs', () => {
    // Written from the inside out: the headers of GraphProto.node, NodeProto.attribute and AttributeProto.g in turn.
    const headers: number[][] = [];
    let length = 0;
    for (let i = 0; i < 50_000; i++)
      for (const field of [6, 5, 1]) {
        const header = [...varint(field * 8 + 2), ...varint(length)];
        headers.push(header);
        length += header.length;
      }
    headers.push([58, ...varint(length)]);
    expect(tolerated(Uint8Array.from(headers.reverse().flat()))).toBe('refused');
  });

  test('the place is named', async () => {
    const bytes = fixtureBytes('opset-13');
    const cut = await failure(() => decodeModel(bytes.subarray(0, 60), 'cut.onnx'));
    expect(cut.message).toMatch(/cut\.onnx.*byte \d+/);
    const short = await failure(() => decodeModel(fixtureBytes('bad-short-data'), 'short.onnx'));
    expect(short.message).toMatch(/short\.onnx.*initializer.*"w".*48 bytes.*60/);
    const cycle = await failure(() => decodeModel(fixtureBytes('bad-cycle')));
    expect(cycle.message).toMatch(/cycle.*Conv node "conv" \(#0\)/);
  });
});

test.each(fixtureNames('bad'))('%s is refused', async (name) => {
  expect((await failure(() => readModel(fixture(name)))).code).toBe('ERR_BAD_MODEL');
});

test('every truncation is refused, or cuts nothing but what may be missing', () => {
  for (const name of ['opset-13', 'constants', 'typed', 'everything']) {
    const bytes = fixtureBytes(name);
    let loaded = 0;
    for (let length = 0; length < bytes.length; length++)
      if (tolerated(bytes.subarray(0, length)) === 'loaded') loaded++;
    // Behind the graph and the operator sets lie only metadata, training, functions: ends between those are sound.
    expect(loaded).toBeLessThanOrEqual(8);
  }
});

test('two thousand damaged models load or are refused', () => {
  const models = ['opset-7', 'opset-13', 'constants', 'everything', 'typed', 'external'].map(fixtureBytes);
  const counts = { loaded: 0, refused: 0 };
  for (let i = 0; i < 2000; i++) {
    const draw = uniform(i, 'fuzz');
    const bytes = models[i % models.length]!.slice();
    const edits = 1 + Math.floor(draw(0) * 6);
    for (let edit = 0; edit < edits; edit++) {
      const at = Math.floor(draw(3 * edit + 1) * bytes.length);
      const kind = draw(3 * edit + 2);
      if (kind < 0.4) bytes[at] = Math.floor(draw(3 * edit + 3) * 256);
      else if (kind < 0.7) bytes[at]! ^= 1 << Math.floor(draw(3 * edit + 3) * 8);
      else bytes.copyWithin(at, Math.floor(draw(3 * edit + 3) * bytes.length), bytes.length);
    }
    counts[tolerated(bytes)]++;
  }
  expect(counts.loaded + counts.refused).toBe(2000);
  expect(Math.min(counts.loaded, counts.refused)).toBeGreaterThan(50);
});

describe('files that are none', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-files-'));

  test('a missing file', async () => {
    const error = await failure(() => readModel(path.join(folder, 'none.onnx')));
    expect(error.code).toBe('ERR_IO');
    expect(error.message).toContain('none.onnx');
  });

  test('a folder', async () => {
    expect((await failure(() => readModel(folder))).code).toBe('ERR_BAD_MODEL');
  });

  test('a named pipe is not waited for', async () => {
    const pipe = path.join(folder, 'pipe.onnx');
    execFileSync('mkfifo', [pipe]);
    expect((await failure(() => readModel(pipe))).code).toBe('ERR_BAD_MODEL');
  });

  test('an empty file is named', async () => {
    const file = path.join(folder, 'empty.onnx');
    writeFileSync(file, '');
    const error = await failure(() => readModel(file));
    expect([error.code, error.message]).toEqual(['ERR_BAD_MODEL', `Model ${file} is empty`]);
  });
});
