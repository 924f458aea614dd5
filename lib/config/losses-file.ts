import type { StrategyConfig } from './config';

/** Where a strategy keeps or finds losses; undefined for classes that do neither, whatever keys callers' own ones have. */
export function lossesFile({ class: name, options }: Pick<StrategyConfig, 'class' | 'options'>): string | undefined {
  return name === 'SensitivePruneStrategy' ? (options.file as string) : undefined;
}

/** That and what is kept beside it, where it is PaddleSlim's own and points are measured besides; none for other classes. */
export function lossesFiles(strategy: Pick<StrategyConfig, 'class' | 'options'>): string[] {
  const file = lossesFile(strategy);
  return file === undefined ? [] : [file, `${file}.json`];
}
