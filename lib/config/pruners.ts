import { z } from 'zod';
import { type PruneCriterion, pruneCriteria } from '../prune/options';

const structurePruner = z.strictObject({
  class: z.literal('StructurePruner').describe('Whole channels go'),
  pruning_axis: z
    .record(z.string(), z.literal(0))
    .default({ '*': 0 })
    .describe("Axis that is cut, by parameter name, or of all by '*'; 0, the output channels, is the only one"),
  criterions: z
    .record(z.string(), z.enum(pruneCriteria as [PruneCriterion, ...PruneCriterion[]]))
    .default({ '*': 'l1_norm' })
    .describe("How channels are scored, by parameter name, or of all by '*'; one for all"),
});

export const pruner = z.discriminatedUnion('class', [structurePruner]);
export const pruners = z.record(z.string(), pruner);

export type PrunerKeys = z.infer<typeof pruner>;

/** What parameters are scored by; more than one where the pruner says so, '*' being Paddle's default for all others. */
export function criteriaOf({ criterions }: PrunerKeys): PruneCriterion[] {
  return [...new Set<PruneCriterion>([criterions['*'] ?? 'l1_norm', ...Object.values(criterions)])];
}
