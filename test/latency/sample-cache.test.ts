import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { loadSamples, sampleFile, sampleKey, saveSamples } from '../../lib/latency/sample-cache';
import { buildMobileNetV1Ssd } from '../../lib/model/mobilenet-v1-ssd';

const model = buildMobileNetV1Ssd({ width: 0.125 });
const widths = [
  [8, 16],
  [16, 16],
];
const samples = widths.map((kept, i) => ({
  kept,
  times: { nodes: new Map([[3, 0.25 + i]]), rest: 0.125 },
}));
const before = process.env.XDG_CACHE_HOME;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-cache-'));
  process.env.XDG_CACHE_HOME = folder;
});
afterAll(() => {
  if (before === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before;
});

test('what is kept comes back, under the machine’s name and nowhere else', async () => {
  const key = sampleKey(model, [], widths, 1);
  expect(await loadSamples(key, widths)).toBeUndefined();
  await saveSamples(key, samples);
  expect(await loadSamples(key, widths)).toEqual(samples);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.map((entry) => path.join(entry.parentPath, entry.name))).toEqual([sampleFile(key)]);
  expect(
    files[0]!.name.startsWith(
      hostname()
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-'),
    ),
  ).toBe(true);
  // A machine of another name measures for itself, whatever its processor.
  expect(await loadSamples({ ...key, host: 'another' }, widths)).toBeUndefined();
});

test('other threads, widths, sizes or shapes are measured anew; other weights are not', async () => {
  const key = sampleKey(model, [], widths, 1);
  await saveSamples(key, samples);
  const others = [
    sampleKey(model, [], widths, 2),
    sampleKey(model, [320], widths, 1),
    sampleKey(model, [], widths.slice(1), 1),
    sampleKey(buildMobileNetV1Ssd({ width: 0.25 }), [], widths, 1),
  ];
  for (const other of others) expect(await loadSamples(other, widths)).toBeUndefined();
  const retrained = sampleKey(buildMobileNetV1Ssd({ width: 0.125, seed: 7 }), [], widths, 1);
  expect(await loadSamples(retrained, widths)).toEqual(samples);
});

test.each([
  ['half a file', (text: string) => text.slice(0, text.length / 2)],
  ['no times', (text: string) => text.replace(/"nodes":\[\[3,0\.25\]\]/, '"nodes":[]')],
  ['a time below zero', (text: string) => text.replace('0.25', '-0.25')],
  ['a time that is no number', (text: string) => text.replace('0.25', '"fast"')],
  [
    'a model too few',
    (text: string) => text.replace(/\{"nodes":\[\[3,1\.25\]\],"rest":0\.125\}/, '').replace('},]', '}]'),
  ],
  ['of another schema', (text: string) => text.replace('latency-samples/2', 'latency-samples/0')],
])('%s is passed over, and written anew', async (_, damage) => {
  const key = sampleKey(model, [], widths, 1);
  await saveSamples(key, samples);
  const file = sampleFile(key);
  const damaged = damage(readFileSync(file, 'utf8'));
  expect(damaged).not.toBe(readFileSync(file, 'utf8'));
  writeFileSync(file, damaged);
  expect(await loadSamples(key, widths)).toBeUndefined();
  await saveSamples(key, samples);
  expect(await loadSamples(key, widths)).toEqual(samples);
});

test('a cache that can’t be written is an error of its own', async () => {
  writeFileSync(path.join(folder, 'file'), '');
  process.env.XDG_CACHE_HOME = path.join(folder, 'file');
  await expect(saveSamples(sampleKey(model, [], widths, 1), samples)).rejects.toMatchObject({ code: 'ERR_IO' });
});
