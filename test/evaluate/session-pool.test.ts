import { DetectorSession } from '../../lib/evaluate/session';
import { SessionPool } from '../../lib/evaluate/session-pool';
import { detectorModel } from '../cli/detector-model';

const model = detectorModel();

/** Two pictures of which the second is `value` everywhere. */
async function feedsOf(pool: SessionPool | DetectorSession, value: number) {
  const [input] = pool.inputs;
  const dims = [2, ...(input!.dims.slice(1) as number[])];
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(
    value,
    dims.slice(1).reduce((a, b) => a * b, 1),
  );
  return { [input!.name]: { dims, data } };
}

test.each([
  ['one a thread', 3, 10, 3],
  ['no more than batches', 3, 2, 2],
  ['one for one thread', 1, 10, 1],
  ['one where nothing is to be done', 3, 0, 1],
])('makes sessions: %s', async (_, threads, batches, lanes) => {
  const pool = await SessionPool.create(model, batches, { threads });
  expect(pool.lanes).toBe(lanes);
  expect(pool.device).toBe('cpu');
  await pool.close();
});

test('more runs than sessions: each answer belongs to its feeds, as from one session', async () => {
  const single = await DetectorSession.create(model, { threads: 1 });
  const pool = await SessionPool.create(model, 9, { threads: 2 });
  const values = [0, 0.25, -0.5, 1, 0.125];
  const answers = await Promise.all(values.map(async (value) => pool.runHandingOver(await feedsOf(pool, value))));
  for (const [i, value] of values.entries()) {
    const expected = await single.run(await feedsOf(single, value));
    for (const [name, { data }] of Object.entries(expected)) expect(answers[i]!.outputs[name]!.data).toEqual(data);
  }
  await Promise.all([single.close(), pool.close()]);
});

test('a run that fails leaves its session to the next', async () => {
  const pool = await SessionPool.create(model, 1, { threads: 1 });
  const wrong = { nothing: { dims: [1], data: new Float32Array(1) } };
  const [refused, answered] = await Promise.allSettled([
    pool.runHandingOver(wrong),
    pool.runHandingOver(await feedsOf(pool, 0)),
  ]);
  expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'ERR_USAGE' } });
  expect(answered.status).toBe('fulfilled');
  await pool.close();
  await expect(pool.runHandingOver(await feedsOf(pool, 0))).rejects.toMatchObject({ code: 'ERR_USAGE' });
});

test('refuses threads that are no number of them', async () => {
  await expect(SessionPool.create(model, 1, { threads: -1 })).rejects.toMatchObject({ code: 'ERR_USAGE' });
});
