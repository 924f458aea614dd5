import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { noisePictures } from '../calibrate/noise-pictures';
import { type VocPicture, vocFolder } from '../data/folders';
import { type Ended, run, temporary } from './command';
import { detectorModel } from './detector-model';

const { readDetectorSettings } = require('../../dist/lib/model/detector') as typeof import('../../lib/model/detector');
const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { writeModel } = require('../../dist/lib/model/write') as typeof import('../../lib/model/write');

const key = 'ssd-prune.detector';
const folder = temporary();
const at = (name: string): string => path.join(folder, name);
/** Without settings; with the same as in `detector.json` in its metadata, priors inline. */
const [bare, own, detector] = [at('bare.onnx'), at('own.onnx'), at('detector.json')];
let pictures: string;
let data: string;

beforeAll(async () => {
  const model = await readModel(detectorModel());
  const { priors, ...settings } = JSON.parse(model.metadata(key)!);
  const boxes = readDetectorSettings(model).priors;
  const list = Array.from({ length: boxes.length / 4 }, (_, i) =>
    Array.from(boxes.subarray(4 * i, 4 * i + 4), (value) => Number(value.toPrecision(5))),
  );
  writeFileSync(at('priors.json'), JSON.stringify({ priors: list }));
  writeFileSync(detector, JSON.stringify({ ...settings, priors: { file: 'priors.json' } }));
  model.setMetadata(key, JSON.stringify({ ...settings, priors: list }));
  await writeModel(model, own);
  model.proto.metadataProps = model.proto.metadataProps.filter((entry) => entry.key !== key);
  await writeModel(model, bare);
  ({ folder: pictures } = await noisePictures(4, 64));
  const annotated: Record<string, VocPicture> = {};
  for (let i = 0; i < 6; i++) {
    annotated[`p${i}`] = { width: 64, height: 48, objects: [{ name: 'car', box: [3 + i, 3, 40 + i, 40] }] };
  }
  data = await vocFolder(annotated);
});

const good = ({ status, stderr }: Ended): void => expect([status, /"error"/.test(stderr)]).toEqual([0, false]);

/** What two commands write, the one for a model with settings, the other with a file of them: bytes and place. */
async function both(args: (model: string, out: string) => string[], name: string): Promise<string> {
  const [carried, given] = [at(`${name}-own.onnx`), at(`${name}-bare.onnx`)];
  const [a, b] = await Promise.all([run(args(own, carried)), run([...args(bare, given), '--detector', detector])]);
  good(a);
  good(b);
  expect(readFileSync(given).equals(readFileSync(carried))).toBe(true);
  return given;
}

const prune = (model: string, out: string): string[] => [
  ...['prune', model, '-o', out, '--pruned-params', 'conv2d_[1-9].w_0', '--target-ratio', '0.1', '--no-verify'],
  ...['--calibrate', pictures, '--calibration-images', '2', '--repair', 'least_squares', '--json'],
];

test('prune --calibrate --detector writes the settings into the smaller model, and changes nothing else by it', async () => {
  const out = await both(prune, 'small');
  const evaluate = (...more: string[]) => run(['eval', out, '--data', data, '--bootstrap', '0', '--json', ...more]);
  const [carried, given] = await Promise.all([evaluate(), evaluate('--detector', detector)]);
  good(carried);
  expect(JSON.parse(carried.stdout).classes).toEqual(JSON.parse(given.stdout).classes);
});

test('prune --detector does so without pictures, too; a dry run writes none', async () => {
  const byWeights = ['--pruned-params', 'conv2d_[1-9].w_0', '--target-ratio', '0.1', '--json'];
  const out = await both((model, to) => ['prune', model, '-o', to, '--no-verify', ...byWeights], 'cut');
  expect(readDetectorSettings(await readModel(out)).priors).toHaveLength(4 * 1917);
  const dry = await run(['prune', bare, '--dry-run', ...byWeights, '--detector', detector]);
  expect([dry.status, dry.stderr]).toEqual([2, expect.stringContaining('--detector changes nothing')]);
  // What is read is not replaced by the report.
  const report = await run([
    ...['prune', bare, '-o', at('x.onnx'), ...byWeights, '--no-verify'],
    ...['--detector', detector, '--report', detector],
  ]);
  const { code } = JSON.parse(report.stderr.trim().split('\n').pop()!).error;
  expect([report.status, code]).toEqual([2, 'ERR_OUTPUT_EXISTS']);
});

test('finetune --detector does so, too; a teacher without settings has those of the trained network', async () => {
  const finetune = (model: string, out: string): string[] => [
    ...['finetune', model, '-o', out, '--data', data, '--split', 'val', '--epochs', '1', '--batch-size', '2'],
    ...['--held-back', '0', '--recalibrate', '0', '--json'],
  ];
  const out = await both(finetune, 'tuned');
  good(await run([...finetune(own, at('taught.onnx')), '--teacher', bare]));
  expect(readDetectorSettings(await readModel(out)).priors).toHaveLength(4 * 1917);
});

test('settings that the model carries stay, whatever file is given', async () => {
  const { nms, ...settings } = JSON.parse(readFileSync(detector, 'utf8'));
  writeFileSync(at('other.json'), JSON.stringify({ ...settings, nms: { ...nms, iouThreshold: 0.3 } }));
  const out = at('kept.onnx');
  good(await run([...prune(own, out), '--detector', at('other.json')]));
  expect((await readModel(out)).metadata(key)).toBe((await readModel(own)).metadata(key));
});
