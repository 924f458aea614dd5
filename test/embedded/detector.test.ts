import { statSync } from 'node:fs';
import { embeddedDetector } from '../../lib/embedded/detector';
import { readDetectorSettings } from '../../lib/model/detector';
import { listParameters } from '../../lib/model/parameters';
import { readModel } from '../../lib/model/read';
import { describeParameters } from '../../lib/prune/parameter-list';
import { sceneClasses } from '../../lib/scenes/shapes';
import { command, temporary } from '../cli/command';

test('is small, knows the classes of the scenes, and has the parameters of the original job', async () => {
  expect(statSync(embeddedDetector).size).toBeLessThan(4 * 2 ** 20);
  const model = await readModel(embeddedDetector);
  expect(readDetectorSettings(model).classes).toEqual(sceneClasses);
  const names = listParameters(model).map(({ name }) => name);
  // BatchNormalization is not folded: running statistics are there.
  expect(names).toContain('batch_norm_0.w_1');
  const { selected, parameters } = describeParameters(model, 'conv2d_[1-9].w_0|conv2d_1[0-2].w_0');
  expect(selected).toEqual(Array.from({ length: 12 }, (_, i) => `conv2d_${i + 1}.w_0`));
  expect(parameters.filter(({ selected: one, locked }) => one && locked !== null)).toEqual([]);
});

test('finds the shapes on scenes that it has not seen', () => {
  const folder = temporary();
  expect(command(['scenes', folder, '--split', 'test', '--seed', '2', '--count', '200']).status).toBe(0);
  const args = ['--data', folder, '--split', 'test', '--protocol', 'voc', '--device', 'cpu', '--json'];
  const report = JSON.parse(command(['eval', embeddedDetector, ...args]).stdout);
  expect(report.images).toBe(200);
  expect(report.map).toBeGreaterThan(0.85);
});
