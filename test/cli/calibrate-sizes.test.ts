import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { noisePictures } from '../calibrate/noise-pictures';
import { command, errorOf, events, failure, graph } from './command';

const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { writeModel } = require('../../dist/lib/model/write') as typeof import('../../lib/model/write');

const open = graph('dynamic-size-legacy-17');
let folder: string;
/** Settings for pictures of a width and a height. */
const settings = (width: number, height: number): string => {
  const text = JSON.parse(readFileSync(path.join(folder, 'detector.json'), 'utf8'));
  const file = path.join(folder, `${width}x${height}.json`);
  writeFileSync(file, JSON.stringify({ ...text, input: { ...text.input, width, height } }));
  return file;
};

beforeAll(async () => {
  ({ folder } = await noisePictures(8, 48));
});

const wish = ['--pruned-params', '.*', '--skip-locked', '--align', '1', '--target-ratio', '0.3'];
const pictures = () => ['--calibrate', folder, '--calibration-images', '6'];

describe('a model that leaves the size of its pictures open', () => {
  test.each([
    [64, 64],
    [96, 64],
  ])('is counted, cut and proven at the size of its detector settings: %i wide, %i high', (width, height) => {
    const out = path.join(folder, `${width}x${height}.onnx`);
    const given = [...wish, ...pictures(), '--detector', settings(width, height), '--json'];
    const ended = command(['prune', open, '-o', out, ...given, '--tolerance', '0.05']);
    expect([ended.status, ended.stderr.includes('"error"')]).toEqual([0, false]);
    const report = JSON.parse(ended.stdout);
    expect(report.verified).toMatchObject({ vacuous: false });
    expect(report.repair[0].errorKept).toBeGreaterThan(0);
    const shape = ['--input-shape', `image=1,3,${height},${width}`];
    const plain = command(['prune', open, '--dry-run', ...wish, '--tolerance', '0.05', ...shape, '--json']);
    expect(report.macs.before).toBe(JSON.parse(plain.stdout).macs.before);
  });

  test('is counted at the size in its metadata without pictures, too, be it square or not', async () => {
    const model = await readModel(open);
    model.setMetadata('ssd-prune.detector', readFileSync(settings(96, 64), 'utf8'));
    const carrying = path.join(folder, 'carrying.onnx');
    await writeModel(model, carrying);
    const counted = (file: string, ...more: string[]): number => {
      const { stdout } = command(['prune', file, '--dry-run', ...wish, '--tolerance', '0.05', '--json', ...more]);
      return JSON.parse(stdout).macs.before;
    };
    expect(counted(carrying)).toBe(counted(open, '--input-shape', 'image=1,3,64,96'));
    expect(counted(carrying)).not.toBe(counted(open, '--input-shape', 'image=1,3,64,64'));
  });

  test('is measured at that size by sensitivity, too', () => {
    const args = [...wish.slice(0, -2), ...pictures(), '--detector', settings(96, 64), '--json'];
    const { status, stdout } = command(['sensitivity', open, ...args]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).layers[0].points.at(-1).errorKept).toBeGreaterThan(0);
  });

  test.each(['prune', 'sensitivity'])('%s refuses a shape of another size before the work', (name) => {
    const shape = ['--input-shape', 'image=1,3,64,64'];
    const own = name === 'prune' ? ['--dry-run'] : [];
    const args = [name, open, ...wish, ...pictures(), '--detector', settings(96, 64), ...shape, ...own, '--json'];
    const ended = command(args);
    expect(failure(ended)).toEqual({ status: 2, code: 'ERR_USAGE', stdout: '' });
    expect(events(ended)).toHaveLength(1);
    expect(errorOf(ended).message).toMatch(/--input-shape gives "image" \(1, 3, 64, 64\).* \(n, 3, 64, 96\)/);
  });
});

test.each(['prune', 'sensitivity'])('%s refuses settings for pictures that the model does not take', (name) => {
  const out = path.join(folder, 'never.onnx');
  const own = name === 'prune' ? ['-o', out] : [];
  const fixed = graph('dynamic-batch-legacy-11');
  const ended = command([name, fixed, ...wish, ...pictures(), '--detector', settings(96, 64), ...own, '--json']);
  expect(failure(ended)).toEqual({ status: 2, code: 'ERR_BAD_CONFIG', stdout: '' });
  expect(events(ended)).toHaveLength(1);
  expect(errorOf(ended).message).toMatch(
    /96x64\.json: .* \(n, 3, 64, 96\), but .* takes input "image" \(\?, 3, 64, 64\)/,
  );
  expect(existsSync(out)).toBe(false);
});
