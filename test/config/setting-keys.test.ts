import { readConfig } from '../../lib/config/config';
import { runJsonSchema } from '../../lib/config/json-schema';
import { settingKey } from '../../lib/config/setting-keys';
import { strategyClasses } from '../../lib/config/strategies';
import { ConfigFolder, ownYaml, paddleYaml } from './folder';

const folder = new ConfigFolder();
afterAll(() => folder.remove());

/** What editors complete keys by. */
const { properties = {} } = runJsonSchema();

const places = (value: unknown, place: string): string[] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => places(inner, `${place}.${key}`))
    : [place];

test('every setting of training has the key that a configuration calls it by, and each key is one setting', async () => {
  const training = `
training: {micro_batch: 4, rate: 0.1, warm_up: 1, max_norm: 1, average: 0.9, loss: softmax, teacher_features: 1, recalibrate: 1, labels: annotations}
evaluation: {ap_version: integral, overlap_threshold: 0.6, batch_size: 2}
`;
  const config = await readConfig(folder.write('run.yaml', paddleYaml + ownYaml + training));
  for (const section of ['training', 'evaluation'] as const) {
    const keys = places(config[section], section).map((place) => settingKey(place));
    const known = Object.keys(properties[section]!.properties!).map((key) => `${section}.${key}`);
    expect(keys.sort()).toEqual(known.sort());
  }
});

test.each([
  ['compressor.epochs', 'compressor.epoch'],
  ['compressor.evalEpoch', 'compressor.eval_epoch'],
  ['data.skipBad', 'data.skip_bad'],
  ['compressor.strategies.1.options.targetRatio', 'second: target_ratio'],
  ['compressor.strategies.0.class', 'first: class'],
  ['compressor.strategies.0.options.steps', 'first: num_steps'],
  // Of a caller's own class.
  ['compressor.strategies.1.options.steps', 'second: steps'],
  ['training.evaluateEvery', 'compressor.eval_epoch'],
  ['training.epochs', 'compressor.epoch'],
  ['training.decay.steps', 'compressor.epoch'],
  ['paddle1x', 'compat: paddle1x'],
])('%s is called %s', (place, key) => {
  const settings = {
    'compressor.strategies.0.class': 'SensitivePruneStrategy',
    'compressor.strategies.1.class': 'Mine',
  };
  expect(settingKey(place, { strategies: ['first', 'second'], settings })).toBe(key);
});

test('options of every class of this package have their own keys', () => {
  for (const name of strategyClasses.keys()) {
    const settings = { 'compressor.strategies.0.class': name };
    const place = 'compressor.strategies.0.options.criterion';
    expect(settingKey(place, { strategies: ['one'], settings })).toBe("one: the pruner's criterions");
  }
});
