import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readDetectorSettings } from '../../lib/model/detector';
import { detectorKey } from '../../lib/model/detector-key';
import { buildMobileNetV1Ssd } from '../../lib/model/mobilenet-v1-ssd';
import { generatePriors } from '../../lib/model/prior-boxes';
import { failure } from './onnx-files';

const model = buildMobileNetV1Ssd({ width: 0.1, classes: 2 });
const sound = () => JSON.parse(model.metadata(detectorKey)!);
const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-detector-'));

function fileWith(settings: unknown): string {
  const file = path.join(folder, 'detector.json');
  writeFileSync(file, typeof settings === 'string' ? settings : JSON.stringify(settings));
  return file;
}

/** The sound settings with one key, named by its path, changed or (undefined) taken out. */
function changed(key: string, value: unknown) {
  const settings = sound();
  const names = key.split('.');
  const last = names.pop()!;
  names.reduce((object, name) => object[name], settings)[last] = value;
  return settings;
}

const tiny = { layers: [{ map: [2, 1], minSizes: [30], maxSizes: [120], aspectRatios: [4] }] };

describe('priors', () => {
  test('by generator: cell, then square, ratio, inverse, the square between', () => {
    const { priors } = readDetectorSettings(model, fileWith(changed('priors', tiny)));
    const cell = (cx: number) => [cx, 0.5, 0.1, 0.1, cx, 0.5, 0.2, 0.05, cx, 0.5, 0.05, 0.2, cx, 0.5, 0.2, 0.2];
    expect(Array.from(priors)).toEqual([...cell(0.25), ...cell(0.75)].map(Math.fround));
  });

  test('steps, offset, one-sided ratios and the border', () => {
    const layers = [{ map: [1, 1], minSizes: [40], maxSizes: [], aspectRatios: [4, 1], step: [10, 20] }] as const;
    const priors = generatePriors({ image: [100, 100], layers: layers as never, flip: false, clip: true, offset: 1 });
    // Centre (10, 20): 40x40 and 80x20 reach over the left border.
    const expected = [0.15, 0.2, 0.3, 0.4, 0.25, 0.2, 0.5, 0.2];
    expect(priors.length).toBe(8);
    for (const [i, value] of expected.entries()) expect(priors[i]).toBeCloseTo(value, 6);
  });

  test('from a file beside, as a list or under a key', () => {
    for (const content of [[[0.5, 0.5, 1, 1]], { priors: [[0.5, 0.5, 1, 1]] }]) {
      writeFileSync(path.join(folder, 'priors.json'), JSON.stringify(content));
      const { priors } = readDetectorSettings(model, fileWith(changed('priors', { file: 'priors.json' })));
      expect(Array.from(priors)).toEqual([0.5, 0.5, 1, 1]);
    }
  });

  test('are not needed for corners', () => {
    const settings = changed('outputs.boxesAre', 'corners');
    delete settings.priors;
    expect(readDetectorSettings(model, fileWith(settings)).priors).toHaveLength(0);
    settings.outputs.boxesAre = 'offsets';
    return expect(failure(() => readDetectorSettings(model, fileWith(settings)))).resolves.toMatchObject({
      code: 'ERR_BAD_CONFIG',
    });
  });
});

test.each<[string, unknown, string]>([
  ['input.width', '300', 'input.width'],
  ['input.mean', [1, 2], 'input.mean'],
  ['input.std', [1, 0, 1], 'input.std.1'],
  ['input.channels', 'GRAY', 'input.channels'],
  ['input.resize.kernel', 'sinc', 'input.resize.kernel'],
  ['input.name', 'pixels', 'input.name'],
  ['outputs.scores', 'nothing', 'outputs.scores'],
  ['outputs.scoresAre', undefined, 'outputs.scoresAre'],
  ['priors', [[0, 0, 1]], 'priors'],
  ['priors', { layers: [{ map: [1, 1], minSizes: [1, 2], maxSizes: [3] }] }, 'priors.layers.0.maxSizes'],
  ['variances', [0.1, 0.1, 0.2, 0], 'variances.3'],
  ['classes', ['background', 'a', 'a'], 'classes'],
  ['nms.iouThreshold', 1.5, 'nms.iouThreshold'],
  ['nms.typo', 1, 'nms'],
])('%s: %j is refused by name', async (key, value, named) => {
  const file = fileWith(changed(key, value));
  const error = await failure(() => readDetectorSettings(model, file));
  expect(error.code).toBe('ERR_BAD_CONFIG');
  expect(error.message).toContain(`${file}: ${named}`);
});

describe('files and metadata', () => {
  test('a missing file, and one that is no JSON', async () => {
    expect((await failure(() => readDetectorSettings(model, path.join(folder, 'none.json')))).code).toBe('ERR_IO');
    expect((await failure(() => readDetectorSettings(model, fileWith('{')))).code).toBe('ERR_BAD_CONFIG');
  });

  test('a model without settings, with damaged ones, and with ones that point elsewhere', async () => {
    const other = model.clone();
    other.proto.metadataProps = [];
    expect((await failure(() => readDetectorSettings(other))).code).toBe('ERR_BAD_CONFIG');
    for (const text of ['{', '{}', JSON.stringify(changed('priors', { file: '../x.json' }))]) {
      other.setMetadata(detectorKey, text);
      expect((await failure(() => readDetectorSettings(other))).code).toBe('ERR_BAD_MODEL');
    }
  });

  test('a file overrules the metadata', () => {
    const settings = readDetectorSettings(model, fileWith(changed('nms.iouThreshold', 0.3)));
    expect(settings.nms.iouThreshold).toBe(0.3);
    expect(readFileSync(path.join(folder, 'detector.json'), 'utf8')).toContain('0.3');
  });
});
