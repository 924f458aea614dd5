import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Prover, wrongSlices } from './proof';
import { sharedGraphs, sharedTest, type ZooGraph, zoo } from './zoo';

const { readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { pruneFile } = require('../../dist/lib/prune/prune-file') as typeof import('../../lib/prune/prune-file');
const { encodeModel } = require('../../dist/lib/model/write') as typeof import('../../lib/model/write');

const folder = mkdtempSync(path.join(tmpdir(), 'ssd-prune-zoo-'));
afterAll(() => rmSync(folder, { recursive: true }));

const quarter = (graph: ZooGraph, output: string) =>
  pruneFile(graph.path, output, { prunedParams: '.*', skipLocked: true, targetRatio: 0.25, align: graph.align });

/** A quarter of the work goes, and an independent proof finds it right. */
async function cutsAQuarter(graph: ZooGraph): Promise<void> {
  const output = path.join(folder, `cut-${path.basename(graph.file)}`);
  const report = await quarter(graph, output);
  expect(report.macs.cut).toBeGreaterThanOrEqual(0.25);
  expect(report.macs.cut).toBeLessThanOrEqual(0.26);
  expect(report.verified).toMatchObject({ images: 3, vacuous: false });

  const [original, pruned] = [await readModel(graph.path), await readModel(output)];
  expect(wrongSlices(original, pruned, report)).toEqual([]);
  expect(encodeModel(pruned).length).toBeLessThan(encodeModel(original).length);
  const prover = new Prover(original, graph.inputs);
  const proof = await prover.prove(pruned, report);
  await prover.close();
  expect(proof.difference).toBeLessThanOrEqual(1);
  expect(proof.sharpness).toBeGreaterThan(100);
  expect(proof.compared).toEqual(expect.arrayContaining(original.graph.output.map(({ name }) => name)));

  const kept = new Map(report.layers.map((layer) => [layer.name, layer.kept]));
  for (const name of graph.locked) expect([name, kept.has(name)]).toEqual([name, false]);
  for (const [first, ...rest] of graph.tied) {
    for (const name of rest) expect([name, kept.get(name)]).toEqual([name, kept.get(first!)]);
  }
}

const expecting = (kind: (expected: string) => boolean): [string, ZooGraph][] =>
  zoo.filter(({ expect: expected }) => kind(expected)).map((graph) => [graph.file, graph]);

// What may be refused is cut all the same: the zoo says what the product owes, this what it can do.
test.each(expecting((expected) => expected === 'cut25' || expected === 'cut-or-refuse'))(
  '%s loses a quarter of its work, by a proof from the report alone',
  (_, graph) => cutsAQuarter(graph),
);

test.each(expecting((expected) => expected.startsWith('refuse')))('%s is refused with the reason', async (_, graph) => {
  const output = path.join(folder, graph.file);
  await expect(quarter(graph, output)).rejects.toMatchObject({ code: 'ERR_NO_MATCH' });
  await expect(quarter(graph, output)).rejects.toThrow(/normalises over the channels|mixes channels with places/);
  expect(existsSync(output)).toBe(false);
});

for (const graph of sharedGraphs) {
  sharedTest(`shared: ${graph.file} loses a quarter of its work, by a proof from the report alone`, () =>
    cutsAQuarter(graph),
  );
}
