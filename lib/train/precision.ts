import { invalidArgument, SsdPruneError } from '../errors';
import { addon } from '../native/addon';
import type { Precision } from '../native/engine';

/**
 * Checks that products of a precision run on this machine.
 * @throws {SsdPruneError} ERR_USAGE for none that there is; ERR_NO_BF16 where bfloat16 doesn't run, and why
 */
export function checkPrecision(precision: Precision): void {
  if (precision === 'fp32') return;
  if (precision !== 'bf16') throw invalidArgument('precision', 'fp32 or bf16', precision);
  if (addon().hasBfloat16()) return;
  const forced = process.env.SSD_PRUNE_ISA;
  const why =
    forced && forced !== addon().instructionSets()[0]
      ? `SSD_PRUNE_ISA=${forced} is in force: leave it off (processors with AVX512-BF16 have it then), or train with fp32.`
      : 'This processor has no AVX512-BF16: train with fp32.';
  throw new SsdPruneError('ERR_NO_BF16', `Products of bfloat16 (precision bf16) don't run here. ${why}`);
}
