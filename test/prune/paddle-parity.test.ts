import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(__dirname, '..', '..');
const shared = process.env.SSD_PRUNE_SHARED ?? path.resolve(root, '..', 'shared');
const folder = path.join(shared, 'reference', 'paddle-1.8.5-target-0.2');
const available = existsSync(folder) ? describe : describe.skip;

const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { Pruner } = require('../../dist/lib/prune/prune') as typeof import('../../lib/prune/prune');
const { buildReport } = require('../../dist/lib/prune/report') as typeof import('../../lib/prune/report');

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
});
