import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { shared } from '../shared';

const folder = path.join(shared, 'reference', 'paddle-1.8.5-target-0.2');
const available = existsSync(folder) ? describe : describe.skip;

const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { Pruner } = require('../../dist/lib/prune/prune') as typeof import('../../lib/prune/prune');
const { buildReport } = require('../../dist/lib/prune/report') as typeof import('../../lib/prune/report');

const { readDetectorSettings } = require('../../dist/lib/model/detector') as typeof import('../../lib/model/detector');
const { encodeModel } = require('../../dist/lib/model/write') as typeof import('../../lib/model/write');
const { DetectorSession } = require('../../dist/lib/evaluate/session') as typeof import('../../lib/evaluate/session');
const { BoxDecoder } = require('../../dist/lib/evaluate/decode') as typeof import('../../lib/evaluate/decode');

available('the real run of Paddle 1.8.5', () => {
  const json = (name: string) => JSON.parse(readFileSync(path.join(folder, name), 'utf8'));
  const run = async (extra: object) => {
    const reference = json('report.json');
    const pruner = new Pruner(await readModel(path.join(folder, 'before.onnx')));
    const options = { prunedParams: reference.regex as string, targetRatio: 0.2, paddle1x: true, ...extra };
    const plan = pruner.plan(options);
    const cut = pruner.cut(plan);
    return { cut, reference, report: buildReport(pruner, plan, cut, options) };
  };

  test('trials, FLOPs, sizes, shapes and kept channels are equal', async () => {
    const { cut, reference, report } = await run({ order: json('report.json').params });
    const trace = reference.trace.filter((trial: { only_graph: boolean }) => trial.only_graph);
    expect(report.trials).toEqual(
      trace.map((trial: { ratio: number; pruned_flops: number }) => ({ ratio: trial.ratio, cut: trial.pruned_flops })),
    );
    expect(report.paddleFlops.before).toBe(reference.flops_before);
    expect(report.paddleFlops.after).toBe(reference.flops_after_slim);
    expect(report.parameters).toMatchObject({ before: reference.numel_before, after: reference.numel_after });
    expect([report.macs.before, report.macs.after]).toEqual(reference.true_conv_macs);
    for (const [name, [, after]] of Object.entries(reference.shapes as Record<string, number[][]>)) {
      expect([name, cut.model.constant(name)?.dims.map(Number)]).toEqual([name, after]);
    }
    const kept = json('kept.json');
    expect(report.layers).toHaveLength(12);
    for (const layer of report.layers) expect(layer.kept).toEqual(kept[layer.name].kept);
  });

  test.each([
    ['network_order', {}],
    ['frozen_original', { ranking: 'frozen' }],
  ])('%s keeps the same channels', async (variant, extra) => {
    const { report } = await run(extra);
    const kept = json('kept_variants.json')[variant];
    for (const layer of report.layers) expect(layer.kept).toEqual(kept[layer.name]);
  });

  test('outputs after the cut are those of Paddle, and so are the detections', async () => {
    const floats = (name: string): Float32Array =>
      new Float32Array(Uint8Array.from(readFileSync(path.join(folder, name))).buffer);
    const { cut } = await run({ order: json('report.json').params });
    const detector = readDetectorSettings(cut.model, path.join(folder, 'detector.json'));
    const session = await DetectorSession.create(encodeModel(cut.model), { threads: 1 });
    const image = { dims: [1, 3, 300, 300], data: floats('before_image.f32') };
    const answer = await session.run({ [detector.input.name]: image });
    await session.close();
    // Arrays that come from another thread are none of jest's Float32Array.
    const outputs = Object.fromEntries(
      Object.entries(answer).map(([name, { dims, data }]) => [
        name,
        { dims, data: Float32Array.from(data as Float32Array) },
      ]),
    );
    for (const [output, file] of [
      [detector.outputs.scores, 'after_confs.f32'],
      [detector.outputs.boxes, 'after_locs.f32'],
    ] as const) {
      const [ours, theirs] = [outputs[output]!.data, floats(file)];
      expect(ours.length).toBe(theirs.length);
      const apart = theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i]!)), 0);
      const size = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(apart).toBeLessThanOrEqual(1e-4 * Math.max(1, size));
    }
    // Untrained scores are all but equal, so that rounding decides the order: rows are compared as a set.
    const [found] = await new BoxDecoder(detector).detect(outputs, 1);
    const rows = (values: Float32Array): number[][] =>
      Array.from({ length: values.length / 6 }, (_, i) => Array.from(values.subarray(6 * i, 6 * i + 6)));
    const left = rows(found!);
    expect(left).toHaveLength(200);
    const missing = rows(floats('after_nms.f32')).filter((row) => {
      const at = left.findIndex((other) => row.every((value, i) => Math.abs(value - other[i]!) <= 1e-4));
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
    expect(missing).toEqual([]);
  });
});
