import { create } from '@bufbuild/protobuf';
import { Connection } from '../../lib/evaluate/connection';
import { DetectorSession, runtimeOptions } from '../../lib/evaluate/session';
import { SessionPool } from '../../lib/evaluate/session-pool';
import { detectorModel } from '../cli/detector-model';

const options = runtimeOptions('cpu', { threads: 1, graphOptimization: 'all', spinning: false });
const model = detectorModel();
const open = (file: string, start: object) => new Connection<object, { kind: string; id: number }>(model, file, start);

describe.each([
  ['a session', 'evaluate/session-worker', { kind: 'run', feeds: undefined, giveBack: false }],
  ['a lane', 'calibrate/lane-worker', { kind: 'stage', tracks: undefined, layers: [], seed: 0 }],
])('%s', (_, file, nonsense) => {
  test('a fault in its thread is ours, says where, and leaves it to the next request', async () => {
    const connection = open(file, { model, options });
    await connection.ready;
    for (let i = 0; i < 2; i++) {
      const error = await connection.ask((id) => ({ ...nonsense, id })).catch((reason) => reason);
      expect(error.code).toBe('ERR_INTERNAL');
      expect(error.message).toMatch(/TypeError/);
      expect(error.cause.stack).toMatch(new RegExp(`${file}\\.js`));
    }
    await connection.close();
  });

  test('what it was asked before it was closed is answered in order, and nothing behind', async () => {
    const connection = open(file, { model, options });
    const ends: string[] = [];
    const asked = [1, 2].map((i) =>
      connection.ask((id) => ({ ...nonsense, id })).catch(() => ends.push(`answer ${i}`)),
    );
    const closed = connection.close().then(() => ends.push('closed'));
    await expect(connection.ask((id) => ({ ...nonsense, id }))).rejects.toMatchObject({ code: 'ERR_USAGE' });
    await Promise.all([...asked, closed]);
    expect(ends).toEqual(['answer 1', 'answer 2', 'closed']);
  });

  test('ended: requests that did not begin are aborted', async () => {
    const connection = open(file, { model, options });
    await connection.ready;
    const ended = connection.end();
    const late = open(file, { model, options });
    const asked = late.ask((id) => ({ ...nonsense, id }));
    await Promise.all([expect(asked).rejects.toMatchObject({ code: 'ERR_ABORTED' }), late.end(), ended]);
  });
});

test('a thread that can’t begin for a fault of ours does not blame the model', async () => {
  const connection = open('evaluate/session-worker', { model: undefined, options });
  await expect(connection.ready).rejects.toMatchObject({ code: 'ERR_INTERNAL' });
  await connection.close();
});

test('a thread that is not there does not blame the model', async () => {
  await expect(open('evaluate/no-worker', { model, options }).ready).rejects.toMatchObject({ code: 'ERR_INTERNAL' });
});

test.each([
  ['no model', new Uint8Array([1, 2, 3]), 'ERR_BAD_MODEL'],
  ['one cut off', require('node:fs').readFileSync(model).subarray(0, 500), 'ERR_BAD_MODEL'],
])('%s is the model’s fault', async (_, bytes, code) => {
  const connection = open('evaluate/session-worker', { model: bytes, options });
  await expect(connection.ready).rejects.toMatchObject({ code });
  await connection.close();
});

describe('feeds and outputs that don’t fit', () => {
  const feed = (dims: number[], values: number) => ({ image: { dims, data: new Float32Array(values) } });
  test.each([
    ['dimensions of another size than the values', feed([1, 3, 8, 8], 5), undefined],
    ['dimensions below zero', feed([-1, 3, 8, 8], 5), undefined],
    ['an output that is not there', feed([1, 3, 8, 8], 192), ['nothing']],
  ])('%s: ERR_USAGE', async (_, feeds, outputs) => {
    const connection = open('evaluate/session-worker', { model, options });
    const { inputs } = (await connection.ready) as unknown as { inputs: { name: string; dims: number[] }[] };
    const named = { [inputs[0]!.name]: feeds.image };
    const asked = connection.ask((id) => ({ kind: 'run', id, feeds: named, giveBack: false, outputs }));
    await expect(asked).rejects.toMatchObject({ code: 'ERR_USAGE' });
    await connection.close();
  });
});

describe('memory that runs out', () => {
  const { Lanes } = require('../../dist/lib/calibrate/lanes') as typeof import('../../lib/calibrate/lanes');
  const { GraphWriter } = require('../../dist/lib/model/graph-writer') as typeof import('../../lib/model/graph-writer');
  const { ModelProtoSchema } = require('../../dist/lib/model/onnx_pb') as typeof import('../../lib/model/onnx_pb');
  const { OnnxModel } = require('../../dist/lib/model/onnx-model') as typeof import('../../lib/model/onnx-model');
  const { encodeModel } = require('../../dist/lib/model/write') as typeof import('../../lib/model/write');

  /** One value, repeated 2⁴² times. */
  const huge = (): Uint8Array => {
    const g = new GraphWriter('huge');
    g.node('Expand', 'expand', [g.input('one', [1]), g.ints('many', [2 ** 42])], {}, 'all');
    g.output('all', ['n']);
    const opsetImport = [{ domain: '', version: 13n }];
    return encodeModel(new OnnxModel(create(ModelProtoSchema, { irVersion: 8n, opsetImport, graph: g.graph })));
  };
  const feeds = () => ({ one: { dims: [1], data: new Float32Array(1) } });
  const messageOf = async (work: Promise<unknown>): Promise<string> => {
    const error = (await work.catch((reason) => reason)) as Error & { code: string };
    expect(error.code).toBe('ERR_INTERNAL');
    expect(error.message).toMatch(/memory ran out/);
    return error.message;
  };

  test('names the options of eval and detect for their sessions', async () => {
    const pool = await SessionPool.create(huge(), 1);
    expect(await messageOf(pool.runHandingOver(feeds()))).toMatch(/--batch-size, or --threads 1/);
    await pool.close();
  });

  test('names no option for a session that has none', async () => {
    const session = await DetectorSession.create(huge());
    expect(await messageOf(session.run(feeds()))).not.toMatch(/--|batch/);
    await session.close();
  });

  test('says what to do in prune --calibrate', async () => {
    const lanes = await Lanes.open('the model', { lanes: 1 });
    const track = { key: 'a', model: huge(), inputs: ['one'], passing: [], keep: undefined };
    const work = lanes.stage({ tracks: [track], layers: [], seed: 0 }, [{ index: 0, first: 0, last: 1 }], async () =>
      feeds(),
    );
    expect(await messageOf(work)).toMatch(/fewer cores \(on Linux taskset/);
    await lanes.close();
  });
});
