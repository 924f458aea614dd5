import type { PruneCriterion, PruneOptions } from '../../lib/prune/options';
import { Prover, wrongSlices } from './proof';
import { sharedGraphs, sharedTest, type ZooGraph, zoo } from './zoo';

const { decodeModel, readModel } = require('../../dist/lib/model/read') as typeof import('../../lib/model/read');
const { encodeModel } = require('../../dist/lib/model/write') as typeof import('../../lib/model/write');
const { openPruner } = require('../../dist/lib/prune/prune-model') as typeof import('../../lib/prune/prune-model');
const { buildReport } = require('../../dist/lib/prune/report') as typeof import('../../lib/prune/report');
const { whyLocked } = require('../../dist/lib/prune/selection') as typeof import('../../lib/prune/selection');
const { uniform } = require('../../dist/lib/model/random') as typeof import('../../lib/model/random');

const criteria: PruneCriterion[] = ['l1_norm', 'l2_norm', 'geometry_median', 'random', 'bn_scale'];
const aligns = [1, 2, 8];
/** Reasons for which a random wish may be turned down. */
const refusals = ['ERR_NO_MATCH', 'ERR_TARGET_UNREACHABLE', 'ERR_LAYER_EMPTIED', 'ERR_UNSUPPORTED_CRITERION'];

const literally = (name: string): string => name.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

/**
 * Cuts of random layers by random amounts, each with another criterion, alignment, allocation and way of ranking; every
 * one that is carried out must be right by the report alone.
 * @returns how many were carried out.
 */
async function randomCuts(graph: ZooGraph, rounds: number): Promise<number> {
  const place = zoo.indexOf(graph) + 1;
  const model = await readModel(graph.path);
  const pruner = openPruner(model);
  const free = pruner.parameters.map(({ name }) => name).filter((name) => !whyLocked(pruner.groups, name));
  const prover = new Prover(model, graph.inputs, 1);
  let [done, wishes] = [0, 0];
  // A grid of 8 is too coarse for the smallest graphs: a wish that can't be met is followed by another.
  for (let round = 0; done < rounds && wishes < 6 * rounds && free.length > 0; round++, wishes++) {
    const random = uniform(round, graph.file);
    const chosen = free.filter((_, i) => random(i) < 0.6);
    if (chosen.length === 0) continue;
    const amount = 0.05 + 0.6 * random(1e6);
    const layers = {
      prunedParams: chosen.map(literally).join('|'),
      align: aligns[(place + round) % aligns.length]!,
      skipLocked: true,
      includeTied: true,
    };
    const reachable = pruner.largestCut(layers);
    const wish: PruneOptions = {
      ...layers,
      criterion: criteria[(place + round) % criteria.length]!,
      seed: round,
      ...(random(1e6 + 1) < 0.5 && reachable > 0
        ? { targetRatio: amount * reachable, tolerance: 0.2 }
        : { ratios: new Map(chosen.map((name) => [name, amount])) }),
    };
    if (wish.targetRatio !== undefined && random(1e6 + 2) < 0.5) wish.allocation = 'global';
    if (random(1e6 + 3) < 0.4) wish.ranking = 'sequential';
    try {
      const plan = pruner.plan(wish);
      const cut = pruner.cut(plan);
      if (cut.tensors.length === 0) continue;
      const report = buildReport(pruner, plan, cut, wish);
      // As it comes out of the file.
      const pruned = decodeModel(encodeModel(cut.model));
      expect(wrongSlices(model, pruned, report)).toEqual([]);
      const proof = await prover.prove(pruned, report);
      expect({ wish, difference: proof.difference }).toEqual({ wish, difference: Math.min(1, proof.difference) });
      done++;
    } catch (error) {
      if (!refusals.includes((error as { code?: string }).code ?? '')) throw error;
    }
  }
  await prover.close();
  return done;
}

describe('random layers, amounts, criteria and alignments', () => {
  test.each(zoo.map((graph): [string, ZooGraph] => [graph.file, graph]))('%s is cut right', async (_, graph) => {
    const done = await randomCuts(graph, 2);
    expect(done).toBe(graph.expect.startsWith('refuse') ? 0 : 2);
  });

  for (const graph of sharedGraphs) {
    sharedTest(`shared: ${graph.file} is cut right`, async () => expect(await randomCuts(graph, 2)).toBe(2));
  }
});
