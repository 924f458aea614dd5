import type { RunConfig } from '../config/config';
import { settingKey } from '../config/setting-keys';
import { SsdPruneError } from '../errors';
import { planTraining } from '../train/training-plan';
import { firstRemarks, rehearse } from './rehearsal';
import type { RunInputs } from './run-inputs';
import { checkStrategies } from './strategies';
import type { Strategy, StrategyCheckOptions } from './strategy';

/**
 * Finds out whether a run can begin, before anything of an earlier one is given up: its recipe, what its
 * strategies say, what they select, and all cuts that they have planned.
 * @param warn told of what is odd
 * @throws {SsdPruneError} what {@link planTraining}, {@link checkStrategies}, {@link firstRemarks} and {@link rehearse} throw
 */
export async function prepare(
  config: RunConfig,
  inputs: RunInputs,
  strategies: readonly Strategy[],
  warn: (message: string) => void,
  { force, signal }: StrategyCheckOptions & { signal?: AbortSignal | undefined },
): Promise<void> {
  checkTraining(config, inputs);
  await checkStrategies(strategies, config, { force });
  for (const warning of firstRemarks(strategies, inputs.model, config)) warn(warning);
  await rehearse(inputs.model, strategies, config, warn, signal);
}

/** Training's settings by the configuration's own keys. */
function checkTraining(config: RunConfig, { model, detector, training, teacher }: RunInputs): void {
  const { epochs, evalEpoch } = config.compressor;
  const options = { ...config.training, epochs, evaluateEvery: evalEpoch, ...(teacher && { teacher }) };
  try {
    planTraining(model, detector, training, options);
  } catch (error) {
    if (!(error instanceof SsdPruneError) || error.argument === undefined) throw error;
    const key = settingKey(`training.${error.argument}`);
    const message = error.message.replace(` for ${error.argument} but`, ` for ${key} but`);
    throw new SsdPruneError(error.code, message, { cause: error });
  }
}
