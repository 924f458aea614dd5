import type { StrategyConfig } from './config';

/** Where a strategy keeps or finds losses; undefined for classes that do neither, whatever keys callers' own ones have. */
export function lossesFile({ class: name, options }: Pick<StrategyConfig, 'class' | 'options'>): string | undefined {
  return name === 'SensitivePruneStrategy' ? (options.file as string) : undefined;
}
